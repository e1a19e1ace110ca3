"""What a generator is: mapping, synthesis, and style codes by level, as a Protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor

from ghbench.generators.levels import GeneratorLevel

Noise = Literal["const", "random", "none"] | Sequence[Tensor | None]
"""Stored noise, random noise, no noise, or one [1 or N, 1, R, R] tensor a convolution (None: no noise there)."""


@runtime_checkable
class Generator(Protocol):
    """A generator with levels.

    W+ is a float tensor [N, rows, w_dim], one row for each style layer. Images are float [N, 3, R, R], nominally in
    [-1, 1] and not clipped.
    """

    @property
    def z_dim(self) -> int:
        """Dimensions of z."""
        ...

    @property
    def levels(self) -> tuple[GeneratorLevel, ...]:
        """All levels in the network's order, coarse to fine."""
        ...

    @property
    def w_mean(self) -> Tensor:
        """Mean of w [w_dim], the centre of truncation."""
        ...

    def mapping(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """Map z [N, z_dim] to W+ [N, rows, w_dim], truncated by psi."""
        ...

    def synthesis(self, ws: Tensor, *, noise: Noise = "const") -> Tensor:
        """Make images from W+, or from w [N, w_dim] repeated for all rows."""
        ...

    def style_codes(self, ws: Tensor, *, raw: bool = False) -> dict[str, Tensor]:
        """Style codes by level, each [N, code_width].

        Codes are canonical unless `raw`: factors that cancel in the image are divided out, so that one image has one
        code. Raw ones are what the affine layers give, and may be wider.
        """
        ...

    def synthesis_from_styles(self, codes: Mapping[str, Tensor], *, noise: Noise = "const") -> Tensor:
        """Make images from style codes, raw or canonical."""
        ...

    def features(self, ws: Tensor, level: str, *, noise: Noise = "const") -> Tensor:
        """The output of a level [N, channels, resolution, resolution]."""
        ...
