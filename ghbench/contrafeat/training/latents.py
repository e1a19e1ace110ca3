"""Latent codes and noise with which navigators are trained."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ghbench.generators.protocol import Generator
from ghbench.generators.synthesis import NoiseInput


def segment_starts(parts: int, rows: int) -> list[int]:
    """First row of each of `parts` segments of W+, and the number of rows: linspace(0, rows, parts + 1), cut off."""
    return [int(place) for place in torch.linspace(0, rows, parts + 1, dtype=torch.float64)]


def mixed_ws(generator: Generator, count: int, parts: int, rows: int) -> Tensor:
    """W+ [count, rows, w_dim] whose segments come from independent z at psi 1, with PyTorch's random generator."""
    cuts = segment_starts(parts, rows)
    z = torch.randn(parts * count, generator.z_dim, device=generator.w_mean.device)
    drawn = generator.mapping(z)
    drawn = drawn.view(parts, count, *drawn.shape[1:])
    return torch.cat([drawn[part, :, cuts[part] : cuts[part + 1]] for part in range(parts)], dim=1)


class NoiseSource:
    """Draws noise images for a generator's convolutions, each as strong as the stored one.

    Networks that were converted may store noise of another deviation than 1, which plain random noise would exceed.

    Args:
        generator: The generator.
    """

    def __init__(self, generator: Generator) -> None:
        inputs = [module for module in cast("nn.Module", generator).modules() if isinstance(module, NoiseInput)]
        self.shapes = [(one.resolution, float(one.const.std()) if one.const.numel() > 1 else 0.0) for one in inputs]

    def draw(self, count: int, device: torch.device) -> list[Tensor]:
        """One tensor [count, 1, R, R] a convolution."""
        return [torch.randn(count, 1, side, side, device=device) * spread for side, spread in self.shapes]
