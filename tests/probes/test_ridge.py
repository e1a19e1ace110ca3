"""Ridge regression against scikit-learn, for wide and tall features, at every strength."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from ghbench.errors import DataError
from ghbench.probes.ridge import choose_strength, fit_ridge

STRENGTHS = (1e-3, 1.0, 30.0)


def lesson(rows, width, seed=0):
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(rows, width)) @ draw.normal(size=(width, width)) + 3
    targets = features @ draw.normal(size=(width, 2)) + draw.normal(size=(rows, 2))
    return features, targets


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("shape", [(50, 8), (12, 30)])
def test_it_agrees_with_scikit_learn(shape, intercept):
    features, targets = lesson(*shape)
    unseen = lesson(7, shape[1], seed=1)[0]
    path = fit_ridge(features, targets, intercept=intercept)
    found = path.predict(unseen, STRENGTHS)
    for strength, values in zip(STRENGTHS, found, strict=True):
        other = Ridge(alpha=strength, fit_intercept=intercept, solver="svd").fit(features, targets)
        np.testing.assert_allclose(values, other.predict(unseen), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(path.weights(strength), other.coef_.T, rtol=1e-5, atol=1e-7)


def test_float16_and_many_blocks_make_no_difference(monkeypatch):
    features, targets = lesson(200, 5)
    half = features.astype(np.float16)
    whole = fit_ridge(half.astype(np.float64), targets)
    monkeypatch.setattr("ghbench.probes.ridge._ROWS", 32)
    np.testing.assert_allclose(fit_ridge(half, targets).weights(1.0), whole.weights(1.0), rtol=1e-9)


def test_duplicated_columns_are_no_obstacle():
    features, targets = lesson(40, 4)
    twice = np.hstack([features, features])
    path = fit_ridge(twice, targets)
    other = Ridge(alpha=1.0, solver="svd").fit(twice, targets)
    np.testing.assert_allclose(path.predict(twice, [1.0])[0], other.predict(twice), rtol=1e-6)


def test_the_strength_is_chosen_on_validation_rows_and_an_edge_is_said():
    features, targets = lesson(30, 25)
    path = fit_ridge(features[:20], targets[:20])
    strengths = (1e-6, 1e-2, 1.0, 1e2, 1e4, 1e8)
    choice = choose_strength(path, features[20:], targets[20:], strengths)
    errors = [np.square(one - targets[20:]).mean() for one in path.predict(features[20:], strengths)]
    np.testing.assert_allclose(choice.errors, errors)
    assert choice.strength == strengths[int(np.argmin(errors))]
    assert not choice.at_edge
    assert choose_strength(path, features[20:], targets[20:], strengths[:1]).at_edge


def test_what_cannot_be_fitted_is_refused():
    features, targets = lesson(10, 3)
    with pytest.raises(DataError, match="ridge"):
        fit_ridge(features, targets[:9])
    with pytest.raises(DataError, match="finite"):
        fit_ridge(np.where(features > 3, np.nan, features), targets)
    with pytest.raises(DataError, match="validation"):
        choose_strength(fit_ridge(features, targets), features, targets * np.inf, (0.1, 1.0))
