"""Few shots: draws that grow, what is judged, the conformance kit."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from ghbench_tasks.classification.fewshot import FewShot, fewshot
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from ghbench.dataset import Target
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
    found = classify_by_few(normalize(features), classes, 6, normalize(queries))
    assert (found == other.predict(normalize(queries))).mean() > 0.99


@pytest.mark.parametrize("splits", [("train", "test"), ("",)])
def test_classes_that_differ_are_told_apart(folder_of_classes, options, splits):
    root = folder_of_classes(splits)
    result = runner.run("pixels:size=8", f"fewshot:dataset=imagefolder,dataset.path={root},draws=10", options)
    found = {metric.metric: metric.value for metric in result.metrics}
    assert found["top1-5-shot"] > 0.95
    assert "top1-10-shot" not in found or found["top1-10-shot"] is None, "there are eight images a class"
    assert result.counts.records == 16
    assert result.counts.unit == "images"
    assert any("over 10 draws" in note for note in result.warnings)


def test_images_that_a_draw_learned_from_are_not_judged_by_it():
    dataset = SimpleNamespace(
        targets={"label": Target("label", np.repeat([0, 1], 6), "class", ("a", "b"))}, splits={},
        card=lambda: SimpleNamespace(by_person=False, name="dots"), __len__=lambda: 12,
    )  # fmt: skip
    # Every image but one of each class is alike; the odd ones are told by nobody else.
    features = np.repeat([[1.0, 0], [0, 1]], 6, axis=0)
    features[[0, 6]] = features[[6, 0]]
    task = FewShot(draws=40)
    object.__setattr__(task, "dataset", dataset)
    inputs = SimpleNamespace(
        datasets={"images": dataset}, features={"images": {"plain": {"all": features}}}, levels=("all",),
        extractor_spec=SimpleNamespace(mean=None), context=SimpleNamespace(progress=lambda *_: None),
    )  # fmt: skip
    records = task.evaluate(inputs).records.set_index("image")
    assert "s10" not in records.columns
    assert records.loc[[0, 6], "s5"].max() == 0
    assert records.drop(index=[0, 6])["s5"].min() == 1


def test_the_kit_accepts_the_task(folder_of_classes):
    check_task(fewshot(parse(f"imagefolder:path={folder_of_classes(('train', 'test'))}"), draws=10), answers=["label"])
    with pytest.raises(UsageError, match="at least 10"):
        fewshot(draws=3)
