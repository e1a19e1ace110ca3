"""With few units, intervals hold the truth and tests claim as often as they say; percentiles and normal tails do not.

A few cells like those of `benchmarks/coverage.py`, with fewer repetitions and a fixed seed.
"""

import numpy as np
import pytest

from ghbench.metrics.people_bootstrap import JudgedPairs, roc_replicates
from ghbench.results.statistics import interval, multiplicities, paired_difference

WORLDS = 400


def shares_of_covering_intervals(samples, units, truth, bounds):
    new, percentile = [], []
    for value, draws in ((sample[0], sample[1:]) for sample in samples):
        low, high = interval(value, draws, units, bounds)
        new.append(low <= truth <= high)
        low, high = np.nanquantile(draws, [0.025, 0.975])
        percentile.append(low <= truth <= high)
    return np.mean(new), np.mean(percentile)


def means(values):
    """Point value and 300 draws [worlds, 301] of the mean of each row."""
    units = values.shape[1]
    counts = np.concatenate([np.ones((1, units)), multiplicities(units, 300)]) / units
    return values @ counts.T


@pytest.mark.parametrize("units", [5, 8, 12])
def test_intervals_of_a_mean_cover_and_percentiles_do_not(units):
    samples = means(np.random.default_rng(units).gamma(4, 1 / 4, (WORLDS, units)))
    new, percentile = shares_of_covering_intervals(samples, units, 1.0, None)
    assert 0.92 <= new <= 0.985
    assert percentile < 0.92


@pytest.mark.parametrize("units", [5, 8])
def test_intervals_near_a_bound_cover_and_percentiles_do_not(units):
    success = np.random.default_rng(units).beta(9, 1, (WORLDS, units))
    new, percentile = shares_of_covering_intervals(means(success), units, 0.9, (0.0, 1.0))
    assert 0.91 <= new <= 0.985
    assert percentile < 0.87


def test_intervals_of_auc_over_people_cover_and_percentiles_do_not():
    """Six people of three images; some people have more noise than others, and pairs share people."""
    rng = np.random.default_rng(0)
    people, person = 6, np.repeat(np.arange(6), 3)
    left, right = np.triu_indices(18, 1)
    same, ones = person[left] == person[right], np.ones(len(left))
    counts = np.concatenate([np.ones((1, people)), multiplicities(people, 300)])
    samples = []
    for _ in range(WORLDS):
        noise = 1.4 * np.exp(0.3 * rng.normal(size=(people, 1)))
        features = rng.normal(size=(people, 12))[person] + noise[person] * rng.normal(size=(18, 12))
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        similarity = (features @ features.T)[left, right]
        pairs = JudgedPairs(similarity, same, ones, ones, person[left], person[right])
        samples.append(roc_replicates(pairs, counts, [])["auc"])
    truth = np.mean([sample[0] for sample in samples])
    new, percentile = shares_of_covering_intervals(samples, people, truth, (0.0, 1.0))
    assert new >= 0.93
    assert percentile < 0.9


@pytest.mark.parametrize("units", [2, 3, 8])
def test_equally_good_systems_are_called_different_in_5_per_cent_and_normal_tails_do_it_more_often(units):
    rng = np.random.default_rng(units)
    common = rng.normal(size=(1500, units))
    first, second = (means(common + rng.normal(size=common.shape)) for _ in range(2))
    claims = [
        paired_difference(one[0], other[0], one[1:], other[1:], units).p_value < 0.05
        for one, other in zip(first, second, strict=True)
    ]
    normal = abs(first - second)[:, 0] > 1.96 * (first - second)[:, 1:].std(axis=1, ddof=1)
    assert np.mean(claims) <= 0.067
    assert np.mean(normal) > 0.08
