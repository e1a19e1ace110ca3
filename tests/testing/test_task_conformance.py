"""The kit for tasks, on a task that is small enough to read at a glance."""

import os
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ghbench import registry
from ghbench.dataset import DatasetCard, Target
from ghbench.digests import digest_array
from ghbench.extractor import Encoder
from ghbench.task import Evaluation, Metric, Role, Score, Units
from ghbench.testing import ConformanceError, check_task, pictures


class EightPictures:
    ids = tuple(f"picture-{row}" for row in range(8))
    recipe_digest = None

    def __init__(self):
        self.targets = {"label": Target("label", np.arange(8, dtype=np.int64) // 2, "class", ("a", "b", "c", "d"))}
        self.splits = {"test": np.arange(8, dtype=np.int64)}
        self.pixels = pictures((8, 8)).transpose(0, 2, 3, 1)

    def card(self):
        return DatasetCard("eight", "Eight pictures", "Apache-2.0", "none", "made here")

    def __len__(self):
        return 8

    def image(self, row):
        return self.pixels[row].copy()

    def image_digests(self):
        return [digest_array(picture) for picture in self.pixels]

    identities = image_digests


class NearestNeighbour:
    """Is the nearest other picture of the same label?"""

    name = "nearest"
    version = 1
    metrics = (Metric("accuracy"),)
    requires = (Encoder,)
    policies = ("concat",)
    references = ()

    def protocol(self):
        return {"neighbours": 1, "leave": "one out"}

    def roles(self):
        return {"test": Role(EightPictures())}

    def evaluate(self, inputs):
        features = np.concatenate(list(inputs.features["test"]["plain"].values()), axis=1)
        distances = np.linalg.norm(features[:, None] - features[None], axis=2)
        np.fill_diagonal(distances, np.inf)
        labels = inputs.datasets["test"].targets["label"].values
        right = labels[distances.argmin(axis=1)] == labels
        return Evaluation(pd.DataFrame({"row": np.arange(8), "right": right}))

    def score(self, records, sample_weight=None):
        return [Score("accuracy", float(np.average(records["right"], weights=sample_weight)))]

    def units(self, records):
        return Units("pictures", records["row"].to_numpy(), None, 8)


class Unweighted(NearestNeighbour):
    def score(self, records, sample_weight=None):
        return [Score("accuracy", 0.5 if sample_weight is None else 0.75)]


class Scribbling(NearestNeighbour):
    def score(self, records, sample_weight=None):
        records["right"] = True
        return [Score("accuracy", 1.0)]


class Restless(NearestNeighbour):
    draws = np.random.default_rng(0)

    def evaluate(self, inputs):
        return Evaluation(super().evaluate(inputs).records.assign(noise=self.draws.random(8)))


class NotJson(NearestNeighbour):
    def protocol(self):
        return {"folds": np.arange(3)}


class FewUnits(NearestNeighbour):
    def units(self, records):
        return Units("pictures", records["row"].to_numpy(), None, 4)


class MoreUnits(NearestNeighbour):
    def units(self, records):
        return Units("images", records["row"].to_numpy(), None, 1000)


class Restful(NearestNeighbour):
    def score(self, records, sample_weight=None):
        return [Score("accuracy", 0.375)]


class SecondUnweighted(NearestNeighbour):
    metrics = (Metric("accuracy"), Metric("error"))

    def score(self, records, sample_weight=None):
        return [*super().score(records, sample_weight), Score("error", float(1 - records["right"].mean()))]


class OtherMetric(NearestNeighbour):
    metrics = (Metric("auc"), Metric("accuracy"))


class Undeclared(NearestNeighbour):
    metrics = (Metric("auc"),)


class Unexplained(NearestNeighbour):
    metrics = (Metric("accuracy", uncertainty="error"),)


class WrongReplicates(NearestNeighbour):
    def score_replicates(self, records, multiplicity, metrics=None):
        return {("accuracy", None): np.full(len(multiplicity), 0.5)}


def test_an_honest_task_passes_and_gives_its_scores():
    assert [score.metric for score in check_task(NearestNeighbour())] == ["accuracy"]


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        (Unweighted, "weights of one change the scores"),
        (Scribbling, "changed the records"),
        (Restless, "equal inputs and seed give other records"),
        (NotJson, "does not survive JSON"),
        (FewUnits, "3, one a record"),
        (MoreUnits, "do not hold all"),
        (Restful, "does not change with the units"),
        (SecondUnweighted, "error does not change"),
        (OtherMetric, "'auc' is not scored"),
        (Undeclared, "accuracy"),
        (Unexplained, "standard error"),
        (WrongReplicates, "score_replicates"),
    ],
)
def test_a_broken_task_is_told_which_promise_it_breaks(task, sentence):
    with pytest.raises(ConformanceError, match=sentence):
        check_task(task())


class UpsideDown(NearestNeighbour):
    metrics = (Metric("accuracy", higher_is_better=False),)


def test_features_that_know_the_answer_are_no_worse_than_random_ones():
    check_task(NearestNeighbour(), answers=["label"])
    check_task(UpsideDown())
    with pytest.raises(ConformanceError, match="declares that lower is better"):
        check_task(UpsideDown(), answers=["label"])
    with pytest.raises(ConformanceError, match="no target points; it has label"):
        check_task(NearestNeighbour(), answers="points")


def test_something_that_is_no_task_is_refused():
    with pytest.raises(ConformanceError, match="lacks an attribute or method"):
        check_task(SimpleNamespace(name="nothing"))


@pytest.mark.network
@pytest.mark.skipif(os.environ.get("GHBENCH_OFFLINE") == "1", reason="GHBENCH_OFFLINE=1")
@pytest.mark.parametrize("pairs", ["all", "official"])
def test_verification_on_orl_keeps_the_contract(pairs):
    scores = check_task(
        registry.build("task", f"ghbench_tasks.verification.faces:orl,pairs={pairs}"), answers=["label"]
    )
    assert "accuracy" in {score.metric for score in scores}
