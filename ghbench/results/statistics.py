"""Uncertainty: bootstrap over the true unit, differences, Holm's correction, ranks that respect noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DRAWS = 2000
CONFIDENCE = 0.95
FEWEST_UNITS_TO_RANK = 8
_CHUNK = 4_000_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two systems.

    Args:
        value: First minus second.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p_value: Two-sided.
    """

    value: float
    low: float
    high: float
    p_value: float


def multiplicities(units: int, draws: int = DRAWS, seed: int = 0) -> Floats:
    """Bootstrap draws: float64 [draws, units], rows sum to `units`."""
    return np.concatenate(list(multiplicity_chunks(units, draws, seed)))


def multiplicity_chunks(units: int, draws: int = DRAWS, seed: int = 0) -> Iterator[Floats]:
    """The same in blocks."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, units]))
    step = max(1, _CHUNK // max(1, units))
    for start in range(0, draws, step):
        yield rng.multinomial(units, np.full(units, 1 / units), size=min(step, draws - start)).astype(np.float64)


def interval(value: float, draws: Floats, units: int, bounds: tuple[float, float] | None) -> tuple[float, float]:
    """95 % interval."""
    error = _error(draws, units)
    reach = _t(units) * error
    low, high = value - reach, value + reach
    return (low, high) if bounds is None else (max(low, bounds[0]), min(high, bounds[1]))


def paired_difference(first: float, second: float, first_draws: Floats, second_draws: Floats, units: int) -> Difference:
    """Compare two systems draw by draw."""
    error = _error(first_draws - second_draws, units)
    return _difference(first - second, error, units)


def independent_difference(
    first: float, second: float, first_draws: Floats, second_draws: Floats, units: int
) -> Difference:
    """Compare two systems whose draws are not paired."""
    return _difference(first - second, math.hypot(_error(first_draws, units), _error(second_draws, units)), units)


def _difference(value: float, error: float, units: int) -> Difference:
    from scipy import stats

    reach = _t(units) * error
    p = 1.0 if not error > 0 else float(2 * stats.t.sf(abs(value) / error, units - 1))
    return Difference(value, value - reach, value + reach, p)


def _t(units: int) -> float:
    from scipy import stats

    return float(stats.t.ppf(0.975, units - 1)) if units > 1 else float("nan")


def _error(draws: Floats, units: int) -> float:
    defined = draws[np.isfinite(draws)]
    if len(defined) < 2 or units < 2:
        return float("nan")
    return float(defined.std(ddof=1) * math.sqrt(units / (units - 1)))


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
    units: int,
    *,
    higher_is_better: bool = True,
    paired: bool = True,
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
    between = paired_difference if paired else independent_difference
    differences = [between(values[i], values[j], draws[i], draws[j], units) for i, j in pairs]
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
