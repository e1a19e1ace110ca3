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
    many = statistics.paired_difference(0.9, 0.88, first, second, units=10_000)
    assert many.value == pytest.approx(0.02)
    assert (many.low, many.high) == (pytest.approx(0.02 - 0.0196, abs=5e-4), pytest.approx(0.02 + 0.0196, abs=5e-4))
    assert many.p_value == pytest.approx(math.erfc(2 / math.sqrt(2)), abs=3e-3)  # two standard errors: .0455
    # Three units: error .01 x sqrt(3/2), t(.975, 2) = 4.303; P(|t_2| > t) = 1 - t / sqrt(2 + t^2), here at 1.633: .244
    few = statistics.paired_difference(0.9, 0.88, first, second, units=3)
    assert few.high == pytest.approx(0.02 + 4.303 * 0.01 * math.sqrt(1.5), abs=1e-3)
    assert few.p_value == pytest.approx(0.244, abs=0.01)


def test_a_paired_difference_of_means_is_the_t_test():
    stats = pytest.importorskip("scipy.stats")
    first, second = np.random.default_rng(1).normal(size=(2, 6))
    draws = statistics.multiplicities(6, 40_000) / 6
    found = statistics.paired_difference(first.mean(), second.mean(), draws @ first, draws @ second, 6)
    expected = stats.ttest_rel(first, second)
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.01)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()), abs=0.02)


def test_a_difference_of_independent_units_is_welchs_test():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(2)
    first, second = rng.normal(1, 1, 5), rng.normal(0, 3, 9)
    draws = [statistics.multiplicities(n, 40_000, seed=n) @ values / n for n, values in ((5, first), (9, second))]
    found = statistics.independent_difference(first.mean(), second.mean(), *draws, 5, 9)
    expected = stats.ttest_ind(first, second, equal_var=False)
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.01)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()), abs=0.05)


def test_equal_systems_do_not_differ_even_after_rounding():
    draws = np.random.default_rng(0).normal(0.8, 0.02, 500)
    assert statistics.paired_difference(0.8, 0.8, draws, draws, 40).p_value == 1.0
    assert statistics.paired_difference(0.8, 0.8 + 1e-16, draws, draws + 1e-17, 40).p_value == 1.0
    assert statistics.independent_difference(0.8, 0.8, np.full(9, 0.8), np.full(9, 0.8), 3, 3).p_value == 1.0


def test_a_difference_without_error_is_as_sure_as_so_many_units_can_be():
    draws = np.random.default_rng(0).normal(0.8, 0.02, 500)
    same_everywhere = statistics.paired_difference(0.9, 0.8, draws + 0.1, draws, units=5)
    assert same_everywhere.p_value == 2 / 2**5  # all five signs agree
    assert math.isnan(same_everywhere.low)
    apart = statistics.independent_difference(0.9, 0.8, np.full(9, 0.9), np.full(9, 0.8), 3, 4)
    assert apart.p_value == pytest.approx(2 / 35)  # 7 over 3 ways to divide the units


def test_one_unit_claims_nothing():
    one = np.full(20, 0.7), np.full(20, 0.2)
    for found in (
        statistics.paired_difference(0.7, 0.2, *one, units=1),
        statistics.independent_difference(0.7, 0.2, *one, 1, 12),
    ):
        assert found.value == pytest.approx(0.5)
        assert found.p_value == 1.0
        assert math.isnan(found.low)
    assert all(map(math.isnan, statistics.interval(0.7, one[0], 1, (0, 1))))


def test_draws_without_a_number_are_left_out_in_pairs():
    first, second = np.array([1.0, np.nan, 3.0, 4.0]), np.array([0.5, 1.0, np.nan, 3.0])
    found = statistics.paired_difference(0.8, 0.0, first, second, 20)
    pairs = statistics.paired_difference(0.8, 0.0, np.array([1.0, 4.0]), np.array([0.5, 3.0]), 20)
    assert found == pairs
    nothing = statistics.paired_difference(float("nan"), 1.0, first * np.nan, second, 20)
    assert math.isnan(nothing.low)
    assert nothing.p_value == 1.0


def test_an_unbounded_interval_is_students_and_longer_towards_the_rare_errors():
    stats = pytest.importorskip("scipy.stats")
    values = np.array([-3.0, -1.0, 0.0, 1.0, 3.0])
    draws = statistics.multiplicities(5, 100_000) @ values / 5
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    symmetric = np.concatenate([draws, -draws])  # no skewness left
    assert statistics.interval(0.0, symmetric, 5, None) == pytest.approx(tuple(expected), rel=0.02)
    skewed = statistics.multiplicities(5, 2000) @ np.array([0, 0, 0, 1, 9.0]) / 5
    low, high = statistics.interval(2.0, skewed, 5, None)
    assert high - 2.0 > 1.2 * (2.0 - low)
    assert statistics.interval(-2.0, -skewed, 5, None) == pytest.approx((-high, -low))


def test_a_bounded_interval_stays_in_its_bounds_and_mirrors_and_scales():
    errors = statistics.multiplicities(6, 2000) @ np.array([0, 0, 0, 0.01, 0.02, 0.3]) / 6
    low, high = statistics.interval(0.945, 1 - errors, 6, (0.0, 1.0))
    assert 0 < low < 0.945 < high < 1
    assert statistics.interval(0.055, errors, 6, (0.0, 1.0)) == pytest.approx((1 - high, 1 - low))
    # The same metric on a scale from -1 to 1.
    assert statistics.interval(0.89, 1 - 2 * errors, 6, (-1.0, 1.0)) == pytest.approx((2 * low - 1, 2 * high - 1))


@pytest.mark.parametrize("value", [1.0, 1.0 - 1e-17])
def test_a_metric_without_an_error_has_the_exact_limit_of_so_many_units(value):
    # Clopper and Pearson: all of n succeed, the lower limit is .025^(1/n).
    for units in (3, 40):
        low, high = statistics.interval(value, np.full(9, value), units, (0.0, 1.0))
        assert (low, high) == (pytest.approx(0.025 ** (1 / units)), 1.0)
    assert statistics.interval(0.0, np.zeros(9), 3, (0.0, 1.0)) == pytest.approx((0, 1 - 0.025 ** (1 / 3)))
    assert statistics.interval(-1.0, -np.ones(9), 3, (-1.0, 1.0)) == pytest.approx((-1, 1 - 2 * 0.025 ** (1 / 3)))


def test_an_interval_is_cut_at_a_single_bound():
    draws = np.random.default_rng(0).normal(0.5, 0.4, 2000)
    low, high = statistics.interval(0.5, draws, 30, None)
    assert low < 0
    assert high > 1
    assert statistics.interval(0.5, draws, 30, (None, 1.0)) == (low, 1.0)
    assert statistics.interval(0.5, draws, 30, (0.0, None)) == (0.0, high)


def test_equal_draws_off_a_bound_have_the_binomial_interval_and_no_interval_without_bounds():
    # 5 of 10: the textbook's [.187, .813].
    assert statistics.interval(0.5, np.full(9, 0.5), 10, (0.0, 1.0)) == pytest.approx((0.187, 0.813), abs=5e-4)
    assert all(map(math.isnan, statistics.interval(0.5, np.full(9, 0.5), 10, None)))
    assert all(map(math.isnan, statistics.interval(0.5, np.full(9, np.nan), 10, (0.0, 1.0))))
    assert all(map(math.isnan, statistics.interval(float("nan"), np.linspace(0, 1, 9), 10, (0.0, 1.0))))


def test_draws_that_leave_the_metric_undefined_do_not_move_the_interval():
    draws = np.random.default_rng(0).uniform(0.7, 0.9, 100)
    gaps = np.append(draws, [np.nan, np.inf])
    assert statistics.interval(0.8, gaps, 12, (0.0, 1.0)) == statistics.interval(0.8, draws, 12, (0.0, 1.0))


def test_only_clear_differences_make_a_system_better():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.01, (4, 2000))
    values = [0.9, 0.895, 0.7, 0.7]
    draws = [value + row for value, row in zip(values, noise, strict=True)]
    better = statistics.significantly_better(values, draws, [40] * 4)
    assert better.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [0] * 4, [0] * 4]
    errors = statistics.significantly_better(values, draws, [40] * 4, higher_is_better=False)
    assert (errors == better.T).all()


def test_few_units_rank_nobody():
    values, noise = [0.9, 0.1], np.random.default_rng(0).normal(0, 1e-4, (2, 500))
    draws = [value + row for value, row in zip(values, noise, strict=True)]
    assert not statistics.significantly_better(values, draws, [statistics.FEWEST_UNITS_TO_RANK - 1] * 2).any()
    assert statistics.significantly_better(values, draws, [statistics.FEWEST_UNITS_TO_RANK] * 2)[0, 1]


def test_draws_hold_as_many_units_as_there_are_and_are_the_same_for_every_system():
    first, second = statistics.multiplicities(7, 50, seed=3), statistics.multiplicities(7, 50, seed=3)
    np.testing.assert_array_equal(first, second)
    assert set(first.sum(axis=1)) == {7.0}
    assert (first != statistics.multiplicities(7, 50, seed=4)).any()


def test_blocks_of_draws_are_the_same_draws(monkeypatch):
    whole = statistics.multiplicities(7, 50, seed=3)
    monkeypatch.setattr(statistics, "_CHUNK_NUMBERS", 80)
    blocks = list(statistics.multiplicity_chunks(7, 50, seed=3))
    assert {len(block) for block in blocks} == {11, 6}
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    assert [block.shape for block in statistics.multiplicity_chunks(100, 2)] == [(1, 100)] * 2  # never fewer than one
