"""Linear probing: scores by hand, folds, what wide features may not win by, the conformance kit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ghbench_tasks.classification.linear import FOLDS, folds_of, linear
from sklearn.metrics import balanced_accuracy_score, log_loss, top_k_accuracy_score

from ghbench.errors import DataError, UsageError
from ghbench.metrics.calibration import calibration_error
from ghbench.running import runner
from ghbench.spec_string import parse
from ghbench.testing import check_task


def test_scores_are_those_of_scikit_learn():
    draw = np.random.default_rng(0)
    chances = draw.dirichlet(np.ones(7), 300)
    truth, weight = draw.integers(0, 7, 300), draw.integers(0, 4, 300).astype(float)
    order = np.argsort(-chances, axis=1)
    rank = 1 + np.argmax(order == truth[:, None], axis=1)
    records = pd.DataFrame({
        "class": truth, "predicted": chances.argmax(1), "rank": rank, "confidence": chances.max(1),
        "probability": chances[np.arange(300), truth], "person": False,
    })  # fmt: skip
    found = {score.metric: score.value for score in linear().score(records, weight)}
    classes = np.arange(7)
    assert found["top1"] == pytest.approx(top_k_accuracy_score(truth, chances, k=1, sample_weight=weight))
    assert found["top5"] == pytest.approx(top_k_accuracy_score(truth, chances, k=5, sample_weight=weight))
    assert found["balanced"] == pytest.approx(balanced_accuracy_score(truth, chances.argmax(1), sample_weight=weight))
    assert found["cross-entropy"] == pytest.approx(log_loss(truth, chances, sample_weight=weight, labels=classes))


def test_the_calibration_error_by_hand():
    confidence = np.array([0.95, 0.96, 0.55, 0.58])
    right = np.array([True, False, True, True])
    assert calibration_error(confidence, right, bins=10) == pytest.approx((abs(1.91 - 1) + abs(1.13 - 2)) / 4)
    # With whole weights it is that of repeated records.
    weighted = calibration_error(confidence, right, np.array([2.0, 1, 0, 1]), bins=10)
    rows = [0, 0, 1, 3]
    assert weighted == pytest.approx(calibration_error(confidence[rows], right[rows], bins=10))
    assert calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0


@pytest.mark.parametrize("splits", [("train", "test"), ("",)])
def test_classes_that_differ_are_told_apart(folder_of_classes, options, splits):
    root = folder_of_classes(splits)
    result = runner.run("pixels:size=8", f"linear:dataset=imagefolder,dataset.path={root}", options)
    found = {metric.metric: metric.value for metric in result.metrics}
    assert found["top1"] == found["balanced"] == 1.0
    assert found["calibration"] < 0.2
    assert any("L2 strength" in note for note in result.warnings)


def test_with_as_few_components_everybody_has_as_many_numbers(folder_of_classes, options):
    root = folder_of_classes(("train", "test"))
    result = runner.run("pixels:size=8", f"linear:dataset=imagefolder,dataset.path={root},pca=2", options)
    assert result.task.name.endswith("pca=2")
    assert next(metric.value for metric in result.metrics if metric.metric == "top1") == 1.0


def test_a_person_who_is_drawn_twice_counts_twice():
    draw = np.random.default_rng(0)
    people = np.repeat(np.arange(8), 5)
    rank = draw.integers(1, 3, 40)
    records = pd.DataFrame({
        "class": people, "unit": people, "person": True, "rank": rank, "confidence": 0.5, "probability": 0.5,
    })  # fmt: skip
    times = np.array([2, 0, 1, 3, 0, 1, 1, 0])
    found = {score.metric: score.value for score in linear().score(records, times[people].astype(float))}
    assert found["balanced"] == pytest.approx(found["top1"]), "all people have as many images"


def test_classes_that_no_training_image_shows_have_no_probability(folder_of_classes, options):
    root = folder_of_classes(("train", "test"))
    (root / "test" / "up").mkdir()
    (root / "test" / "left" / "0.png").rename(root / "test" / "up" / "0.png")
    (root / "train" / "up").mkdir()
    for number in range(2):
        (root / "train" / "up" / f"{number}.png").write_bytes((root / "train" / "left" / f"{number}.png").read_bytes())
    result = runner.run("pixels:size=8", f"linear:dataset=imagefolder,dataset.path={root},training=14", options)
    found = {metric.metric: metric for metric in result.metrics}
    assert found["cross-entropy"].value < 30
    assert found["calibration"].interval is None


def test_validation_images_choose_the_strength(folder_of_classes, options):
    root = folder_of_classes(("train", "val", "test"))
    task = linear(parse(f"imagefolder:path={root}"))
    assert set(task.roles()) == {"train", "val", "test"}
    result = runner.run("pixels:size=8", f"linear:dataset=imagefolder,dataset.path={root}", options)
    assert next(metric.value for metric in result.metrics if metric.metric == "top1") == 1.0


def test_validation_images_of_a_class_that_is_not_taught_are_left_out_and_told(folder_of_classes, options):
    root = folder_of_classes(("train", "val", "test"))
    (root / "val" / "other").mkdir()
    for number, path in enumerate(sorted((root / "val" / "left").iterdir())[:2]):
        (root / "val" / "other" / f"{number}.png").write_bytes(path.read_bytes())
    result = runner.run("pixels:size=8", f"linear:dataset=imagefolder,dataset.path={root}", options)
    assert any(note.startswith("2 validation images are left out") for note in result.warnings)


@pytest.mark.parametrize(("task", "per_class"), [("linear", 1), ("fewshot", 4)])
def test_too_few_images_are_refused_before_anything_is_encoded(folder_of_classes, options, task, per_class):
    root = folder_of_classes(("train", "test"), per_class)
    with pytest.raises(DataError, match="expected at least"):
        runner.run("pixels:size=8", f"{task}:dataset=imagefolder,dataset.path={root}", options)


def test_folds_hold_each_class_evenly():
    classes = np.repeat(np.arange(4), 10)
    folds = folds_of(classes, FOLDS)
    assert all((np.bincount(folds[classes == one], minlength=FOLDS) == 2).all() for one in range(4))


def test_the_kit_accepts_the_task(folder_of_classes):
    check_task(linear(parse(f"imagefolder:path={folder_of_classes(('train', 'test'))}")), answers=["label"])
    with pytest.raises(UsageError, match="pca"):
        linear(pca=-1)


def test_wrong_images_are_listed_with_the_confidence_in_the_wrong_class():
    records = pd.DataFrame({"image": [0, 1, 2], "rank": [1, 2, 3], "confidence": [0.9, 0.8, 0.6]})
    records["probability"] = [0.9, 0.1, 0.2]
    (found,) = linear(parse("digits")).errors(records)
    assert (found.role, found.images.tolist(), found.error.tolist()) == (None, [[1], [2]], [0.8, 0.6])
    assert linear(parse("digits")).errors(records[:1]) == []
