"""Learned images, one for each direction, whose features show what the direction changes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SPREAD = 0.01


class Prototypes(nn.Module):
    """Images that start almost grey.

    Args:
        directions: Number of images.
        size: Their side.
        limited: Whether they are limited to [-1, 1] by a hyperbolic tangent.
    """

    def __init__(self, directions: int, size: int, *, limited: bool = True) -> None:
        super().__init__()
        self.pixels = nn.Parameter(torch.randn(directions, 3, size, size) * SPREAD)
        self.limited = limited

    def forward(self) -> Tensor:
        """[K, 3, R, R]."""
        return self.pixels.tanh() if self.limited else self.pixels
