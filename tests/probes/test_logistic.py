"""Logistic regression of a whole grid against scikit-learn: the same optimum at every strength."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from ghbench.errors import DataError
from ghbench.probes import logistic, rows
from ghbench.probes.logistic import fit_logistic

GRID = (1e-5, 1e-3, 1e-1, 10.0)


def clouds(images=400, width=12, count=4, seed=0):
    draw = np.random.default_rng(seed)
    classes = draw.integers(0, count, images)
    centres = draw.normal(size=(count, width))
    features = (centres[classes] + draw.normal(size=(images, width))) * draw.uniform(0.1, 10, width) + 5
    return features.astype(np.float32), classes.astype(np.int64)


def digits():
    features, classes = load_digits(return_X_y=True)
    return ((features - features.mean(0)) / np.maximum(features.std(0), 1e-6)).astype(np.float32), classes.astype(int)


def objective(features, classes, weights, bias, strength):
    logits = features.astype(np.float64) @ weights + bias
    logits -= logits.max(axis=1, keepdims=True)
    chosen = logits[np.arange(len(classes)), classes]
    return (np.log(np.exp(logits).sum(axis=1)) - chosen).mean() + strength / 2 * np.square(weights).sum()


@pytest.mark.parametrize("lesson", [clouds, digits])
def test_no_strength_ends_above_scikit_learns_optimum(lesson):
    features, classes = lesson()
    count = int(classes.max()) + 1
    path = fit_logistic(features, classes, count, GRID)
    assert path.converged.all()
    for which, strength in enumerate(GRID):
        other = LogisticRegression(C=1 / (strength * len(classes)), max_iter=10_000, tol=1e-7)
        other.fit(features.astype(np.float64), classes)
        best = objective(features, classes, other.coef_.T, other.intercept_, strength)
        ours = objective(features, classes, path.weights[which].astype(np.float64), path.bias[which], strength)
        assert ours - best < 1e-4
        np.testing.assert_allclose(path.losses[which], ours, atol=1e-5)
        assert (path.logits(features, which).argmax(axis=1) == other.predict(features.astype(float))).mean() > 0.995


def test_more_features_than_rows():
    features, classes = clouds(images=40, width=120)
    path = fit_logistic(features, classes, 4, [1e-2])
    other = LogisticRegression(C=1 / (1e-2 * 40), max_iter=10_000, tol=1e-8).fit(features.astype(np.float64), classes)
    best = objective(features, classes, other.coef_.T, other.intercept_, 1e-2)
    np.testing.assert_allclose(path.losses[0], best, atol=1e-5)
    np.testing.assert_allclose(path.weights[0], other.coef_.T - other.coef_.mean(axis=0)[:, None], atol=2e-3)


def test_two_classes_and_a_class_without_rows():
    features, classes = clouds(count=2)
    path = fit_logistic(features, classes, 3, [0.01])
    assert (path.logits(features, 0).argmax(axis=1) < 2).all()
    other = LogisticRegression(C=1 / (0.01 * len(classes)), max_iter=10_000, tol=1e-7).fit(features, classes)
    agreed = fit_logistic(features, classes, 2, [0.02]).logits(features, 0).argmax(axis=1) == other.predict(features)
    assert agreed.mean() > 0.99, "two rows of weights share what one has in the binary form"


def test_blocks_and_float16_files_change_nothing(tmp_path, monkeypatch):
    features, classes = clouds(images=1_500)
    half = features.astype(np.float16)
    whole = fit_logistic(half.astype(np.float32), classes, 4, GRID)
    np.save(tmp_path / "f.npy", half)
    monkeypatch.setattr(rows, "_BLOCK", 3_000)
    mapped = fit_logistic(np.load(tmp_path / "f.npy", mmap_mode="r"), classes, 4, GRID)
    np.testing.assert_allclose(mapped.losses, whole.losses, atol=2e-6)
    np.testing.assert_allclose(mapped.logits(half, 1), whole.logits(half, 1), atol=0.05)


def test_a_constant_and_a_doubled_column_are_no_obstacle():
    features, classes = clouds()
    odd = np.hstack([features, features[:, :1], np.full((len(features), 1), 7, np.float32)])
    path = fit_logistic(odd, classes, 4, [0.01])
    assert path.converged.all()
    assert path.losses[0] <= fit_logistic(features, classes, 4, [0.01]).losses[0] + 1e-6


def test_features_without_variance_give_the_classes_shares():
    classes = np.array([0, 0, 0, 1] * 10)
    for features in (np.zeros((40, 3), np.float32), np.ones((40, 60), np.float32)):
        logits = fit_logistic(features, classes, 2, [0.1]).logits(features[:1], 0)[0]
        assert logits[0] - logits[1] == pytest.approx(np.log(3), abs=1e-3)


def test_a_direction_of_little_variance_is_found():
    draw = np.random.default_rng(0)
    classes = draw.integers(0, 2, 2_000)
    common = draw.normal(size=(2_000, 1))
    features = np.repeat(common, 60, axis=1) + 2e-3 * draw.normal(size=(2_000, 60))
    features[:, 0] += 5e-3 * (2 * classes - 1)
    features = ((features - features.mean(0)) / features.std(0)).astype(np.float32)
    path = fit_logistic(features, classes, 2, [1e-7])
    assert (path.logits(features, 0).argmax(axis=1) == classes).mean() > 0.97


def test_many_classes_are_searched_in_groups(monkeypatch):
    features, classes = clouds()
    whole = fit_logistic(features, classes, 4, GRID)
    monkeypatch.setattr(logistic, "_NUMBERS", 2_000)
    parts = fit_logistic(features, classes, 4, GRID)
    assert parts.strengths == whole.strengths
    np.testing.assert_allclose(parts.losses, whole.losses, atol=2e-6)


def test_what_cannot_be_fitted_is_refused():
    features, classes = clouds()
    for wrong in ((features, classes[:-1], 4, [1.0]), (features, classes * 0, 4, [1.0]), (features, classes, 4, [0.0])):
        with pytest.raises(DataError):
            fit_logistic(*wrong)
    with pytest.raises(DataError, match="finite"):
        fit_logistic(np.where(features > 8, np.inf, features), classes, 4)
