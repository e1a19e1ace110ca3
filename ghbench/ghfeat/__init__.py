"""GH-Feat (Xu et al. 2021): a frozen generator as a learned loss, and the hierarchical features that come out of it.

Import what you need from its module: nothing is imported here, so that commands that need no torch stay instant.
"""
