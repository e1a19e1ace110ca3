"""Few shots: draws that grow, what is judged, units of both kinds, the conformance kit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ghbench_tasks.classification.fewshot import fewshot
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from ghbench.errors import UsageError
from ghbench.probes.fewshot import classify_by_few
from ghbench.running import runner
from ghbench.spec_string import parse
from ghbench.testing import check_task


def test_the_classifier_is_scikit_learns_on_features_of_unit_length():
    draw = np.random.default_rng(0)
    classes = np.repeat(np.arange(5), 4)
    centres = draw.normal(size=(5, 30))
    features, queries = centres[classes] + draw.normal(size=(20, 30)), draw.normal(size=(200, 30))
    other = LogisticRegression(max_iter=1_000, tol=1e-6).fit(normalize(features), classes)
    found = classify_by_few(features, classes, 6, queries)
    assert (found == other.predict(normalize(queries))).mean() > 0.99


@pytest.mark.parametrize("splits", [("train", "test"), ("",)])
def test_classes_that_differ_are_told_apart(folder_of_classes, options, splits):
    root = folder_of_classes(splits)
    result = runner.run("pixels:size=8", f"fewshot:dataset=imagefolder,dataset.path={root},draws=10", options)
    found = {metric.metric: metric.value for metric in result.metrics}
    assert found["top1-5-shot"] > 0.95
    assert "top1-10-shot" not in found or found["top1-10-shot"] is None, "there are eight images a class"
    # Alone, the five of each class that are drawn for shots are not judged.
    assert result.counts.records == 10 * (16 if splits[0] else 6)
    assert result.counts.unit == "images and draws"


def test_images_and_draws_are_resampled():
    records = pd.DataFrame({"image": [0, 1, 0, 1], "class": [0, 1, 0, 1], "unit": [0, 1, 0, 1], "draw": [0, 0, 1, 1]})
    units = fewshot().units(records)
    assert units.count == 4
    np.testing.assert_array_equal(units.weights(np.array([2.0, 1, 0, 3])), [0, 0, 6, 3])


def test_the_kit_accepts_the_task(folder_of_classes):
    check_task(fewshot(parse(f"imagefolder:path={folder_of_classes(('train', 'test'))}"), draws=10))
    with pytest.raises(UsageError, match="at least 10"):
        fewshot(draws=3)
