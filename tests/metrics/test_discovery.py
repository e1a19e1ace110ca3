"""Scores of directions against the author's numbers and cases computed by hand."""

import numpy as np
import pytest

from ghbench.metrics.discovery import discovered, disentanglement, named, rows_in_use

AUTHORS = np.array([[2, 1, 0, 0], [0, 0.5, 0.25, 0], [-4, 0, 1, 0]], float)


def test_the_authors_scores():
    assert disentanglement(AUTHORS) == pytest.approx(0.583333, abs=1e-6)
    assert disentanglement(AUTHORS, normalised=False) == pytest.approx(1.416667, abs=1e-6)
    assert discovered(AUTHORS) == 2


def test_one_hot_rows_are_perfect_and_equal_ones_worthless():
    assert disentanglement(np.eye(24)) == 1
    assert discovered(np.eye(24)) == 24
    assert disentanglement(np.ones((3, 4))) == 0
    assert discovered(np.ones((1, 4))) == 4


def test_a_direction_that_changes_nothing_scores_nothing():
    shifts = np.vstack([np.zeros(4), np.eye(4)[0]])
    assert disentanglement(shifts) == 0.5
    assert discovered(shifts) == 1


def test_names_need_an_effect_and_a_lead():
    shifts = np.array([[0.9, 0.3, 0, 0], [0, 0.7, 0, 0], [0, 0, 3.0, 2.0], [-1.0, 0, 0, 0.1], [0, 0, 0.1, -0.8]])
    np.testing.assert_array_equal(named(shifts), [True, False, False, True])


def test_rows_in_use():
    directions = np.zeros((4, 5, 3))
    directions[0, 2] = 7
    directions[1, :2] = 1
    directions[2] = -2
    np.testing.assert_allclose(rows_in_use(directions), [1, 2, 5, 0], atol=1e-12)
