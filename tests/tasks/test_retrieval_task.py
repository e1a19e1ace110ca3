"""Retrieval: average precision by hand and by scikit-learn, queries without an answer, the conformance kit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ghbench_tasks.classification.retrieval import retrieval
from sklearn.metrics import average_precision_score

from ghbench.probes import knn
from ghbench.probes.ranking import rank_relevant
from ghbench.running import runner
from ghbench.spec_string import parse
from ghbench.testing import check_task


def test_three_rows_by_hand():
    # From row 0 the order is 1, 2, 3; rows 0 and 3 are of one class, and so are 1 and 2.
    features = np.array([[1.0, 0], [0.9, 0.1], [0.5, 0.5], [0, 1]])
    found = rank_relevant(features, np.array([7, 4, 4, 7]))
    np.testing.assert_array_equal(found.first, [3, 2, 1, 3])
    np.testing.assert_allclose(found.precision, [1 / 3, 1 / 2, 1, 1 / 3])
    np.testing.assert_allclose(found.precision_at_r, [0, 0, 1, 0])


@pytest.mark.parametrize("kind", ["cosine", "l2"])
def test_average_precision_is_scikit_learns(kind, monkeypatch):
    monkeypatch.setattr(knn, "_BLOCK", 300)
    draw = np.random.default_rng(0)
    classes = draw.integers(0, 6, 50)
    features = (draw.normal(size=(6, 8))[classes] + draw.normal(size=(50, 8))).astype(np.float32)
    found = rank_relevant(features, classes, kind)
    exact = features.astype(np.float64)
    unit = exact / np.linalg.norm(exact, axis=1, keepdims=True)
    alike = unit @ unit.T if kind == "cosine" else -np.linalg.norm(exact[:, None] - exact[None], axis=2)
    for place, row in enumerate(found.queries):
        others = np.delete(np.arange(50), row)
        expected = average_precision_score(classes[others] == classes[row], alike[row, others])
        assert found.precision[place] == pytest.approx(expected)


def test_features_that_are_all_equal_score_what_chance_does():
    classes = np.repeat(np.arange(10), 30)
    found = rank_relevant(np.tile(np.random.default_rng(0).normal(size=512), (300, 1)), classes)
    chance = retrieval().chance(pd.DataFrame({"class": classes, "gallery": 300}))
    assert found.precision.mean() == pytest.approx(chance, abs=0.01)


def test_images_without_another_of_their_class_are_no_queries():
    found = rank_relevant(np.eye(3), np.array([0, 0, 1]))
    assert found.queries.tolist() == [0, 1]


@pytest.mark.parametrize("splits", [("train", "test"), ("",)])
def test_classes_that_differ_are_found(folder_of_classes, options, splits):
    root = folder_of_classes(splits)
    result = runner.run("pixels:size=8", f"retrieval:dataset=imagefolder,dataset.path={root}", options)
    found = {metric.metric: metric.value for metric in result.metrics}
    assert found["recall-10"] == 1.0
    assert found["map"] > 0.5
    assert result.counts.records == 16


def test_a_test_split_is_enough(folder_of_classes, options):
    root = folder_of_classes(("val", "test"))
    result = runner.run("pixels:size=8", f"retrieval:dataset=imagefolder,dataset.path={root}", options)
    assert result.counts.records == 16


def test_the_kit_accepts_the_task(folder_of_classes):
    check_task(retrieval(parse(f"imagefolder:path={folder_of_classes(('train', 'test'))}")), answers=["label"])


def test_chance_is_the_mean_average_precision_of_random_orders():
    draw = np.random.default_rng(0)
    classes = np.repeat(np.arange(4), [3, 5, 5, 7])
    records = pd.DataFrame({"image": np.arange(20), "class": classes})
    found = []
    for _ in range(400):
        for query in range(20):
            others = draw.permutation(np.delete(classes, query)) == classes[query]
            found.append((np.cumsum(others) / np.arange(1, 20))[others].mean())
    assert retrieval().chance(records.assign(gallery=20)) == pytest.approx(np.mean(found), abs=0.005)
    among_more = retrieval().chance(records.assign(gallery=40))
    assert among_more < retrieval().chance(records.assign(gallery=20)), (
        "images that are no queries are among the others"
    )
