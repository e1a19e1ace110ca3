"""The rules of reporting: names, the 5,000-image rule, honest errors, and floors beside the distances."""

from __future__ import annotations

import numpy as np
import pytest

from ghbench.errors import DataError
from ghbench.metrics import distribution_report as rules
from ghbench.metrics.distribution_report import distribution_report, kernel_estimate
from ghbench.metrics.frechet import frechet_distance


def normal(count, width=4, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, 1, (count, width))


def test_large_sets_have_both_distances_under_the_extractors_name_and_their_floors():
    real, other, generated = normal(5000), normal(6000, seed=1), normal(5000, shift=1.0, seed=2)
    report = distribution_report("toy", real, other, generated)
    assert set(report.distances) == set(report.floors) == {"fd[toy]", "kid[toy]"}
    assert report.left_out == {}
    # Means one apart in each of four directions, equal covariances: the distance is 4.
    assert report.distances["fd[toy]"].value == pytest.approx(4, abs=0.3)
    assert report.distances["fd[toy]"].value == pytest.approx(frechet_distance(real, generated))
    assert report.floors["fd[toy]"].value < 0.02
    assert report.floors["fd[toy]"].images == (5000, 5000), "as many as were generated"


def test_a_frechet_distance_and_its_floor_are_of_equally_many_images():
    real, other, generated = normal(5000), normal(5000, seed=1), normal(8000, seed=2)
    report = distribution_report("toy", real, other, generated)
    assert report.distances["fd[toy]"].images == report.floors["fd[toy]"].images == (5000, 5000)
    assert report.distances["kid[toy]"].images == (5000, 5000)


@pytest.mark.parametrize(("real", "generated"), [(4999, 5000), (5000, 4999)])
def test_a_frechet_distance_of_fewer_than_5000_images_is_left_out_and_says_why(real, generated):
    report = distribution_report("toy", normal(real), normal(5000, seed=1), normal(generated, seed=2))
    assert set(report.distances) == {"kid[toy]"}
    assert report.left_out["fd[toy]"] == f"{real} and {generated} images; it needs 5,000 in both sets"


def test_a_floor_may_be_missing_where_the_distance_is_there():
    report = distribution_report("toy", normal(5000), normal(2000, seed=1), normal(5000, seed=2))
    assert "fd[toy]" in report.distances
    assert "fd[toy]" not in report.floors
    assert report.left_out == {"floor of fd[toy]": "5000 and 2000 images; it needs 5,000 in both sets"}
    assert "fd[toy].floor" not in report.flat()


def test_a_handful_of_images_has_no_distance_at_all():
    report = distribution_report("toy", normal(99), normal(99, seed=1), normal(99, seed=2))
    assert report.distances == report.floors == report.flat() == {}
    assert len(report.left_out) == 4


def test_the_log_has_each_number_under_its_own_name():
    report = distribution_report("toy", normal(5000), normal(5000, seed=1), normal(5000, seed=2))
    assert list(report.flat()) == [
        *("fd[toy]", "fd[toy].floor", "kid[toy]", "kid[toy].error", "kid[toy].floor", "kid[toy].floor.error"),
    ]
    assert all(isinstance(number, float) for number in report.flat().values())


def test_the_standard_error_of_the_kernel_distance_is_its_spread_over_repetitions():
    estimates = [kernel_estimate(normal(600, seed=seed), normal(600, seed=seed + 1000)) for seed in range(150)]
    values = np.array([estimate.value for estimate in estimates])
    errors = np.array([estimate.standard_error for estimate in estimates])
    assert np.sqrt((errors**2).mean()) == pytest.approx(values.std(ddof=1), rel=0.2)
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(150), "without bias where the sets are alike"


def test_blocks_are_ten_or_more_of_at_most_a_thousand_images():
    assert kernel_estimate(normal(1234), normal(2000, seed=1)).images == (1230, 1230)
    assert kernel_estimate(normal(12_500), normal(12_500, seed=1)).images == (12_000, 12_000)


def test_sets_that_are_sorted_by_class_are_mixed_before_they_are_divided():
    sorted_real = np.concatenate([normal(250, shift=shift, seed=int(shift)) for shift in (0.0, 3.0, 6.0, 9.0)])
    mixed = sorted_real[np.random.default_rng(3).permutation(1000)]
    estimate = distribution_report("toy", sorted_real, sorted_real, mixed).distances["kid[toy]"]
    assert abs(estimate.value) < 4 * estimate.standard_error


def test_features_of_another_width_are_an_error():
    with pytest.raises(DataError, match="of one width"):
        distribution_report("toy", normal(200), normal(200), normal(200, width=5))


def test_the_seed_decides_the_blocks():
    sets = normal(1000), normal(1000, seed=1), normal(1000, shift=0.1, seed=2)
    first, again, other = (distribution_report("toy", *sets, seed=seed).flat() for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert rules.FEWEST_FOR_FD == 5000
