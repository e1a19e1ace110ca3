"""Similarities of encoders against double loops, closed forms and golden values; their jackknife against deletion."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr, spearmanr

from ghbench.errors import DataError, UsageError
from ghbench.metrics import similarity
from ghbench.metrics.jackknife import jackknife_error, t_interval, unit_groups

GOLDEN = Path(__file__).parents[1] / "golden" / "peer_distances.npz"
ALL = sorted(similarity.MEASURES)


@pytest.fixture(scope="module")
def encoders():
    """Two levels of each of two encoders: three share a latent vector, one is noise."""
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(60, 5))
    noisy = latent @ rng.normal(size=(5, 12)) + rng.normal(size=(60, 12))
    other = latent @ rng.normal(size=(5, 9)) + 0.5 * rng.normal(size=(60, 9))
    return [noisy, rng.normal(size=(60, 7))], [other, latent]


def unbiased_hsic(x, y):
    """Song's estimator, word for word: over ordered tuples of different rows."""
    kernels = [side @ side.T for side in (x, y)]
    n, rows = len(x), range(len(x))
    two = three = 0.0
    totals = [kernel.sum() - np.trace(kernel) for kernel in kernels]
    for i in rows:
        for j in rows:
            if i != j:
                two += kernels[0][i, j] * kernels[1][i, j]
                three += sum(kernels[0][i, j] * kernels[1][i, q] for q in rows if q not in (i, j))
    four = totals[0] * totals[1] - 4 * three - 2 * two
    return two / (n * (n - 1)) - 2 * three / (n * (n - 1) * (n - 2)) + four / (n * (n - 1) * (n - 2) * (n - 3))


def test_cka_is_that_of_the_definition_in_loops(encoders):
    x, y = encoders[0][0][:12], encoders[1][0][:12]
    expected = unbiased_hsic(x, y) / np.sqrt(unbiased_hsic(x, x) * unbiased_hsic(y, y))
    assert similarity.cka(x, y) == pytest.approx(expected, rel=1e-10)


def test_cka_knows_neither_rotation_nor_scale_nor_offset(encoders):
    x, y = encoders[0][0], encoders[1][0]
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(12, 12)))
    assert similarity.cka(x, x) == pytest.approx(1)
    assert similarity.cka(1e150 * x @ turn + 1e153, y) == pytest.approx(similarity.cka(x, y), abs=1e-9)
    assert similarity.cka((x + 1e4).astype(np.float32), y) == pytest.approx(similarity.cka(x, y), abs=1e-3)


def test_cka_of_few_unrelated_images_is_not_biased_upwards():
    rng = np.random.default_rng(0)
    values = [similarity.cka(rng.normal(size=(20, 300)), rng.normal(size=(20, 300))) for _ in range(40)]
    assert abs(np.mean(values)) < 0.02  # the biased estimator gives .94 here


def test_measures_match_other_programs(encoders):
    with np.load(GOLDEN, allow_pickle=False) as golden:
        x, y = golden["one"], golden["two"]
        assert similarity.cka(x, y) == pytest.approx(golden["cka"].item(), rel=1e-9)
        assert similarity.cka(x, y, batch=50) == pytest.approx(golden["cka_batches_of_50"].item(), rel=1e-9)
    x, y = encoders[0][0], encoders[1][0]
    tables = pdist(x, "correlation"), pdist(y, "correlation")
    one_group = np.zeros(len(x), dtype=np.int64)
    for ranks, expected in ((True, spearmanr(*tables)[0]), (False, pearsonr(*tables)[0])):
        values, without = similarity.rsa_replicates([x], [y], one_group, ranks=ranks)
        assert values[0, 0] == pytest.approx(expected, rel=1e-10)
        assert without.shape == (0, 1, 1)


def test_mutual_neighbours_of_a_case_by_hand():
    angles = np.radians([0, 10, 30, 100, 130])
    one = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    two = one[[0, 1, 3, 2, 4]]  # images 2 and 3 change places
    values, _ = similarity.mutual_knn_replicates([one], [two, 7 * one], np.zeros(5, dtype=np.int64), k=1)
    # Nearest of 0..4: 1, 0, 1, 4, 3 by the first encoder, 1, 0, 4, 1, 2 by the second.
    assert values.tolist() == [[2 / 5, 1.0]]


@pytest.mark.parametrize("measure", ALL)
def test_replicates_are_the_measure_without_the_group(encoders, measure):
    first, second = encoders
    groups = unit_groups(np.arange(60) // 3, 10)
    _, without = similarity.replicates_of(measure, first, second, groups, 4)
    assert without.shape == (10, 2, 2)
    for group in (0, 7):
        kept = groups != group
        expected, _ = similarity.replicates_of(
            measure, [x[kept] for x in first], [y[kept] for y in second], np.zeros(kept.sum(), dtype=np.int64), 4
        )
        np.testing.assert_allclose(without[group], expected, atol=1e-12)


@pytest.mark.parametrize("measure", ALL)
def test_blocks_of_rows_change_nothing(encoders, measure, monkeypatch):
    groups = unit_groups(np.arange(60), 6)
    whole = similarity.replicates_of(measure, *encoders, groups, 4)
    monkeypatch.setattr(similarity, "_BLOCK_NUMBERS", 1_000)
    for one, other in zip(similarity.replicates_of(measure, *encoders, groups, 4), whole, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("measure", ALL)
def test_permuted_values_are_the_measure_of_permuted_rows(encoders, measure):
    first, second = encoders
    found = similarity.permuted_values(measure, first, second, 2, np.random.default_rng(3), 4)
    rng, one_group = np.random.default_rng(3), np.zeros(60, dtype=np.int64)
    orders = [rng.permutation(60) for _ in range(2)]
    for values, order in zip(found, orders, strict=True):
        expected, _ = similarity.replicates_of(measure, first, [y[order] for y in second], one_group, 4)
        np.testing.assert_allclose(values, expected, atol=1e-10)


def test_intervals_over_people_hold_the_true_value():
    """40 people with 4 images each; single images as units would promise too much."""
    maps = [np.random.default_rng(seed).normal(size=(4, 8)) for seed in (1, 2)]

    def sample(rng, people, each):
        latent = np.repeat(rng.normal(size=(people, 4)), each, axis=0) + 0.3 * rng.normal(size=(people * each, 4))
        return [[latent @ one + rng.normal(size=(len(latent), 8))] for one in maps]

    (x,), (y,) = sample(np.random.default_rng(9), 3_000, 1)
    truth, rng, units = similarity.cka(x, y), np.random.default_rng(5), np.arange(160) // 4
    hits, narrow = 0, []
    for _ in range(100):
        first, second = sample(rng, 40, 4)
        values, without = similarity.cka_replicates(first, second, unit_groups(units, 40))
        low, high = t_interval(values.item(), jackknife_error(without).item(), 40)
        hits += low <= truth <= high
        _, single = similarity.cka_replicates(first, second, unit_groups(np.arange(160), 40))
        narrow.append(jackknife_error(single).item() / jackknife_error(without).item())
    assert 88 <= hits <= 99
    assert np.mean(narrow) < 0.75


def test_groups_hold_whole_units_and_are_even():
    units = np.repeat(np.arange(23), 3)
    groups = unit_groups(units, 5)
    assert sorted(np.bincount(groups) // 3) == [4, 4, 5, 5, 5]
    assert all(len(set(groups[units == unit])) == 1 for unit in range(23))
    assert sorted(set(unit_groups(units, 50).tolist())) == list(range(23))


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(size=30)
    without = np.array([np.delete(values, row).mean() for row in range(30)])
    assert jackknife_error(without) == pytest.approx(values.std(ddof=1) / np.sqrt(30))
    assert np.isnan(jackknife_error(without[:1]))


def test_what_cannot_be_compared_is_refused(encoders):
    first, second = encoders
    groups = np.zeros(60, dtype=np.int64)
    with pytest.raises(DataError, match="same images"):
        similarity.cka(first[0], second[0][:-1])
    with pytest.raises(DataError, match="at least 4"):
        similarity.cka(first[0][:3], second[0][:3])
    with pytest.raises(UsageError, match="neighbours"):
        similarity.mutual_knn_replicates(first, second, groups, 60)
    with pytest.raises(DataError, match="correlation distances"):
        similarity.rsa_replicates([first[0][:, :1]], second, groups)
    with pytest.raises(UsageError, match="mutual-knn"):
        similarity.replicates_of("cca", first, second, groups)
    assert np.isnan(similarity.cka(np.ones((9, 2)), first[0][:9]))
