"""Learned metrics: closed forms, an independent library, and features whose nuisance is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from ghbench.errors import DataError
from ghbench.metrics.learned_metric import (
    chosen_metric,
    decidability,
    overall_decidability,
    principal,
    whitening,
    within_class,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(200, 12), (20, 60)])
def test_components_and_whitening_are_scikit_learns(rng, shape):
    features = rng.normal(size=shape) * np.geomspace(10, 1, shape[1]) + 3
    ours, theirs = principal(features, 5), PCA(5, whiten=True, svd_solver="full").fit(features)
    np.testing.assert_allclose(ours.deviations**2, theirs.explained_variance_, rtol=1e-8)
    np.testing.assert_allclose(np.abs(ours.vectors.T @ theirs.components_.T), np.eye(5), atol=1e-6)
    white, expected = whitening(ours, 5).apply(features), theirs.transform(features)
    white = white / white.std(axis=0) * np.sign((white * expected).sum(axis=0))
    np.testing.assert_allclose(white, expected / expected.std(axis=0), atol=0.02)


def test_within_class_whitening_gives_differences_equal_variances(rng):
    features = rng.normal(size=(500, 8)) * 5
    changes = rng.normal(size=(4_000, 8)) @ rng.normal(size=(8, 8))
    metric = within_class(principal(features, 8), changes, 8, ridge=1e-6)
    assert metric.matrix is not None
    covariance = np.cov((changes @ metric.matrix.astype(np.float64)).T)
    covariance /= np.trace(covariance) / 8
    np.testing.assert_allclose(covariance, np.eye(8), atol=0.1)


def test_decidability_is_that_of_its_definition(rng):
    first, second = rng.normal(size=(30, 4)), rng.normal(size=(30, 4))
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (first, second)]
    cosines = unit[0] @ unit[1].T
    same, other = np.diag(cosines), cosines[~np.eye(30, dtype=bool)]
    expected = (same.mean() - other.mean()) / np.sqrt((same.var() + other.var()) / 2)
    assert decidability(first, second) == pytest.approx(expected)
    assert decidability(first, first) > 2
    assert decidability(np.ones((5, 3)), np.ones((5, 3))) == 0


def test_what_varies_without_meaning_is_found_and_left_out(rng):
    """Four numbers tell pictures apart; twelve larger ones vary within a picture."""
    mixing = np.linalg.qr(rng.normal(size=(16, 16)))[0]

    def seen(content):
        return np.concatenate([content, rng.normal(size=(len(content), 12)) * 5], axis=1) @ mixing

    fitted, judged = rng.normal(size=(600, 4)), rng.normal(size=(200, 4))
    features, again = seen(fitted), seen(fitted)
    plain, changed = seen(judged), {"one": seen(judged), "two": seen(judged)}
    chosen = chosen_metric("within", features, again - features, plain, changed)
    raw = chosen_metric("centred", features, again - features, plain, changed)
    assert chosen.decidability > 2 * raw.decidability
    assert chosen.decidability == pytest.approx(overall_decidability(chosen.metric, plain, changed))


@pytest.mark.parametrize(("falls", "dtype"), [(0.5, np.float16), (2.0, np.float32)])
def test_a_metric_keeps_the_digits_that_a_steep_spectrum_needs(rng, falls, dtype):
    features = rng.normal(size=(600, 200)) / np.arange(1, 201) ** falls
    found = principal(features, 150)
    metric = whitening(found, 150)
    assert metric.matrix.dtype == dtype
    exact = (features - found.mean) @ found.vectors / found.deviations
    cosines = [one @ one.T for one in (rows / np.linalg.norm(rows, axis=1)[:, None] for rows in (
        exact, metric.apply(features).astype(np.float64)
    ))]  # fmt: skip
    np.testing.assert_allclose(*cosines, atol=2e-3)


def test_features_that_say_nothing_are_refused():
    with pytest.raises(DataError, match="same for all"):
        principal(np.ones((10, 4)), 2)
    with pytest.raises(DataError, match="3"):
        principal(np.ones((2, 4)), 2)
