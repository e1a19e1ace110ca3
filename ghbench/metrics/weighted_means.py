"""Means over records whose units are resampled, of all bootstrap draws at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def mean_replicates(
    values: Mapping[str, NDArray[Any]],
    unit: NDArray[np.int64],
    multiplicity: Floats,
    metrics: Collection[str] | None = None,
) -> dict[tuple[str, str | None], Floats]:
    """The mean of each metric in every bootstrap draw, see `ghbench.task_abilities.Replicating`.

    Records of one unit always weigh the same, so each unit's values are summed once, and a draw is a matrix product.

    Args:
        values: By metric what is averaged, [N] or [N, M] of M values a record; NaN does not count.
        unit: int64 [N] unit of each record.
        multiplicity: float64 [B, U] how often each draw holds each unit.
        metrics: Names of the metrics wanted, None for all.

    Returns:
        By (metric, None) float64 [B], NaN for a draw without a value.
    """
    found: dict[tuple[str, str | None], Floats] = {}
    for name, value in values.items():
        if metrics is not None and name not in metrics:
            continue
        table = np.asarray(value, np.float64).reshape(len(unit), -1)
        counted = ~np.isnan(table)
        of_units = np.stack([
            np.bincount(unit, part.sum(axis=1), multiplicity.shape[1])
            for part in (np.where(counted, table, 0), counted)
        ], axis=1)  # fmt: skip
        with np.errstate(invalid="ignore"):
            found[name, None] = np.divide(*(multiplicity @ of_units).T)
    return found
