"""IRS (Suter et al. 2019): how little a code moves when all factors but one change."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]
QUANTILE = 0.99
"""The paper takes the largest deviation, a quantile of 1."""


def irs(codes: NDArray[np.floating[Any]], factors: Integers, quantile: float = QUANTILE) -> float:
    """Interventional robustness: mean over codes of the best factor's score, weighed by how far codes reach.

    Args:
        codes: [N, d]; those that never vary are left out, and 0 is returned if none does.
        factors: Numbers of classes [N, K].
        quantile: Of the deviations within a class.
    """
    table = np.asarray(codes, np.float64)
    table = table[:, table.min(axis=0) != table.max(axis=0)]
    if not table.shape[1]:
        return 0.0
    scores, reach = irs_matrix(table, factors, quantile)
    return float((scores.max(axis=1) * reach).sum() / reach.sum())


def irs_matrix(codes: Floats, factors: Integers, quantile: float = QUANTILE) -> tuple[Floats, Floats]:
    """Score [d, K] of each code and factor, and the largest deviation [d] of each code from its mean."""
    reach = np.abs(codes - codes.mean(axis=0)).max(axis=0)
    found = np.empty((codes.shape[1], factors.shape[1]))
    for factor in range(factors.shape[1]):
        off = []
        for value in np.unique(factors[:, factor]):
            mine = codes[factors[:, factor] == value]
            off.append(np.quantile(np.abs(mine - mine.mean(axis=0)), quantile, axis=0))
        found[:, factor] = 1 - np.mean(off, axis=0) / reach
    return found, reach
