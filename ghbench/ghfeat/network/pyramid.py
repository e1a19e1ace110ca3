"""GH-Feat's feature pyramid: deep maps are added to shallow ones top-down (Lin et al. 2017)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

Maps = tuple[Tensor, Tensor, Tensor]
"""Three maps [N, C, H, W], shallow to deep, each half the side of the one before."""


class Pyramid(nn.Module):
    """Laterals are 3x3 convolutions (usually 1x1); no norms and no activations.

    Args:
        channels: Channels of the trunk's maps, shallow to deep.
        width: Channels of each output map.
    """

    def __init__(self, channels: tuple[int, int, int], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(count, width, 3, padding=1) for count in channels)
        self.output = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in channels)

    def forward(self, maps: Maps) -> Maps:
        """The trunk's maps to maps of `width` channels and the same sizes."""
        shallow, middle, deep = (lateral(features) for lateral, features in zip(self.lateral, maps, strict=True))
        middle = middle + functional.interpolate(deep, scale_factor=2.0, mode="nearest")
        shallow = shallow + functional.interpolate(middle, scale_factor=2.0, mode="nearest")
        shallow, middle, deep = (
            output(features) for output, features in zip(self.output, (shallow, middle, deep), strict=True)
        )
        return shallow, middle, deep
