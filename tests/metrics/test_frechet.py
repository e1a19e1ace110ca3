"""Frechet and kernel distances against golden arrays and closed forms."""

from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import sqrtm

from ghbench.errors import DataError
from ghbench.metrics import frechet

GOLDEN = Path(__file__).parents[1] / "golden" / "feature_distances.npz"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_moments_match_the_reference(golden):
    mean, covariance = frechet.moments(golden["f1"])
    np.testing.assert_allclose(mean, golden["mu_f1"], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(covariance, golden["sigma_f1"], rtol=1e-6, atol=1e-7)


def test_frechet_distance_matches_the_reference(golden):
    f1, f2, small = golden["f1"], golden["f2"], golden["f_small"]
    assert frechet.frechet_distance(f1, f2) == pytest.approx(golden["fid_f1_f2"][0], rel=1e-6)
    assert frechet.frechet_distance(f1, f1) == pytest.approx(0, abs=1e-9)
    assert frechet.frechet_distance(f1, small) == pytest.approx(golden["fid_f1_small"][0], rel=1e-4)


def test_frechet_distance_is_symmetric_and_equals_the_matrix_root_form(golden):
    f1, f2 = golden["f1"], golden["f2"]
    (mean1, cov1), (mean2, cov2) = frechet.moments(f1), frechet.moments(f2)
    root = np.trace(sqrtm(cov1 @ cov2)).real
    expected = np.sum((mean1 - mean2) ** 2) + np.trace(cov1 + cov2) - 2 * root
    assert frechet.frechet_distance(f1, f2) == pytest.approx(expected)
    assert frechet.frechet_distance(f2, f1) == pytest.approx(expected)


def test_frechet_distance_of_one_dimension_is_the_closed_form():
    a, b = np.array([[0.0], [2.0]]), np.array([[5.0], [9.0]])
    # Means 1 and 7, deviations sqrt(2) and sqrt(8): 36 + (sqrt(2) - sqrt(8))^2 = 38.
    assert frechet.frechet_distance(a, b) == pytest.approx(38.0)


@pytest.mark.parametrize("estimator", ["unbiased", "biased", "u-statistic"])
def test_kernel_distance_matches_the_reference(golden, estimator):
    rows = int(golden["mmd_m"][0])
    value = frechet.kernel_distance(golden["f1"][:rows], golden["f2"][:rows], estimator)
    assert value == pytest.approx(golden[f"mmd2_{estimator}_full_m"][0], rel=1e-6)


def test_kernel_distance_of_subsets_matches_the_reference(golden):
    values = frechet.kernel_distance_of_subsets(golden["f1"], golden["f2"], golden["kid_subset_idx"])
    np.testing.assert_allclose(values, golden["kid_subset_values"], rtol=1e-6)
    np.testing.assert_allclose([values.mean(), values.std()], golden["kid_mean_std"], rtol=1e-6)


def test_sets_that_cannot_be_compared_are_refused():
    with pytest.raises(DataError, match="one width"):
        frechet.frechet_distance(np.zeros((3, 2)), np.zeros((3, 4)))
    with pytest.raises(DataError, match="two rows"):
        frechet.kernel_distance(np.zeros((1, 2)), np.zeros((3, 2)))
    with pytest.raises(DataError, match="equal size"):
        frechet.kernel_distance(np.zeros((2, 2)), np.zeros((3, 2)), "u-statistic")


@pytest.fixture(scope="module")
def peers():
    with np.load(GOLDEN.with_name("peer_distances.npz"), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_distances_match_torch_fidelity_and_clean_fid(peers):
    one, two = peers["one"], peers["two"]
    for program in ("torch_fidelity", "clean_fid"):
        assert frechet.frechet_distance(one, two) == pytest.approx(peers[f"fid_{program}"].item(), rel=1e-9)
        assert frechet.kernel_distance(one, two) == pytest.approx(peers[f"kid_{program}"].item(), rel=1e-9)
    values = frechet.kernel_distance_of_subsets(one, two, peers["kid_subsets"])
    np.testing.assert_allclose([values.mean(), values.std()], peers["kid_10_subsets_of_100"], rtol=1e-9)


def test_fewer_images_than_numbers_give_the_same_by_either_way(golden):
    f1, small = golden["f1"], golden["f_small"]
    by_moments = frechet.frechet_distance_of_moments(*frechet.moments(f1), *frechet.moments(small))
    assert frechet.frechet_distance(f1, small) == pytest.approx(by_moments, rel=1e-5)
    assert frechet.frechet_distance(small, f1) == pytest.approx(frechet.frechet_distance(f1, small), rel=1e-12)


def test_replicates_are_the_distances_without_the_group(golden, monkeypatch):
    f1, f2 = golden["f1"][:200], golden["f2"][:150]
    groups = np.arange(200) % 4, np.arange(150) % 3
    monkeypatch.setattr(frechet, "_BLOCK_NUMBERS", 5_000)
    for distance, replicates in (
        (frechet.frechet_distance, frechet.frechet_replicates),
        (frechet.kernel_distance, frechet.kernel_replicates),
    ):
        without_first, without_second = replicates(f1, f2, *groups)
        assert (len(without_first), len(without_second)) == (4, 3)
        assert without_first[2] == pytest.approx(distance(f1[groups[0] != 2], f2), rel=1e-9)
        assert without_second[1] == pytest.approx(distance(f1, f2[groups[1] != 1]), rel=1e-9)


def test_the_distance_at_infinity_has_lost_the_bias():
    rng, plain, extrapolated = np.random.default_rng(0), [], []
    for _ in range(30):
        one, two = rng.normal(size=(400, 10)), rng.normal(size=(400, 10)) + 0.3
        plain.append(frechet.frechet_distance(one, two))
        extrapolated.append(frechet.frechet_distance_at_infinity(one, two, rng))
    truth = 10 * 0.3**2
    assert np.mean(plain) > truth + 0.1
    assert np.mean(extrapolated) == pytest.approx(truth, abs=0.06)
