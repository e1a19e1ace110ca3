"""From foreign checkpoints to our networks: one module a program that wrote them, with its names and layouts."""

from ghbench.generators.conversion.networks import build_discriminator, build_generator

__all__ = ["build_discriminator", "build_generator"]
