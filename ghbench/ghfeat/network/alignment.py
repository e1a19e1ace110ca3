"""Spatial alignment: pyramid maps of different sizes pooled to the 4x4 of the deepest, which is added."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ghbench.ghfeat.network.pyramid import Maps


def pool_maps(maps: Maps) -> Maps:
    """Average-pool three maps to the side of the deepest."""
    shallow, middle, deep = maps
    return functional.avg_pool2d(shallow, 4), functional.avg_pool2d(middle, 2), deep


class SpatialAlignment(nn.Module):
    """GH-Feat's Spatial Alignment Module: pool, convolve each map with its own 3x3 kernel, add the deepest result.

    Args:
        width: Channels of the maps.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fuse = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(3))

    def forward(self, maps: Maps) -> Maps:
        """Pyramid maps to three of [N, width, 4, 4]."""
        shallow, middle, deep = (conv(features) for conv, features in zip(self.fuse, pool_maps(maps), strict=True))
        return shallow + deep, middle + deep, deep


class PoolingOnly(nn.Module):
    """Replaces the module in the ablation: pools the maps to the same shape and does nothing else.

    Heads see 4x4 maps in both cases, so the two encoders differ by the module alone.
    """

    def forward(self, maps: Maps) -> Maps:
        """Pyramid maps to three of [N, width, 4, 4]."""
        return pool_maps(maps)


def mean_map(maps: Maps) -> Tensor:
    """The mean of the three maps, for a code that belongs to no depth."""
    return (maps[0] + maps[1] + maps[2]) / 3
