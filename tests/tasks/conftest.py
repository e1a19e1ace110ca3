"""Tasks that are small enough to be worked out on paper."""

from types import SimpleNamespace

import numpy as np
import pytest
from ghbench_tasks.verification.pair_sets import PairSet, one_draw
from ghbench_tasks.verification.task import VerificationTask

from ghbench.dataset import DatasetCard, Target
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord
from ghbench.task import TaskInputs


class Labelled(SimpleNamespace):
    """A dataset of which the task only needs labels, and names for its notes."""

    @property
    def ids(self):
        return [str(row) for row in range(len(self))]

    def identities(self):
        return self.ids

    def __len__(self):
        return len(self.targets["label"].values)

    def card(self):
        return DatasetCard("tiny", "Tiny", "Apache-2.0", "none", "made here")


@pytest.fixture(scope="session")
def verify():
    """Run a task on features given by level: records, and scores by (metric, level)."""

    def run(pairs, labels, features, *, policy="concat", similarity="l2", mean=None, flipped=None, flip=False):
        assert isinstance(pairs, PairSet)
        people = np.asarray(labels, dtype=np.int64)
        names = [str(person) for person in range(people.max() + 1)]
        dataset = Labelled(targets={"label": Target("label", people, "class", names)})
        task = VerificationTask("tiny", lambda: dataset, lambda _: pairs, {"pairs": "by hand"}, folds=True, flip=flip)
        arrays = {level: np.asarray(values, dtype=np.float32) for level, values in features.items()}
        views = {"plain": arrays}
        if flipped is not None:
            views["flipped"] = {level: np.asarray(values, dtype=np.float32) for level, values in flipped.items()}
        spec = ExtractorSpec(
            name="hand",
            version="1",
            levels=tuple(Level(level, values.shape[1]) for level, values in arrays.items()),
            default_levels=tuple(arrays),
            preprocessing=Preprocessing((8, 8)),
            weights_digest="0",
            training=TrainingRecord(),
            licence="none",
            similarity=similarity,
            mean=mean,
        )
        features = {"pairs": views}
        inputs = TaskInputs(None, spec, {"pairs": dataset}, features, tuple(arrays), policy, None)
        evaluation = task.evaluate(inputs)
        records = evaluation.records
        scores = {score.metric: score for score in task.score(records)}
        return SimpleNamespace(task=task, records=records, scores=scores, notes=evaluation.notes)

    return run


@pytest.fixture(scope="session")
def crowd():
    """Twelve people with four images each in three folds: pairs, labels, one perfect level and two of noise."""
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(12), 4)
    left, right = np.triu_indices(48, 1)
    fold_of = np.arange(12) % 3
    inside = fold_of[labels[left]] == fold_of[labels[right]]
    left, right = left[inside], right[inside]
    pairs = one_draw(left, right, labels[left] == labels[right], fold_of[labels[left]])
    levels = {
        "noise": rng.normal(size=(48, 3)),
        "perfect": labels[:, None] * 10.0 + rng.normal(size=(48, 1)) * 0.1,
        "more-noise": rng.normal(size=(48, 5)),
    }
    return SimpleNamespace(pairs=pairs, labels=labels, levels=levels)
