"""Uncertainty: Holm, ranks, paired differences and intervals against numbers that can be checked."""

import math

import numpy as np
import pytest

from ghbench.results import statistics


def test_holm_steps_down_from_the_smallest():
    # Sorted .01 .02 .03 .04 times 4 3 2 1: .04 .06 .06 .04, made monotone: .04 .06 .06 .06.
    assert statistics.holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert statistics.holm([0.5, 0.6]) == [1.0, 1.0]
    assert statistics.holm([]) == []
    assert statistics.holm([float("nan"), 0.01]) == pytest.approx([1.0, 0.02])


def test_rank_is_one_more_than_the_number_of_better_systems():
    better = np.zeros((4, 4), dtype=bool)
    better[0, 2] = better[0, 3] = better[1, 3] = True
    assert statistics.ranks(better) == [1, 1, 2, 3]


def test_a_paired_difference_has_the_closed_form():
    rng = np.random.default_rng(0)
    common = rng.normal(size=20_000)
    first = 0.9 + 0.05 * common + 0.01 * rng.normal(size=20_000)
    second = 0.88 + 0.05 * common
    found = statistics.paired_difference(0.9, 0.88, first, second)
    assert found.value == pytest.approx(0.02)
    assert (found.low, found.high) == (pytest.approx(0.02 - 0.0196, abs=5e-4), pytest.approx(0.02 + 0.0196, abs=5e-4))
    assert found.p_value == pytest.approx(math.erfc(2 / math.sqrt(2)), abs=3e-3)  # two standard errors: .0455


def test_equal_systems_do_not_differ_even_after_rounding():
    draws = np.random.default_rng(0).normal(0.8, 0.02, 500)
    assert statistics.paired_difference(0.8, 0.8, draws, draws).p_value == 1.0
    assert statistics.paired_difference(0.8, 0.8 + 1e-16, draws, draws + 1e-17).p_value == 1.0
    assert statistics.paired_difference(0.9, 0.8, draws + 0.1 - 0.1, draws + 0.1 - 0.1).p_value == 0.0


def test_draws_without_a_number_are_left_out_in_pairs():
    first, second = np.array([1.0, np.nan, 3.0, 4.0]), np.array([0.5, 1.0, np.nan, 3.0])
    found = statistics.paired_difference(2.0, 1.0, first, second)
    assert 0.5 <= found.low <= found.high <= 1.0
    nothing = statistics.paired_difference(float("nan"), 1.0, first * np.nan, second)
    assert math.isnan(nothing.low)
    assert nothing.p_value == 1.0


def test_the_interval_is_the_central_95_per_cent_of_the_draws():
    draws = np.append(np.arange(1001.0), [np.nan, np.inf])
    assert statistics.interval(draws) == pytest.approx((25.0, 975.0))
    assert all(map(math.isnan, statistics.interval(np.array([np.nan]))))


def test_only_clear_differences_make_a_system_better():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.01, (4, 2000))
    values = [0.9, 0.895, 0.7, 0.7]
    better = statistics.significantly_better(values, [value + row for value, row in zip(values, noise, strict=True)])
    assert better.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [0] * 4, [0] * 4]
    errors = statistics.significantly_better(
        values, [value + row for value, row in zip(values, noise, strict=True)], higher_is_better=False
    )
    assert (errors == better.T).all()


def test_draws_hold_as_many_units_as_there_are_and_are_the_same_for_every_system():
    first, second = statistics.multiplicities(7, 50, seed=3), statistics.multiplicities(7, 50, seed=3)
    np.testing.assert_array_equal(first, second)
    assert set(first.sum(axis=1)) == {7.0}
    assert (first != statistics.multiplicities(7, 50, seed=4)).any()
