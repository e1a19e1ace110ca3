"""Rows that are transformed as they are read: standardised, projected, chosen."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from ghbench.errors import DataError
from ghbench.probes import rows
from ghbench.probes.linear import held_out
from ghbench.probes.rows import Chosen, Transformed, moments, of_unit_length, scatter_axes, standardised


@pytest.fixture
def numbers():
    draw = np.random.default_rng(0)
    return (draw.normal(size=(300, 6)) * [1e-3, 1, 1, 10, 1e4, 2e6] + [0, 5, 0, 0, 1e4, 0]).astype(np.float32)


def test_columns_are_standardised_each_by_its_own_scale(numbers, monkeypatch):
    monkeypatch.setattr(rows, "_BLOCK", 600)
    expected = StandardScaler().fit(numbers.astype(np.float64)).transform(numbers[:7])
    np.testing.assert_allclose(standardised(numbers[:7], numbers)[:], expected, atol=1e-3)


def test_columns_that_never_vary_become_zero(numbers):
    numbers[:, 2] = 7
    assert (standardised(numbers, numbers)[:, ...][:, 2] == 0).all()


@pytest.mark.parametrize("count", [300, 4])
def test_axes_are_principal(numbers, count):
    some = standardised(numbers[:count], numbers)[:]
    mean, variances, axes = scatter_axes(some, 2)
    other = PCA(2).fit(some)
    np.testing.assert_allclose(variances, other.explained_variance_ * (count - 1) / count, rtol=1e-3)
    np.testing.assert_allclose(np.abs(np.sum(axes * other.components_.T, axis=0)), 1, atol=1e-3)
    np.testing.assert_allclose(mean, other.mean_, atol=1e-5)


def test_chosen_rows_can_be_transformed(numbers):
    chosen = Chosen(numbers, np.array([5, 2]))
    assert chosen.shape == (2, 6)
    found = Transformed(chosen, np.ones(6, np.float32), np.full(6, 2, np.float32))[1:]
    np.testing.assert_allclose(found, 2 * (numbers[2:3] - 1))


def test_infinity_is_refused(numbers):
    numbers[3, 3] = np.inf
    with pytest.raises(DataError, match="finite"):
        moments(numbers)


def test_a_fifth_of_each_class_is_held_out():
    classes = np.repeat([0, 1, 2], [10, 20, 1])
    fitted, held = held_out(classes)
    assert np.bincount(classes[held], minlength=3).tolist() == [2, 4, 0]
    assert sorted([*fitted, *held]) == list(range(31))


def test_rows_of_any_size_get_unit_length():
    rows = np.array([[3, 4], [3e30, 4e30], [3e-30, 4e-30], [0, 0]], np.float32)
    np.testing.assert_allclose(of_unit_length(rows), [[0.6, 0.8]] * 3 + [[0, 0]], rtol=1e-6)
