"""Parts shared by the synthesis networks: noise, and taps that read or replace a level's output."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ghbench.generators.protocol import Noise

MODES = frozenset({"const", "random", "none"})


class NoiseInput(nn.Module):
    """A noise image added to all channels, with a learned strength (Karras et al. 2019, section 2).

    Args:
        resolution: Resolution of the noise.
        channels: Number of strengths: 1 (StyleGAN2), or one a channel (StyleGAN1).
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
            noise: Kind of noise.
            row: This layer's index in a list of noise tensors.

        Raises:
            ValueError: The kind is unknown, or the tensor has the wrong shape.
        """
        added = self.contribution(features, noise, row)
        return features if added is None else features + added

    def contribution(self, features: Tensor, noise: Noise, row: int, gain: float = 1.0) -> Tensor | None:
        """The term to add to features [N, C, R, R], times `gain`: [1 or N, 1 or C, R, R], or None."""
        image = self._noise_map(features, noise, row)
        return None if image is None else (image * (self.strength * gain)[:, None, None]).to(features.dtype)

    def _noise_map(self, features: Tensor, noise: Noise, row: int) -> Tensor | None:
        side = self.resolution
        if isinstance(noise, str):
            if noise not in MODES:
                raise ValueError(f"noise is {noise!r}; expected const, random, none or a list of tensors")
            if noise == "random":
                return torch.randn(features.shape[0], 1, side, side, device=features.device)
            return self.const[None, None] if noise == "const" else None
        image = noise[row]
        if image is not None and image.shape[1:] != (1, side, side):
            raise ValueError(f"noise {row} is {tuple(image.shape)}; expected [1 or N, 1, {side}, {side}]")
        return image


class LevelReached(Exception):  # noqa: N818 - a way to stop, not an error
    """Ends a synthesis at the requested level."""


@dataclass(slots=True)
class LevelTap:
    """Reads and replaces outputs of levels during a synthesis.

    Args:
        stop_at: Level after which to stop.
        replacements: Outputs to use instead of the computed ones.
        wanted: Levels whose outputs to keep.
        reached: The output of `stop_at`.
        kept: The outputs of `wanted`.
    """

    stop_at: str | None = None
    replacements: Mapping[str, Tensor] = field(default_factory=dict)
    wanted: Collection[str] = ()
    reached: Tensor | None = None
    kept: dict[str, Tensor] = field(default_factory=dict)

    def __call__(self, name: str, output: Tensor) -> Tensor:
        """The output [N, C, R, R] of a level, possibly replaced."""
        output = self.replacements.get(name, output)
        if name in self.wanted:
            self.kept[name] = output
        if name == self.stop_at:
            self.reached = output
            raise LevelReached
        return output
