"""Average precision is scikit-learn's, with weights and with equal scores."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from ghbench.metrics.average_precision import average_precision


@pytest.mark.parametrize("digits", [6, 1, 0])
def test_it_is_scikit_learns(digits):
    draw = np.random.default_rng(digits)
    positive, weight = draw.random(200) < 0.3, draw.integers(0, 4, 200).astype(float)
    scores = np.round(draw.normal(size=200) + positive, digits)
    assert average_precision(positive, scores) == pytest.approx(average_precision_score(positive, scores))
    expected = average_precision_score(positive, scores, sample_weight=weight)
    assert average_precision(positive, scores, weight) == pytest.approx(expected)


def test_without_a_positive_there_is_none():
    assert np.isnan(average_precision(np.zeros(3, bool), np.arange(3.0)))
