"""Generator networks: StyleGAN1 and StyleGAN2, exact to their reference implementations, in plain PyTorch.

Import what you need from its module: nothing is imported here, so that commands that need no torch stay instant.
"""
