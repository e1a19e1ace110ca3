"""Metrics that are ratios of weighted sums over records: their values, and exact values of many bootstrap draws.

Records are tidy: one row an item, a metric and, where it is about one level, `at`. A metric is
sum(w * above) / sum(w * below) over its rows, so a mean has below = 1, and a set's own number is one row of unit -1.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Key = tuple[str, str]
"""Name of a metric, and the level that it is about or an empty string."""


def item_records(
    metric: str, above: ArrayLike, below: ArrayLike = 1.0, *, row: ArrayLike, unit: ArrayLike, at: str = ""
) -> pd.DataFrame:
    """Records of a metric, one an item.

    Args:
        metric: Its name.
        above: [N] addends of the numerator; items where it is NaN are left out.
        below: [N] addends of the denominator, or one number for all.
        row: int [N] row of each item.
        unit: int [N] unit that each item belongs to.
        at: The level that it is about.

    Returns:
        Columns `row`, `unit`, `metric`, `at`, `above`, `below` and `error`.
    """
    values = np.asarray(above, dtype=np.float64)
    kept = ~np.isnan(values)
    below = np.broadcast_to(np.asarray(below, dtype=np.float64), values.shape)
    return _table(metric, at, np.asarray(row)[kept], np.asarray(unit)[kept], values[kept], below[kept], np.nan)


def set_record(metric: str, value: float, error: float = np.nan) -> pd.DataFrame:
    """The one record of a number that is computed on a whole set, with its standard error; its unit is -1."""
    return _table(metric, "", np.array([-1]), np.array([-1]), np.array([value]), np.ones(1), error)


def merged(tables: Collection[pd.DataFrame]) -> pd.DataFrame:
    """All records as one table: numbers as float32, and names, which repeat in every row, as categories."""
    records = pd.concat(list(tables), ignore_index=True)
    return records.astype({"metric": "category", "at": "category", "above": np.float32, "below": np.float32})


def unit_codes(records: pd.DataFrame) -> tuple[NDArray[np.int64], int]:
    """Units as int64 [N] from 0 up, -1 for records of whole sets; and how many units there are."""
    unit = records["unit"].to_numpy(dtype=np.int64)
    known = np.unique(unit[unit >= 0])
    return np.where(unit < 0, -1, np.searchsorted(known, unit)), len(known)


def ratios(records: pd.DataFrame, weight: Floats | None = None) -> dict[Key, tuple[float, float | None]]:
    """Every metric with its standard error, None where it has none of its own.

    Args:
        records: What `merged` returned.
        weight: float64 [N] weight of each record, None for all ones.

    Returns:
        By metric and level, in the order of the records; NaN where all weights are 0.
    """
    above, below, error = (records[name].to_numpy(dtype=np.float64) for name in ("above", "below", "error"))
    found: dict[Key, tuple[float, float | None]] = {}
    for key, rows in _groups(records):
        part = np.ones(len(rows)) if weight is None else weight[rows]
        known = error[rows[0]]
        value = float(_divided(part @ above[rows], part @ below[rows]))
        found[key] = value, None if np.isnan(known) else float(known)
    return found


def units_behind(records: pd.DataFrame) -> dict[Key, int]:
    """How many units each metric is defined on: those with a record of it whose `below` is not 0.

    Args:
        records: What `merged` returned.
    """
    unit, below = unit_codes(records)[0], records["below"].to_numpy()
    counted = (unit >= 0) & (below != 0)
    return {key: len(np.unique(unit[rows][counted[rows]])) for key, rows in _groups(records)}


def ratio_replicates(
    records: pd.DataFrame, multiplicity: Floats, metrics: Collection[str] | None = None
) -> Mapping[Key, Floats]:
    """The metrics of many bootstrap draws at once.

    Items of one unit always weigh the same, so each unit's addends are summed once, and a draw is a matrix product.

    Args:
        records: What `merged` returned.
        multiplicity: float64 [B, U] how often each draw holds each unit, see `unit_codes`.
        metrics: Names of the metrics wanted, None for all.

    Returns:
        By metric and level float64 [B], equal to `ratios` with the weights of each draw; without numbers of whole sets.
    """
    unit, count = unit_codes(records)
    above, below = (records[name].to_numpy(dtype=np.float64) for name in ("above", "below"))
    found: dict[Key, Floats] = {}
    for key, rows in _groups(records):
        if unit[rows[0]] < 0 or (metrics is not None and key[0] not in metrics):
            continue
        sums = [multiplicity @ np.bincount(unit[rows], part[rows], count).astype(np.float64) for part in (above, below)]
        found[key] = _divided(*sums)
    return found


def _groups(records: pd.DataFrame) -> Iterator[tuple[Key, NDArray[np.intp]]]:
    codes, keys = pd.MultiIndex.from_frame(records[["metric", "at"]]).factorize()
    for code, (metric, at) in enumerate(keys):
        yield (str(metric), str(at)), np.flatnonzero(codes == code)


def _divided(above: Any, below: Any) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(above / below)


def _table(
    metric: str, at: str, row: NDArray[Any], unit: NDArray[Any], above: Floats, below: Floats, error: float
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "row": row.astype(np.int32),
            "unit": unit.astype(np.int32),
            "metric": metric,
            "at": at,
            "above": above,
            "below": below,
            "error": error,
        }
    )
