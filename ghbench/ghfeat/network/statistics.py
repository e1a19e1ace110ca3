"""Mean, standard deviation and principal components of a generator's codes, in any space that an encoder predicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
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


@torch.no_grad()
def principal_components(
    generator: Generator,
    layout: CodeLayout,
    statistics: Mapping[str, CodeStatistics],
    count: int,
    *,
    samples: int = 10_000,
    seed: int = 0,
) -> Tensor:
    """Leading principal components of standardised codes over random z, all levels beside one another.

    Args:
        generator: The generator.
        layout: Layout of the codes.
        statistics: Mean and standard deviation of the codes by level.
        count: Components.
        samples: Draws of z.
        seed: Seed of the draws.

    Returns:
        float32 [numbers of all codes, count], orthonormal columns.
    """
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(samples, generator.z_dim, generator=random).to(generator.w_mean.device)
    codes = layout.codes(generator, generator.mapping(z))
    parts = []
    for level in layout.levels:
        found = statistics[level.name]
        mean, deviation = found.mean.to(z.device), found.deviation.to(z.device)
        parts.append(torch.where(deviation > 0, (codes[level.name] - mean) / deviation.clamp_min(1e-12), 0.0))
    units = torch.cat(parts, dim=1)
    vectors: Tensor = torch.linalg.eigh(units.T @ units / samples).eigenvectors
    return vectors.flip(1)[:, :count].contiguous()
