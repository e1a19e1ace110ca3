"""Delete-a-group jackknife: standard errors of statistics in which no image may be drawn twice.

A bootstrap draws images twice, and a repeated image is its own nearest neighbour at distance 0: similarities of
encoders, covariances and neighbourhoods are then biased. Leaving a group of units out repeats nothing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CONFIDENCE = 0.95


def unit_groups(units: NDArray[np.integer[Any]], most: int, seed: int = 0) -> NDArray[np.int64]:
    """Divide units among groups of nearly equal numbers of units, at random; a unit is never split.

    Args:
        units: int [N] unit of each image: its person, or its own number.
        most: Largest number of groups.
        seed: Of the division.

    Returns:
        int64 [N] group of each image, 0 to min(most, units) - 1, none of them empty.
    """
    found, code = np.unique(units, return_inverse=True)
    count = len(found)
    group = np.random.default_rng(seed).permutation(count) % min(most, count)
    return group[code].astype(np.int64)


def jackknife_error(*samples: Floats) -> Floats:
    """Standard error of a statistic of one or more independent samples.

    Source: Efron and Stein, "The Jackknife Estimate of Variance", Annals of Statistics 9 (1981): its expectation is
    never below the variance of the statistic of the smaller sample.

    Args:
        *samples: For each sample float64 [G, ...], the statistic without each of its G groups.

    Returns:
        float64 [...]; NaN with a single group.
    """
    variances = [
        np.square(one - one.mean(axis=0)).sum(axis=0) * (len(one) - 1) / len(one)
        if len(one) > 1
        else np.full(one.shape[1:], np.nan)
        for one in samples
    ]
    return np.asarray(np.sqrt(np.sum(variances, axis=0)))


def t_interval(value: float, error: float, groups: int) -> tuple[float, float]:
    """95 % interval by Student's t with groups - 1 degrees of freedom; NaN without an error."""
    from scipy import special

    if groups < 2 or not math.isfinite(value) or not math.isfinite(error):
        return math.nan, math.nan
    reach = error * float(special.stdtrit(groups - 1, (1 + CONFIDENCE) / 2))
    return value - reach, value + reach
