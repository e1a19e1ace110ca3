"""The moving average of a network's weights, used after training."""

from __future__ import annotations

import copy

import torch
from torch import nn


class MovingAverage:
    """Exponential moving average of a module's parameters; buffers are copied.

    Source: Karras et al., "Progressive Growing of GANs", 2018, section 6; the half-life in images and its growth from
    zero at the start as in Karras et al. 2020.

    Args:
        source: The trained module.
        half_life: Half-life in images.
        ramp: Upper bound of the half-life as a fraction of the images shown so far.
    """

    def __init__(self, source: nn.Module, half_life: float, ramp: float = 0.05) -> None:
        self.source = source
        self.module = copy.deepcopy(source).eval().requires_grad_(requires_grad=False)
        self.half_life, self.ramp = half_life, ramp

    @torch.no_grad()
    def update(self, images_shown: int, batch: int) -> None:
        """Update with the weights after a step of `batch` images."""
        half_life = max(min(self.half_life, images_shown * self.ramp), 1e-8)
        decay = 0.5 ** (batch / half_life)
        targets = [parameter.detach() for parameter in self.module.parameters()]
        sources = [parameter.detach() for parameter in self.source.parameters()]
        torch._foreach_lerp_(targets, sources, 1.0 - decay)
        for target, buffer in zip(self.module.buffers(), self.source.buffers(), strict=True):
            target.copy_(buffer)
