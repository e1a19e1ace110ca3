"""From records of reconstructions to metrics: each is a ratio of two weighted sums, so any bootstrap is exact."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.metrics.image import psnr_of_mse
from ghbench.task import Score

Floats = NDArray[np.float64]
DISTANCE, ERROR = "distance:", "distance-error:"
"""Beginnings of columns that hold one number of a whole set."""
CODE_ERROR, CODE_SPREAD = "code-error:", "code-spread:"
"""Beginnings of columns that make up R2 of the code at a level."""


@dataclass(frozen=True)
class _Ratio:
    """A metric: sum of weight x above over sum of weight x below; both float64 [N]."""

    metric: str
    above: Floats
    below: Floats
    unit: str = "fraction"
    higher_is_better: bool = False
    one_minus: bool = False

    def of(self, weight: Floats) -> Floats:
        """Values for weights [N] or [B, N]."""
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = (weight @ self.above) / (weight @ self.below)
        value: Floats = np.asarray(1 - ratio if self.one_minus else ratio)
        return value


def scores(records: pd.DataFrame, weight: Floats | None) -> list[Score]:
    """All metrics of records, see `ghbench.task.Task.score`."""
    found: list[Score] = []
    for level, rows in by_level(records):
        table = records.iloc[rows]
        part = np.ones(len(rows)) if weight is None else weight[rows]
        found += [
            Score(ratio.metric, float(ratio.of(part)), ratio.unit, ratio.higher_is_better, level)
            for ratio in _ratios(table)
        ]
        found += _distances(table, level)
    return found


def replicates(
    records: pd.DataFrame, multiplicity: Floats, metrics: Collection[str] | None
) -> Mapping[tuple[str, str | None], Floats]:
    """The metrics of every bootstrap draw, see `ghbench.task.Replicating`."""
    found: dict[tuple[str, str | None], Floats] = {}
    _, code = np.unique(records["unit"].to_numpy(), return_inverse=True)
    for level, rows in by_level(records):
        table, unit = records.iloc[rows], code[rows]
        for ratio in _ratios(table):
            if metrics is not None and ratio.metric not in metrics:
                continue
            # Pictures of one unit always weigh the same, so they are added up once.
            above, below = (
                np.bincount(unit, part, multiplicity.shape[1]).astype(np.float64) for part in (ratio.above, ratio.below)
            )
            found[ratio.metric, level] = replace(ratio, above=above, below=below).of(multiplicity)
    return found


def by_level(records: pd.DataFrame) -> Sequence[tuple[str | None, NDArray[np.intp]]]:
    """Rows of each level; one group without a level unless levels were judged one by one."""
    if not len(pd.Categorical(records["level"]).categories):
        return [(None, np.arange(len(records)))]
    order = pd.unique(records["level"])
    return [(str(level), np.flatnonzero(records["level"] == level)) for level in order]


def _ratios(table: pd.DataFrame) -> list[_Ratio]:
    columns = {name: table[name].to_numpy(dtype=np.float64) for name in table.columns if name not in _NO_NUMBERS}
    found: list[_Ratio] = []
    for name, values in columns.items():
        base = _BASE.split(name, 1)[0]
        if base in _MEANS:
            unit, higher = _MEANS[base]
            found.append(_mean(name, values, unit, higher_is_better=higher))
        if base == "mse":
            told = "psnr" + name.removeprefix(base)
            found.append(_mean(told, psnr_of_mse(values), "dB", higher_is_better=True))
        elif base == SEAM:
            found.append(_Ratio(name, values, columns[CLEAN_SEAM], "ratio"))
        elif name.startswith(CODE_ERROR):
            level = name.removeprefix(CODE_ERROR)
            spread = columns[CODE_SPREAD + level]
            found.append(_Ratio(f"code-r2[{level}]", values, spread, higher_is_better=True, one_minus=True))
    # The answer itself first, then what stands beside it.
    return sorted(found, key=lambda ratio: (_is_beside(ratio), _ORDER.index(_BASE.split(ratio.metric, 1)[0])))


SEAM, CLEAN_SEAM = "seam-ratio", "clean-seam"
"""Columns of the step across the edge of a mask: in an answer, and in the true picture."""
_BASE = re.compile(r"[.\[]")
"""Where the name of a metric ends and begins to say of what."""
_NO_NUMBERS = {"level", "row", "unit"}
_SQUARED = "squared, of [-1, 1]"
_MEANS = {
    "mse": (_SQUARED, False),
    "fmse": (_SQUARED, False),
    "bmse": (_SQUARED, False),
    "ssim": ("fraction", True),
    "perceptual": ("squared distance", False),
    "content": ("cosine", True),
    "same-person": ("fraction", True),
}
"""Unit and direction of what is a plain mean over pictures."""
_NAMED_BY_NETWORK = {"perceptual", "same-person", "code-r2"}
_ORDER = ("mse", "fmse", "bmse", "psnr", "ssim", SEAM, "content", "perceptual", "same-person", "code-r2")


def _is_beside(ratio: _Ratio) -> bool:
    base, *rest = _BASE.split(ratio.metric, 1)
    return bool(rest) and base not in _NAMED_BY_NETWORK


def _mean(metric: str, values: Floats, unit: str = "fraction", *, higher_is_better: bool = False) -> _Ratio:
    defined = ~np.isnan(values)
    return _Ratio(metric, np.where(defined, values, 0.0), defined.astype(np.float64), unit, higher_is_better)


def _distances(table: pd.DataFrame, level: str | None) -> list[Score]:
    found = []
    for column in table.columns:
        if not column.startswith(DISTANCE):
            continue
        name = column.removeprefix(DISTANCE)
        value, error = (float(table[prefix + name].iloc[0]) for prefix in (DISTANCE, ERROR))
        found.append(Score(name, value, "distance", higher_is_better=False, level=level, standard_error=_known(error)))
    return found


def _known(error: float) -> float | None:
    return None if np.isnan(error) else error
