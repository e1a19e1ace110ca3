"""Ridge regression of groups of numbers: scikit-learn's answers, and strengths that fit each group."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from ghbench.errors import DataError
from ghbench.probes.regression import ridge_answers


def data(rows=200, width=12, seed=0):
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(rows, width)).astype(np.float32) * 3 + 1
    clear = features @ draw.normal(size=(width, 2))
    noise = draw.normal(size=(rows, 3)) * 50
    return features, np.concatenate([clear, noise], axis=1)


def test_predictions_are_scikit_learns_at_the_chosen_strengths():
    features, targets = data()
    groups = {"clear": slice(0, 2), "noise": slice(2, 5)}
    predicted, choices = ridge_answers(
        (features[:120], targets[:120]), features[160:], groups, validation=(features[120:160], targets[120:160])
    )
    scaler = StandardScaler().fit(features[:120].astype(np.float64))
    for name, columns in groups.items():
        other = Ridge(alpha=choices[name].strength).fit(scaler.transform(features[:120]), targets[:120, columns])
        assert predicted[:, columns] == pytest.approx(
            other.predict(scaler.transform(features[160:])), rel=1e-4, abs=1e-3
        )
    assert choices["clear"].strength < choices["noise"].strength


def test_without_validation_rows_all_rows_are_fitted_at_the_end():
    features, targets = data()
    held_out = np.arange(150) >= 100
    predicted, choices = ridge_answers(
        (features[:150], targets[:150]), features[150:], {"all": slice(0, 5)}, held_out=held_out
    )
    scaler = StandardScaler().fit(features[:150].astype(np.float64))
    scale = targets[:100].std(axis=0)
    other = Ridge(alpha=choices["all"].strength).fit(scaler.transform(features[:150]), targets[:150] / scale)
    assert predicted == pytest.approx(other.predict(scaler.transform(features[150:])) * scale, rel=1e-4, abs=1e-3)


def test_a_column_that_hardly_varies_does_not_decide_the_strength():
    features, targets = data()
    rare = np.zeros((200, 1))
    rare[130] = 1  # in the validation rows alone
    both = np.concatenate([targets[:, :2] / 50, rare], axis=1)
    _, choices = ridge_answers(
        (features[:120], both[:120]),
        features[160:],
        {"all": slice(0, 3)},
        validation=(features[120:160], both[120:160]),
    )
    assert choices["all"].strength < 100
    assert not choices["all"].at_edge or choices["all"].strength < 1


def test_too_few_rows_are_refused():
    with pytest.raises(DataError, match="both kinds"):
        ridge_answers((np.ones((1, 2)), np.ones((1, 1))), np.ones((1, 2)), {"all": slice(0, 1)})
