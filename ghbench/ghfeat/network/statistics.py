"""Mean and standard deviation of a generator's codes, in any space that an encoder predicts."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ghbench.generators.code_statistics import CodeStatistics, code_statistics
from ghbench.generators.protocol import Generator
from ghbench.ghfeat.network.layout import CodeLayout


@dataclass(frozen=True)
class _InLayout:
    """A generator whose style codes are the codes of a layout; has all that `code_statistics` needs."""

    generator: Generator
    layout: CodeLayout

    @property
    def z_dim(self) -> int:
        return self.generator.z_dim

    @property
    def w_mean(self) -> Tensor:
        return self.generator.w_mean

    def mapping(self, z: Tensor, psi: float = 1.0) -> Tensor:
        return self.generator.mapping(z, psi)

    def style_codes(self, ws: Tensor) -> dict[str, Tensor]:
        return self.layout.codes(self.generator, ws)


def layout_statistics(
    generator: Generator, layout: CodeLayout, *, samples: int = 10_000, psi: float = 1.0, seed: int = 0
) -> dict[str, CodeStatistics]:
    """Mean and standard deviation of a layout's codes by level, over random z; see `code_statistics`."""
    view = _InLayout(generator, layout)
    return code_statistics(view, samples=samples, psi=psi, seed=seed)  # type: ignore[arg-type]
