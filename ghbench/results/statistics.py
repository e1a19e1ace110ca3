"""Uncertainty: bootstrap over the true unit, paired differences, Holm's correction, ranks that respect noise."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.results.schema import MetricValue
from ghbench.task import Replicating, Score, Task

Floats = NDArray[np.float64]
Replicates = Mapping[tuple[str, str | None], Floats]
DRAWS = 2000
CONFIDENCE = 0.95
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference of two systems on the same records.

    Args:
        value: First minus second.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p_value: Two-sided; normal tail of value over its bootstrap standard error.
    """

    value: float
    low: float
    high: float
    p_value: float


def multiplicities(units: int, draws: int = DRAWS, seed: int = 0) -> Floats:
    """Bootstrap draws: how often each unit is drawn when as many units are drawn as there are.

    The same seed gives the same draws for every system, which is what makes differences paired.

    Returns:
        float64 [draws, units], rows sum to `units`.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, units]))
    return rng.multinomial(units, np.full(units, 1 / units), size=draws).astype(np.float64)


def replicates(
    task: Task,
    records: pd.DataFrame,
    *,
    metrics: Collection[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Replicates:
    """Score every bootstrap draw over the task's units.

    Args:
        task: Gives `units` and `score`.
        records: What the task's `evaluate` returned.
        metrics: Names of the metrics wanted, None for all.
        draws: Number of draws.
        seed: Seed of the draws.

    Returns:
        By (metric, level) a float64 [draws].
    """
    units = task.units(records)
    counts = multiplicities(units.count, draws, seed)
    if isinstance(task, Replicating):
        return task.score_replicates(records, counts, metrics)
    found: dict[tuple[str, str | None], Floats] = {}
    for row, count in enumerate(counts):
        for score in task.score(records, units.weights(count)):
            # A draw that lacks a metric leaves a gap, so that the draws of two systems stay side by side.
            found.setdefault((score.metric, score.level), np.full(draws, np.nan))[row] = score.value
    return found


def interval(values: Floats, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Percentile interval of bootstrap replicates; draws that leave the metric undefined are left out.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.

    Returns:
        Lower and upper end, NaN where no draw defines the metric.
    """
    defined = values[np.isfinite(values)]
    if not len(defined):
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def with_intervals(scores: Sequence[Score], draws: Replicates, unit: str) -> list[MetricValue]:
    """Give each score its interval.

    Args:
        scores: Point values.
        draws: Replicates by (metric, level).
        unit: What was resampled, in the plural.
    """
    values = []
    for score in scores:
        replicate = draws.get((score.metric, score.level))
        if score.standard_error is not None:
            ci, method = None, "standard error over folds by the field's convention; not an interval to compare by"
        elif replicate is None:
            ci, method = None, None
        else:
            ci, method = interval(replicate), f"95 % percentile bootstrap over {unit}, {len(replicate)} draws"
        values.append(
            MetricValue(
                metric=score.metric,
                value=_number(score.value),
                unit=score.unit,
                higher_is_better=score.higher_is_better,
                level=score.level,
                ci=ci if ci is not None and all(map(math.isfinite, ci)) else None,
                ci_method=method,
                standard_error=_number(score.standard_error),
            )
        )
    return values


def paired_difference(first: float, second: float, first_draws: Floats, second_draws: Floats) -> Difference:
    """Compare two systems draw by draw.

    The p-value takes the normal tail, because counted tails of 2,000 draws end at 0.001, which no correction over
    more than a handful of comparisons can pass.

    Args:
        first: Point value of the first system.
        second: Point value of the second system.
        first_draws: float64 [B] replicates of the first.
        second_draws: float64 [B] replicates of the second, of the same draws.
    """
    differences = first_draws - second_draws
    differences = differences[np.isfinite(differences)]
    low, high = interval(differences)
    value = first - second
    error = float(differences.std(ddof=1)) if len(differences) > 1 else float("nan")
    return Difference(value, low, high, _two_sided_tail(value, error))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, which control the chance of any false claim in the family.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979).
    """
    values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.empty(len(values))
    running = 0.0
    for position, row in enumerate(np.argsort(values, kind="stable")):
        running = max(running, min(1.0, (len(values) - position) * values[row]))
        adjusted[row] = running
    return adjusted.tolist()


def significantly_better(
    values: Sequence[float],
    draws: Sequence[Floats],
    *,
    higher_is_better: bool = True,
    level: float = 1 - CONFIDENCE,
) -> NDArray[np.bool_]:
    """Which systems are better than which, with Holm's correction over all pairs of the table.

    Args:
        values: K point values.
        draws: K replicate arrays [B] of the same draws.
        higher_is_better: Direction of the metric.
        level: Family-wise error rate.

    Returns:
        bool [K, K], entry [i, j] is True where i is significantly better than j.
    """
    count = len(values)
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    differences = [paired_difference(values[i], values[j], draws[i], draws[j]) for i, j in pairs]
    better = np.zeros((count, count), dtype=np.bool_)
    for (i, j), difference, p in zip(pairs, differences, holm([d.p_value for d in differences]), strict=True):
        if p < level and difference.value != 0:
            winner, loser = (i, j) if (difference.value > 0) == higher_is_better else (j, i)
            better[winner, loser] = True
    return better


def ranks(better: NDArray[np.bool_]) -> list[int]:
    """Rank = 1 + number of systems that are significantly better; systems within noise of each other can share one."""
    wins: list[Any] = (1 + better.sum(axis=0)).tolist()
    return wins


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _two_sided_tail(value: float, error: float) -> float:
    if not math.isfinite(value) or not math.isfinite(error):
        return 1.0
    if abs(value) < _ROUNDING:  # two sums of the same numbers in another order are not a difference
        return 1.0
    if error == 0:
        return 0.0
    return math.erfc(abs(value) / error / math.sqrt(2))
