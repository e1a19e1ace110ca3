"""Uncertainty: bootstrap over the true unit, intervals and tests that hold for few units, Holm's correction, ranks.

Bootstrap replicates give the standard error and its skewness; Student's t gives the tails. Percentiles and normal
tails promise too much where units are few: `benchmarks/coverage.py` measures both ways.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DRAWS = 2000
CONFIDENCE = 0.95
FEWEST_UNITS_TO_RANK = 8
"""Below it a table has points and intervals, but no system counts as better than another."""
_CHUNK_NUMBERS = 4_000_000
_ROUNDING = 1e-12
_NO_INTERVAL = (float("nan"), float("nan"))


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two systems.

    Args:
        value: First minus second.
        low: Lower end of its 95 % interval, NaN where the units show no error.
        high: Upper end.
        p_value: Two-sided.
    """

    value: float
    low: float
    high: float
    p_value: float


def multiplicity_chunks(units: int, draws: int = DRAWS, seed: int = 0) -> Iterator[Floats]:
    """The rows of `multiplicities` in blocks of at most 4 million numbers: with many units they do not fit in memory.

    Yields:
        Read-only float64 [rows, units]; together they are `multiplicities(units, draws, seed)` exactly.
    """
    rows = max(1, _CHUNK_NUMBERS // units)
    yield from [_one_block(units, draws, seed)] if draws <= rows else _blocks(units, draws, seed, rows)


@lru_cache(maxsize=2)
def _one_block(units: int, draws: int, seed: int) -> Floats:
    """All draws, remembered: every system of a table has the same."""
    return next(_blocks(units, draws, seed, draws))


def _blocks(units: int, draws: int, seed: int, rows: int) -> Iterator[Floats]:
    rng = np.random.default_rng(np.random.SeedSequence([seed, units]))
    for start in range(0, draws, rows):
        size = min(rows, draws - start)
        block = rng.multinomial(units, np.full(units, 1 / units), size=size).astype(np.float64)
        block.flags.writeable = False
        yield block


def multiplicities(units: int, draws: int = DRAWS, seed: int = 0) -> Floats:
    """Bootstrap draws: how often each unit is drawn when as many units are drawn as there are.

    The same seed gives the same draws for every system, which is what makes differences paired.

    Returns:
        float64 [draws, units], rows sum to `units`.
    """
    return np.concatenate(list(multiplicity_chunks(units, draws, seed)))


def interval(
    value: float, draws: Floats, units: int, bounds: tuple[float | None, float | None] | None
) -> tuple[float, float]:
    """95 % interval: Student's t with units - 1 degrees of freedom, longer on the side of the long tail.

    A metric with two bounds is taken to the logit scale, so the interval stays within them; beyond a single bound it is
    cut. The limit of the long tail
    (away from the nearer bound; without two, where the draws are skewed to) is moved out, never in, by the leading
    term of Edgeworth's expansion of a studentized mean, skewness / 6 * (2 t^2 + 1): a few hard units carry most of the
    error, and a sample without them has a small standard error too. That sample shows too little skewness as well, so
    from 17 units on the term counts 2 - 4 / sqrt(n) times, a factor that was calibrated on simulations. The bootstrap
    divides by n where an unbiased variance divides by n - 1, hence the inflation by sqrt(n / (n - 1)). Sources: Hall,
    "The Bootstrap and Edgeworth Expansion" (1992), chapter 2; Johnson, "Modified t tests and confidence intervals for
    asymmetrical populations", JASA 73 (1978).

    With two bounds and without error (all draws equal, or a value at a bound) it gets the exact binomial limits of
    value * units successes among the units: 3 of 3 people without an error give [.292, 1]. Source: Clopper and Pearson,
    Biometrika 26 (1934).

    Args:
        value: Point value.
        draws: float64 [B] bootstrap replicates; those that leave the metric undefined (NaN) are left out.
        units: Number of units that were resampled.
        bounds: Smallest and largest possible value, None for what has no such bound (squared error, dB).

    Returns:
        Lower and upper end. NaN with one unit, without a number, and where a metric without two bounds shows no error.
    """
    from scipy import special

    error, skewness = _error_and_skewness(draws, units)
    if not (math.isfinite(value) and math.isfinite(error)):
        return _NO_INTERVAL
    t = float(special.stdtrit(units - 1, (1 + CONFIDENCE) / 2))
    shift = max(1.0, 2 - 4 / math.sqrt(units)) * skewness / 6 * (2 * t**2 + 1)
    low, high = bounds or (None, None)
    if low is None or high is None:
        if error == 0:
            return _NO_INTERVAL
        least, most = -math.inf if low is None else low, math.inf if high is None else high
        return max(least, value - error * (t + max(0.0, -shift))), min(most, value + error * (t + max(0.0, shift)))
    fraction = min(max((value - low) / (high - low), 0.0), 1.0)
    if error == 0 or fraction in {0.0, 1.0}:
        ends = _binomial_limits(fraction, units)
    else:
        step = error / (high - low) / (fraction * (1 - fraction))  # the error on the logit scale, by its slope
        # The curvature of the logit takes its part of the skewness.
        shift += (fraction - 0.5) * step * t**2
        below, above = (max(0.0, -shift), 0.0) if fraction > 0.5 else (0.0, max(0.0, shift))
        middle = special.logit(fraction)
        ends = special.expit(middle - step * (t + below)), special.expit(middle + step * (t + above))
    return low + (high - low) * float(ends[0]), low + (high - low) * float(ends[1])


def paired_difference(first: float, second: float, first_draws: Floats, second_draws: Floats, units: int) -> Difference:
    """Compare two systems draw by draw: t test with units - 1 degrees of freedom on the inflated bootstrap error.

    A difference that is the same in every draw has no error to divide by. Were the systems equally good, each unit
    would favour the first by a coin toss; all n tosses agree with probability 2^(1 - n), which is then the p-value
    (sign test).

    Args:
        first: Point value of the first system.
        second: Point value of the second system.
        first_draws: float64 [B] replicates of the first.
        second_draws: float64 [B] replicates of the second, of the same draws.
        units: Number of units that were resampled.

    Returns:
        The difference; with one unit its p-value is 1.
    """
    error, _ = _error_and_skewness(first_draws - second_draws, units)
    return _difference(first - second, error, units - 1, 2.0 ** (1 - units))


def independent_difference(
    first: float,
    second: float,
    first_draws: Floats,
    second_draws: Floats,
    first_units: int,
    second_units: int,
) -> Difference:
    """Compare two systems whose units differ, such as training seeds: variances add, degrees of freedom by Welch.

    Where neither shows an error, the p-value is that of the permutation that separates the units completely,
    2 / binomial(n + m, n). Sources: Welch, Biometrika 34 (1947); Satterthwaite, Biometrics Bulletin 2 (1946).

    Args:
        first: Point value of the first system.
        second: Point value of the second system.
        first_draws: float64 [B] replicates of the first.
        second_draws: float64 [C] replicates of the second.
        first_units: Number of units of the first.
        second_units: Number of units of the second.

    Returns:
        The difference; with one unit on either side its p-value is 1.
    """
    units = (first_units, second_units)
    errors = [_error_and_skewness(draws, n)[0] for draws, n in zip((first_draws, second_draws), units, strict=True)]
    error = math.hypot(*errors)
    parts = sum(e**4 / (n - 1) for e, n in zip(errors, units, strict=True) if e > 0)
    freedom = error**4 / parts if parts > 0 else float("nan")
    return _difference(first - second, error, freedom, min(1.0, 2 / math.comb(sum(units), first_units)))


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
    units: Sequence[int],
    *,
    higher_is_better: bool = True,
    paired: bool = True,
    level: float = 1 - CONFIDENCE,
) -> NDArray[np.bool_]:
    """Which systems are better than which, with Holm's correction over all pairs of the table.

    With fewer than `FEWEST_UNITS_TO_RANK` units none is.

    Args:
        values: K point values.
        draws: K replicate arrays [B].
        units: K numbers of units that a value rests on; a paired difference rests on the fewer.
        higher_is_better: Direction of the metric.
        paired: Whether the draws are the same for all systems; False for runs, which are each system's own.
        level: Family-wise error rate.

    Returns:
        bool [K, K], entry [i, j] is True where i is significantly better than j.
    """
    count = len(values)
    better = np.zeros((count, count), dtype=np.bool_)
    if min(units, default=0) < FEWEST_UNITS_TO_RANK:
        return better
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    differences = [
        paired_difference(values[i], values[j], draws[i], draws[j], min(units[i], units[j]))
        if paired
        else independent_difference(values[i], values[j], draws[i], draws[j], units[i], units[j])
        for i, j in pairs
    ]
    for (i, j), difference, p in zip(pairs, differences, holm([d.p_value for d in differences]), strict=True):
        if p < level and difference.value != 0:
            winner, loser = (i, j) if (difference.value > 0) == higher_is_better else (j, i)
            better[winner, loser] = True
    return better


def ranks(better: NDArray[np.bool_]) -> list[int]:
    """Rank = 1 + number of systems that are significantly better.

    Two systems of different rank need not differ significantly from each other.

    Args:
        better: bool [K, K], as `significantly_better` returns it.
    """
    wins: list[Any] = (1 + better.sum(axis=0)).tolist()
    return wins


def _error_and_skewness(draws: Floats, units: int) -> tuple[float, float]:
    """Inflated standard error and skewness of replicates; NaN with one unit or fewer than two defined draws."""
    defined = draws[np.isfinite(draws)]
    if units < 2 or len(defined) < 2:
        return _NO_INTERVAL
    spread = float(defined.std())
    if spread <= _ROUNDING * float(np.abs(defined).max()):  # equal draws, but for the order of their sums
        return 0.0, 0.0
    skewness = float(((defined - defined.mean()) ** 3).mean()) / spread**3
    return spread * math.sqrt(units / (units - 1)), skewness


def _binomial_limits(fraction: float, units: int) -> tuple[float, float]:
    from scipy import special

    tail, successes = (1 - CONFIDENCE) / 2, fraction * units
    low = special.betaincinv(successes, units - successes + 1, tail) if successes > 0 else 0.0
    high = special.betaincinv(successes + 1, units - successes, 1 - tail) if successes < units else 1.0
    return float(low), float(high)


def _difference(value: float, error: float, freedom: float, p_without_error: float) -> Difference:
    from scipy import special

    if not (math.isfinite(value) and math.isfinite(error)):
        return Difference(value, *_NO_INTERVAL, 1.0)
    equal = abs(value) < _ROUNDING  # two sums of the same numbers in another order are not a difference
    if error < _ROUNDING:
        return Difference(value, *_NO_INTERVAL, 1.0 if equal else p_without_error)
    reach = error * float(special.stdtrit(freedom, (1 + CONFIDENCE) / 2))
    p = 1.0 if equal else 2 * float(special.stdtr(freedom, -abs(value) / error))
    return Difference(value, value - reach, value + reach, p)
