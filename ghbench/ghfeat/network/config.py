"""What an encoder must know to be built, as one frozen value that its weights file carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from ghbench.errors import DataError, UsageError
from ghbench.ghfeat.network.layout import CodeLayout

Padding = Literal["symmetric", "same"]
Blocks = Literal["paper", "plain"]
Heads = Literal["three", "level"]

UNITS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Residual units of the first four stages by depth (He et al. 2016, table 1)."""

LARGEST = 4096
"""Largest side of pictures; no known generator's is larger."""


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Everything about an encoder's architecture; the defaults are the paper's.

    Args:
        layout: The codes it predicts.
        size: Side of its pictures, a power of two from 32 up.
        depth: Layers of the residual trunk: 18, 34, 50 or 101.
        width: Multiplier on the trunk's channels.
        pyramid_width: Channels of the feature pyramid.
        alignment: Whether there is a Spatial Alignment Module; without, maps are only pooled to the deepest one's size.
        heads: `three`, one for each pyramid map, or one for each `level`.
        head_channels: Channels to which a 1x1 convolution squeezes a map before a head flattens it; None for no such
            convolution.
        blocks: `paper`: convolutions have biases, the stem is a leaky rectifier, blocks of two 3x3 convolutions
            normalise after the rectifier; `plain`: He et al. 2016, whose norms fold into the convolutions.
        padding: `same` pads as TensorFlow does, which official weights need.

    Raises:
        UsageError: A value that no encoder can be built with.
    """

    layout: CodeLayout
    size: int = 256
    depth: int = 50
    width: float = 1.0
    pyramid_width: int = 512
    alignment: bool = True
    heads: Heads = "three"
    head_channels: int | None = None
    blocks: Blocks = "paper"
    padding: Padding = "symmetric"

    def __post_init__(self) -> None:
        if not 32 <= self.size <= LARGEST or self.size & (self.size - 1):
            raise UsageError(f"encoder for pictures of {self.size} px; expected 32, 64, 128, ... up to {LARGEST}")
        if self.depth not in UNITS:
            raise UsageError(f"encoder of depth {self.depth}; expected {', '.join(map(str, UNITS))}")
        if not 0 < self.width <= 16 or self.pyramid_width < 1 or (self.head_channels or 1) < 1:
            raise UsageError("encoder widths must be positive, the trunk's multiplier at most 16")
        for name, known in (("heads", Heads), ("blocks", Blocks), ("padding", Padding)):
            if getattr(self, name) not in get_args(known):
                raise UsageError(
                    f"encoder with {name}={getattr(self, name)!r}; expected {' or '.join(get_args(known))}"
                )

    @property
    def extra_stages(self) -> int:
        """Stages beyond the fourth that halve the map until it is 4x4: one at 256 px (the paper's sixth map)."""
        return max(0, self.size.bit_length() - 8)

    @property
    def stem_reduction(self) -> int:
        """How much smaller the first stage's map is than the picture: 4 from 128 px up, 2 at 64 px, 1 at 32 px.

        Four stages then end at 4x4 for all three, and an encoder for 64 px has the very weights of one for 128 px.
        """
        return min(4, self.size // 32)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return values | {"layout": self.layout.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EncoderConfig:
        """The configuration that `to_json` described; fields that are left out have their defaults.

        Raises:
            DataError: It is no such description.
        """
        try:
            return cls(**{**value, "layout": CodeLayout.from_json(value["layout"])})
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise DataError(f"an unreadable description of an encoder: {error}", fix="get the weights again") from error


def paper(layout: CodeLayout, size: int = 256, **changes: Any) -> EncoderConfig:
    """The paper's encoder: ResNet-50-like trunk, pyramid of 512 channels, three heads."""
    return EncoderConfig(layout, size, **changes)


def compact(layout: CodeLayout, size: int = 128, **changes: Any) -> EncoderConfig:
    """The encoder for small machines: ResNet-18 trunk, pyramid of 128 channels, a head a level from 16 channels."""
    values: dict[str, Any] = {
        "depth": 18, "pyramid_width": 128, "heads": "level", "head_channels": 16, "blocks": "plain", **changes
    }  # fmt: skip
    return EncoderConfig(layout, size, **values)
