"""What the synthesis networks share: noise, and looking at or replacing the output of a level."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ghbench.generators.protocol import Noise

MODES = frozenset({"const", "random", "none"})


class NoiseInput(nn.Module):
    """A noise picture added to all channels, with a learned strength (Karras et al. 2019, section 2).

    Args:
        resolution: Side of the picture.
        channels: Strengths: 1 for one strength in all (StyleGAN2), or one a channel (StyleGAN1).
    """

    const: Tensor

    def __init__(self, resolution: int, channels: int = 1) -> None:
        super().__init__()
        self.resolution = resolution
        self.strength = nn.Parameter(torch.zeros(channels))
        self.register_buffer("const", torch.randn(resolution, resolution))

    def forward(self, features: Tensor, noise: Noise, row: int) -> Tensor:
        """Add noise to features [N, C, R, R].

        Args:
            features: Output of the convolution.
            noise: Which noise.
            row: This layer's place in a list of explicit noises.

        Raises:
            ValueError: Unknown mode, or an explicit noise of another size.
        """
        added = self.added(features, noise, row)
        return features if added is None else features + added

    def added(self, features: Tensor, noise: Noise, row: int, gain: float = 1.0) -> Tensor | None:
        """What is added to the features [N, C, R, R], times `gain`: [1 or N, 1 or C, R, R], None for nothing."""
        picture = self._picture(features, noise, row)
        return None if picture is None else (picture * (self.strength * gain)[:, None, None]).to(features.dtype)

    def _picture(self, features: Tensor, noise: Noise, row: int) -> Tensor | None:
        side = self.resolution
        if isinstance(noise, str):
            if noise not in MODES:
                raise ValueError(f"noise is {noise!r}; expected const, random, none or a list of tensors")
            if noise == "random":
                return torch.randn(features.shape[0], 1, side, side, device=features.device)
            return self.const[None, None] if noise == "const" else None
        picture = noise[row]
        if picture is not None and picture.shape[1:] != (1, side, side):
            raise ValueError(f"noise {row} is {tuple(picture.shape)}; expected [1 or N, 1, {side}, {side}]")
        return picture


class LevelReached(Exception):  # noqa: N818 - a way to stop, not an error
    """Ends a synthesis at the level that was asked for."""


@dataclass(slots=True)
class LevelTap:
    """Looks at the outputs of levels while a synthesis runs, and replaces some.

    Args:
        stop_at: Level after which the synthesis can stop.
        replacements: Outputs used instead of computed ones.
        wanted: Levels whose outputs are kept.
        reached: The output of `stop_at`.
        kept: The outputs of `wanted`.
    """

    stop_at: str | None = None
    replacements: Mapping[str, Tensor] = field(default_factory=dict)
    wanted: Collection[str] = ()
    reached: Tensor | None = None
    kept: dict[str, Tensor] = field(default_factory=dict)

    def __call__(self, name: str, output: Tensor) -> Tensor:
        """Pass on the output [N, C, R, R] of a level."""
        output = self.replacements.get(name, output)
        if name in self.wanted:
            self.kept[name] = output
        if name == self.stop_at:
            self.reached = output
            raise LevelReached
        return output
