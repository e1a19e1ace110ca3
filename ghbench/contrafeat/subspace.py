"""Axes of a generator's latent space: principal components of w (GANSpace), and those that change codes most (SeFa)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from ghbench.errors import UsageError
from ghbench.generators.protocol import Generator

SAMPLES, BATCH = 100_000, 5_000


@dataclass(frozen=True, slots=True)
class PrincipalAxes:
    """Principal components of w, the largest first.

    Args:
        axes: Orthonormal rows [D, D]; the largest entry of each is positive.
        deviations: Standard deviation of w along each [D].
    """

    axes: Tensor
    deviations: Tensor


@torch.no_grad()
def principal_axes(generator: Generator, *, samples: int = SAMPLES, seed: int = 0) -> PrincipalAxes:
    """Principal components of w over random z at psi 1 (Harkonen et al. 2020, GANSpace, section 2.1).

    The covariance of all samples is decomposed exactly, in float64.

    Args:
        generator: The generator.
        samples: Draws of z.
        seed: Seed of the draws.
    """
    random = torch.Generator().manual_seed(seed)
    device = generator.w_mean.device
    width = generator.w_mean.numel()
    total, products = torch.zeros(width, dtype=torch.float64), torch.zeros(width, width, dtype=torch.float64)
    for start in range(0, samples, BATCH):
        z = torch.randn(min(BATCH, samples - start), generator.z_dim, generator=random).to(device)
        w = (generator.mapping(z)[:, 0] - generator.w_mean).double().cpu()
        total += w.sum(dim=0)
        products += w.T @ w
    mean = total / samples
    values, vectors = torch.linalg.eigh(products / samples - torch.outer(mean, mean))
    return PrincipalAxes(turned(vectors.flip(1).T).float(), values.flip(0).clamp_min(0).sqrt().float())


def sefa_axes(generator: Generator, levels: Collection[str] = ()) -> Tensor:
    """Directions in w that change style codes most (Shen and Zhou 2021, SeFa, equation 4), the largest first.

    The rows of the affine layers' weights are scaled to unit length and joined; their right singular vectors are
    returned. Where a canonical code is not affine in w (demodulated layers, wavelet steps), its derivative at the mean
    w takes the place of the weights.

    Args:
        generator: The generator.
        levels: Names of the levels whose codes count; empty for all.

    Returns:
        Orthonormal rows [D, D], float32; the largest entry of each is positive.

    Raises:
        UsageError: There is no such level.
    """
    known = [level.name for level in generator.levels]
    wrong = sorted(set(levels) - set(known))
    if wrong:
        raise UsageError(f"no level {wrong[0]!r}; levels: {', '.join(known)}")
    width = generator.w_mean.numel()
    products = torch.zeros(width, width, dtype=torch.float64)
    for name in levels or known:
        slopes = code_slopes(generator, name)
        units = slopes / slopes.norm(dim=1, keepdim=True).clamp_min(1e-12)
        products += units.T @ units
    return turned(torch.linalg.eigh(products).eigenvectors.flip(1).T).float()


def code_slopes(generator: Generator, level: str) -> Tensor:
    """Derivative of a level's canonical code by w, at the mean w: [width, D], float64."""
    rows = max(one.layer for one in generator.levels) + 1

    def code(w: Tensor) -> Tensor:
        return generator.style_codes(w.expand(1, rows, -1))[level][0]

    slopes: Tensor = torch.func.jacfwd(code)(generator.w_mean.detach())
    return slopes.double().cpu()


def turned(rows: Tensor) -> Tensor:
    """Rows with their largest entry positive: eigenvectors have no sign of their own."""
    largest = rows.gather(1, rows.abs().argmax(dim=1, keepdim=True))
    return rows * largest.sign()
