"""From other programs' checkpoints to our networks: one module for each program, with its names and layouts."""

from ghbench.generators.conversion.networks import build_discriminator, build_generator

__all__ = ["build_discriminator", "build_generator"]
