"""Generator networks: StyleGAN1 and StyleGAN2, exact to their reference implementations, in plain PyTorch."""
