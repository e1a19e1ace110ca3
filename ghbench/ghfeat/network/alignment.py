"""Spatial alignment: pyramid maps of different sides brought to the deepest one's 4x4 and joined with it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ghbench.ghfeat.network.pyramid import Maps


def pooled(maps: Maps) -> Maps:
    """Three maps average-pooled to the side of the deepest; pooling 2x2 twice is pooling 4x4."""
    shallow, middle, deep = maps
    return functional.avg_pool2d(shallow, 4), functional.avg_pool2d(middle, 2), deep


class SpatialAlignment(nn.Module):
    """GH-Feat's Spatial Alignment Module: pool, a 3x3 convolution of each map's own, add the deepest one's result.

    Args:
        width: Channels of the maps.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fuse = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(3))

    def forward(self, maps: Maps) -> Maps:
        """Pyramid maps to three of [N, width, 4, 4]."""
        shallow, middle, deep = (conv(features) for conv, features in zip(self.fuse, pooled(maps), strict=True))
        return shallow + deep, middle + deep, deep


class PoolingOnly(nn.Module):
    """What remains without the module, for the ablation: maps of the same shape, pooled, neither convolved nor joined.

    Heads see 4x4 maps in both cases, so the two encoders differ by the module alone.
    """

    def forward(self, maps: Maps) -> Maps:
        """Pyramid maps to three of [N, width, 4, 4]."""
        return pooled(maps)


def mean_map(maps: Maps) -> Tensor:
    """The mean of the three maps, for a code that belongs to no depth."""
    return (maps[0] + maps[1] + maps[2]) / 3
