"""Feature maps of a network as one differentiable module: for perceptual losses, and for contrasting changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class StageMaps(nn.Module):
    """Maps of several stages, normalised to unit length at each position, concatenated in one row.

    Unit length removes the scale of the weights (Zhang et al. 2018, equation 1). Maps are weighted such that the mean
    squared difference of two rows is the mean over stages of the squared distance at a position, whatever the size of a
    stage.

    Args:
        stages: Consecutive parts of the network; the output of each is a stage.
        mean: Mean that is subtracted from images in [0, 1], by channel.
        std: Standard deviation they are divided by.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, stages: Sequence[nn.Module], mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Images [N, 3, R, R] in [-1, 1] to the stages' maps, each [N, C, H, W]."""
        features = ((images + 1) / 2 - self.mean) / self.std
        found: list[Tensor] = []
        for stage in self.stages:
            features = stage(features)
            found.append(features.float())
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 3, R, R] in [-1, 1] to features [N, D]."""
        maps = [functional.normalize(one, dim=1, eps=1e-6) for one in self.maps(images)]
        total = sum(found[0].numel() for found in maps)
        rows = [(found * (total / (len(maps) * found.shape[2] * found.shape[3])) ** 0.5).flatten(1) for found in maps]
        return torch.cat(rows, dim=1)


class PlainMaps(StageMaps):
    """The same maps as they are, one for each stage."""

    def forward(self, images: Tensor) -> list[Tensor]:  # type: ignore[override]
        """Images [N, 3, R, R] in [-1, 1] to the stages' maps, each [N, C, H, W]."""
        return self.maps(images)


class MethodMaps(nn.Module):
    """What a network's method `maps` returns.

    Args:
        network: The network; images go to it as they are.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images [N, 3, R, R] in [-1, 1] to maps, each [N, C, H, W]."""
        found: list[Tensor] = self.network.maps(images)
        return found
