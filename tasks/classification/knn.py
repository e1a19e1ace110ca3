"""Classification by the k nearest neighbours: nothing is trained, so the features themselves are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench import registry
from ghbench.data.subset import Subset
from ghbench.dataset import Dataset, labels
from ghbench.errors import DataError, UsageError
from ghbench.extractor import Encoder
from ghbench.probes.knn import majority, nearest
from ghbench.spec_string import SpecString
from ghbench.task import Evaluation, Metric, Policy, Reference, Role, Score, TaskInputs, Units

TRAIN, TEST, ONLY = "train", "test", "images"
NEIGHBOURS = (1, 5, 20)
MAIN = 5


def knn(dataset: SpecString | None = None, training: int = 0, test: int = 0) -> Knn:
    """Classify images by their nearest neighbours; without a split, each image by all others.

    Args:
        dataset: A dataset with labels.
        training: Training images, drawn with a fixed seed; 0 for all.
        test: Test images, likewise; 0 for all.
    """
    if training < 0 or test < 0:
        raise UsageError(f"training={training}, test={test}; expected numbers of images, 0 for all")
    return Knn(dataset or SpecString("fashion-mnist"), training, test)


@dataclass(frozen=True)
class Knn:
    """See `knn`; satisfies `ghbench.task.Task`.

    Args:
        source: Spec string of the dataset.
        training: Training images, 0 for all.
        test: Test images, 0 for all.
    """

    source: SpecString
    training: int = 0
    test: int = 0
    version: int = field(default=1, init=False)
    requires: tuple[type, ...] = field(default=(Encoder,), init=False)
    compares: bool = field(default=True, init=False)
    policies: tuple[Policy, ...] = field(default=("concat",), init=False)
    metrics: tuple[Metric, ...] = field(
        default=tuple(Metric(f"top1-k{k}") for k in sorted(NEIGHBOURS, key=lambda k: k != MAIN)), init=False
    )
    references: tuple[Reference, ...] = field(
        default=(
            Reference("pixels", "pixels", floor=True),
            Reference("thumbnail", "thumbnail", floor=True),
            Reference("random-trunk:seed=0", "untrained network", floor=True),
            Reference("random-trunk:seed=1", "untrained network", floor=True),
            Reference("random-trunk:seed=2", "untrained network", floor=True),
        ),
        init=False,
    )

    @property
    def name(self) -> str:
        """Canonical spec string."""
        inner = {f"dataset.{key}": value for key, value in self.source.options.items()}
        numbers = {key: str(value) for key, value in (("training", self.training), ("test", self.test)) if value}
        whole = SpecString(self.source.name, self.source.package, self.source.attribute)
        return str(SpecString("knn", options={"dataset": str(whole), **inner, **numbers}))

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        return {
            "kind": "knn",
            "dataset": self.source.name,
            "split": "each image among all others" if self._alone else "train and test",
            "training": self.training or "all",
            "test": self.test or "all",
            "drawn": "with numpy's default generator of seed 0, in the dataset's order",
            "search": "exact",
            "vote": "majority; of several classes the one with the nearest neighbour",
            "similarity": "as the extractor declares, or in a metric learned from generated pictures",
            "tuned": "nothing",
            "training_overlap": "refuse",
        }

    def roles(self) -> Mapping[str, Role]:
        """Training and test images, or all of them in one role."""
        dataset = self._dataset
        if self._alone and self.training:
            raise UsageError(f"{self.source.name} has no training split for training={self.training}", fix="test=N")
        if self._alone:
            return {ONLY: Role(_some(dataset, None, self.test))}
        return {
            TRAIN: Role(_some(dataset, TRAIN, self.training), TRAIN, judged=False),
            TEST: Role(_some(dataset, TEST, self.test), TEST),
        }

    def check_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Refuse what could not be judged, see `ghbench.task.Checking`."""
        known = datasets[ONLY if self._alone else TRAIN]
        if len(known) <= MAIN or len(np.unique(labels(known).values)) < 2:
            raise DataError(f"{len(known)} images to learn from; expected more than {MAIN}, of at least two classes")

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Find neighbours and vote.

        Returns:
            One record an image: `image` (row), `class`, `unit`, and `k1`, `k5`, ..., the class that so many neighbours
            vote for; numbers of neighbours that are not there are left out.
        """
        role = ONLY if self._alone else TEST
        known_role = ONLY if self._alone else TRAIN
        queries, known = (self._features(inputs, name) for name in (role, known_role))
        truth, classes = (labels(inputs.datasets[name]).values for name in (role, known_role))
        alone = np.arange(len(queries)) if self._alone else None
        ks = [k for k in NEIGHBOURS if k < len(known)]
        rows, _ = nearest(queries, known, max(ks), inputs.extractor_spec.similarity, excluded=alone)
        count = int(max(truth.max(), classes.max())) + 1
        records = pd.DataFrame({"image": np.arange(len(queries), dtype=np.int32), "class": truth.astype(np.int32)})
        person = inputs.datasets[role].card().by_person
        records["unit"] = records["class"] if person else records["image"]
        for k in ks:
            records[f"k{k}"] = majority(classes[rows[:, :k]], count).astype(np.int32)
        return Evaluation(records)

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """Share of images whose class wins the vote.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        truth = records["class"].to_numpy()
        return [
            Score(f"top1-k{k}", float(np.average(records[f"k{k}"].to_numpy() == truth, weights=sample_weight)))
            for k in NEIGHBOURS
            if f"k{k}" in records.columns
        ]

    def units(self, records: pd.DataFrame) -> Units:
        """People where classes are people, else images."""
        names, code = np.unique(records["unit"].to_numpy(), return_inverse=True)
        people = bool((records["unit"] == records["class"]).all()) and len(names) < len(records)
        return Units("people" if people else "images", code.astype(np.int64), None, len(names), names.tolist())

    def _features(self, inputs: TaskInputs, role: str) -> NDArray[np.floating[Any]]:
        mean, views = inputs.extractor_spec.mean, inputs.features[role]["plain"]
        parts = [
            views[level] if mean is None else views[level] - np.asarray(mean[level], np.float32)
            for level in inputs.levels
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    @cached_property
    def _dataset(self) -> Dataset:
        dataset: Dataset = registry.build("dataset", self.source)
        labels(dataset)
        return dataset

    @property
    def _alone(self) -> bool:
        splits = self._dataset.splits
        if TRAIN in splits and TEST in splits:
            return False
        if set(splits) - {"all"}:
            raise UsageError(
                f"{self.source.name} has the splits {', '.join(splits)}; expected train and test, or none at all"
            )
        return True


def _some(dataset: Dataset, split: str | None, count: int) -> Dataset:
    """Some images of a split, drawn with a fixed seed, alone; the whole dataset where `count` is 0."""
    rows = np.arange(len(dataset)) if split is None else np.asarray(dataset.splits[split])
    if not count or count >= len(rows):
        return dataset
    return Subset(dataset, np.sort(np.random.default_rng(0).choice(rows, count, replace=False)))
