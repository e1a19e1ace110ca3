"""Heads: from a 4x4 map to the codes of some levels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ghbench.ghfeat.network.config import EncoderConfig
from ghbench.ghfeat.network.layout import CodeLevel, Depth

SIDE = 4
QUERIES = 8
"""Weighted means of its map that a head with attention pooling takes."""
_DEPTH_NAMES: dict[Depth, str] = {"deep": "high", "middle": "mid", "shallow": "low", "all": "all"}


class Affine(nn.Module):
    """A factor and an offset for each number.

    Args:
        width: Numbers.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, values: Tensor) -> Tensor:
        """[N, width] to [N, width]."""
        return torch.addcmul(self.bias, self.weight, values)


class AttentionPooling(nn.Module):
    """Weighted means of a map over its positions, the weights by softmax of a 1x1 convolution.

    Args:
        inputs: Channels of the map.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(inputs, QUERIES, 1)

    def forward(self, features: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, QUERIES * inputs]."""
        weights = self.query(features).flatten(2).softmax(dim=2)
        return torch.einsum("nqp,ncp->nqc", weights, features.flatten(2)).flatten(1)


class Head(nn.Module):
    """A vector of the map, a dense layer, and a last layer that is part of the code.

    Args:
        config: Configuration of the encoder.
        levels: Levels that it predicts, in the order of its output.
    """

    def __init__(self, config: EncoderConfig, levels: tuple[CodeLevel, ...]) -> None:
        super().__init__()
        self.levels, self.depth = levels, config.layout.depth(levels[0], config.reading)
        self.rectified = config.rectified
        inputs, channels = config.pyramid_width, config.head_channels
        self.squeeze = None if channels is None else nn.Conv2d(inputs, channels, 1)
        places, channels = SIDE * SIDE, channels or inputs
        self.pool: nn.Module | None = None
        if config.gathering == "attention":
            self.pool, places = AttentionPooling(channels), QUERIES
        width = sum(level.width for level in levels)
        self.dense = nn.Linear(channels * places, width)
        self.norm: nn.Module = nn.BatchNorm1d(width) if config.output == "norm" else Affine(width)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """[N, inputs, 4, 4] to standardised codes by level [N, width], float32 even under autocast."""
        if self.squeeze is not None:
            features = self.squeeze(features)
        vector = features.flatten(1) if self.pool is None else self.pool(features)
        if self.rectified:
            vector = functional.relu(vector)
        found = self.norm(self.dense(vector).float())
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
            name: tuple(level for level in layout.levels if layout.depth(level, config.reading) == depth)
            for depth, name in _DEPTH_NAMES.items()
        }
    return nn.ModuleDict({name: Head(config, levels) for name, levels in groups.items() if levels})
