"""GH-Feat (Xu et al. 2021): a frozen generator as a learned loss, and the hierarchical features that it yields.

Import what you need from its module: nothing is imported here, so that commands without torch stay fast.
"""
