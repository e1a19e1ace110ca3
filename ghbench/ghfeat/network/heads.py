"""Heads: from a 4x4 map to the codes of some levels."""

from __future__ import annotations

from torch import Tensor, nn

from ghbench.ghfeat.network.config import EncoderConfig
from ghbench.ghfeat.network.layout import CodeLevel, Depth

SIDE = 4
_DEPTH_NAMES: dict[Depth, str] = {"deep": "high", "middle": "mid", "shallow": "low", "all": "all"}


class Head(nn.Module):
    """Flatten, a dense layer, and a batch norm that is part of the code.

    Args:
        inputs: Channels of the map.
        levels: Levels that it predicts, in the order of its output.
        depth: The map that it reads.
        channels: Channels to which a 1x1 convolution reduces the map first, None for no such convolution.
    """

    def __init__(self, inputs: int, levels: tuple[CodeLevel, ...], depth: Depth, channels: int | None) -> None:
        super().__init__()
        self.levels, self.depth = levels, depth
        self.squeeze = None if channels is None else nn.Conv2d(inputs, channels, 1)
        width = sum(level.width for level in levels)
        self.dense = nn.Linear((channels or inputs) * SIDE * SIDE, width)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """[N, inputs, 4, 4] to standardised codes by level [N, width], float32 even under autocast."""
        if self.squeeze is not None:
            features = self.squeeze(features)
        found = self.norm(self.dense(features.flatten(1)).float())
        parts = found.split([level.width for level in self.levels], dim=1)
        return {level.name: part for level, part in zip(self.levels, parts, strict=True)}


def build_heads(config: EncoderConfig) -> nn.ModuleDict:
    """The heads of an encoder, by name: `high`, `mid`, `low` (or `all`), or the levels' names with `_` for `.`."""
    layout = config.layout
    groups: dict[str, tuple[CodeLevel, ...]]
    if config.heads == "level":
        groups = {level.name.replace(".", "_"): (level,) for level in layout.levels}
    else:
        groups = {
            name: tuple(level for level in layout.levels if layout.depth(level) == depth)
            for depth, name in _DEPTH_NAMES.items()
        }
    return nn.ModuleDict(
        {
            name: Head(config.pyramid_width, levels, layout.depth(levels[0]), config.head_channels)
            for name, levels in groups.items()
            if levels
        }
    )
