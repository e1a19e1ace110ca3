"""An encoder's architecture as one frozen value, which is stored in its weights file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from ghbench.errors import DataError, UsageError
from ghbench.ghfeat.network.layout import CodeLayout

Padding = Literal["symmetric", "same"]
Blocks = Literal["paper", "plain"]
Heads = Literal["three", "level"]
Output = Literal["norm", "affine"]
Reading = Literal["row", "resolution"]
Gathering = Literal["flatten", "attention"]

UNITS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Residual units of the first four stages by depth (He et al. 2016, table 1)."""

LARGEST = 4096
"""Largest side of images; no known generator draws larger ones."""


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """An encoder's architecture; the defaults are the paper's.

    Args:
        layout: The codes it predicts.
        size: Side of its images, a power of two, at least 32.
        depth: Layers of the residual trunk: 18, 34, 50 or 101.
        width: Multiplier on the trunk's channels.
        pyramid_width: Channels of the feature pyramid.
        alignment: Whether to use a Spatial Alignment Module; without it, maps are only pooled to the deepest one's
            size.
        heads: `three`, one for each pyramid map, or one for each `level`.
        head_channels: Channels to which a 1x1 convolution reduces a map before a head flattens it; None for no such
            convolution.
        blocks: `paper`: convolutions have biases, the stem uses a leaky ReLU, blocks of two 3x3 convolutions normalise
            after the activation; `plain`: He et al. 2016, whose norms fold into the convolutions.
        padding: `same` pads as TensorFlow does, which the official weights need.
        output: The last layer of a head: batch `norm`, or `affine`, which does not depend on other images.
        reading: Map that a level's head reads: by its `row` in W+, as in the paper, or the map of its `resolution`.
        gathering: How a head makes a vector of its map: `flatten`, or `attention` pooling.
        rectified: Whether a head has a ReLU before its dense layer.

    Raises:
        UsageError: An invalid value.
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
    output: Output = "norm"
    reading: Reading = "row"
    gathering: Gathering = "flatten"
    rectified: bool = False

    def __post_init__(self) -> None:
        if not 32 <= self.size <= LARGEST or self.size & (self.size - 1):
            raise UsageError(f"encoder for images of {self.size} px; expected 32, 64, 128, ... up to {LARGEST}")
        if self.depth not in UNITS:
            raise UsageError(f"encoder of depth {self.depth}; expected {', '.join(map(str, UNITS))}")
        if not 0 < self.width <= 16 or self.pyramid_width < 1 or (self.head_channels or 1) < 1:
            raise UsageError("encoder widths must be positive, and the trunk's multiplier at most 16")
        for name, known in (
            ("heads", Heads), ("blocks", Blocks), ("padding", Padding), ("output", Output), ("reading", Reading),
            ("gathering", Gathering),
        ):  # fmt: skip
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
        """Image side over the side of the first stage's map: 4 from 128 px up, 2 at 64 px, 1 at 32 px.

        Four stages then end at 4x4 for all three sizes, and an encoder for 64 px has weights of the same shapes as one
        for 128 px.
        """
        return min(4, self.size // 32)

    def to_json(self) -> dict[str, Any]:
        """The configuration as JSON values."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return values | {"layout": self.layout.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EncoderConfig:
        """The inverse of `to_json`; fields that are left out take their defaults.

        Raises:
            DataError: An invalid description.
        """
        try:
            # Files of a development version say how many channels images have.
            known = {name: entry for name, entry in value.items() if (name, entry) != ("inputs", 3)}
            return cls(**{**known, "layout": CodeLayout.from_json(value["layout"])})
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise DataError(f"invalid description of an encoder: {error}", fix="get the weights again") from error


def paper(layout: CodeLayout, size: int = 256, **changes: Any) -> EncoderConfig:
    """The paper's encoder: ResNet-50-like trunk, pyramid of 512 channels, three heads."""
    return EncoderConfig(layout, size, **changes)


def compact(layout: CodeLayout, size: int = 128, **changes: Any) -> EncoderConfig:
    """The encoder for small machines: ResNet-18 trunk, pyramid of 128 channels, a head per level on 16 channels.

    Its heads read the map of their level's resolution, rectify it, and end in an affine layer.
    """
    values: dict[str, Any] = {
        "depth": 18, "pyramid_width": 128, "heads": "level", "head_channels": 16, "blocks": "plain",
        "output": "affine", "reading": "resolution", "rectified": True, **changes,
    }  # fmt: skip
    return EncoderConfig(layout, size, **values)
