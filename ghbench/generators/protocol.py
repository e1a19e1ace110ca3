"""What a generator is: mapping, synthesis, style codes by level. Nothing to inherit; satisfy the Protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor

from ghbench.generators.levels import GeneratorLevel

Noise = Literal["const", "random", "none"] | Sequence[Tensor | None]
"""The stored noise, fresh noise, no noise, or one [1 or N, 1, R, R] tensor a convolution (None: no noise there)."""


@runtime_checkable
class Generator(Protocol):
    """A generator that can be walked level by level.

    W+ is a float tensor [N, rows, w_dim], one row for each style layer. Pictures are float [N, 3, R, R], nominally in
    [-1, 1] and not clipped.
    """

    @property
    def z_dim(self) -> int:
        """Numbers of z."""
        ...

    @property
    def levels(self) -> tuple[GeneratorLevel, ...]:
        """All levels in the order in which the network runs through them, coarse to fine."""
        ...

    @property
    def w_mean(self) -> Tensor:
        """Mean of w [w_dim], the centre of truncation."""
        ...

    def mapping(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """Map z [N, z_dim] to W+ [N, rows, w_dim], truncated by psi."""
        ...

    def synthesis(self, ws: Tensor, *, noise: Noise = "const") -> Tensor:
        """Make pictures from W+, or from w [N, w_dim] for all rows."""
        ...

    def style_codes(self, ws: Tensor, *, raw: bool = False) -> dict[str, Tensor]:
        """Style codes by level, each [N, code_width].

        Codes are canonical unless `raw`: what cancels in the picture is divided out, so that it cannot differ between
        codes of one picture.
        """
        ...

    def synthesis_from_styles(self, codes: Mapping[str, Tensor], *, noise: Noise = "const") -> Tensor:
        """Make pictures from style codes, raw or canonical."""
        ...

    def features(self, ws: Tensor, level: str, *, noise: Noise = "const") -> Tensor:
        """The output of a level [N, channels, resolution, resolution]."""
        ...
