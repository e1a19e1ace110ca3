"""What tasks on labelled images share: which images teach and which are judged, their features, and their units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.data.known import Known, in_usual_frame, known_of
from ghbench.data.subset import Subset
from ghbench.dataset import Dataset, labels
from ghbench.errors import DataError, UsageError
from ghbench.extractor import Encoder
from ghbench.spec_string import SpecString
from ghbench.task import Policy, Reference, Role, Score, TaskInputs, Units

TRAIN, TEST, ONLY = "train", "test", "images"
DEFAULT = SpecString("fashion-mnist")
REFERENCES = (
    Reference("pixels", "pixels", floor=True),
    Reference("thumbnail", "thumbnail", floor=True),
    *(Reference(f"random-trunk:seed={seed}", "untrained network", floor=True) for seed in range(3)),
)


@dataclass(frozen=True)
class LabelledTask:
    """A task on images with classes: training and test split, or all images in one role.

    Args:
        source: Spec string of the dataset.
        training: Training images, drawn with a fixed seed; 0 for all.
        test: Test images, likewise.

    Raises:
        UsageError: A negative number.
    """

    source: SpecString = DEFAULT
    training: int = 0
    test: int = 0
    kind: ClassVar[str]
    version: int = field(default=2, init=False)
    requires: tuple[type, ...] = field(default=(Encoder,), init=False)
    policies: tuple[Policy, ...] = field(default=("concat",), init=False)
    references: tuple[Reference, ...] = field(default=REFERENCES, init=False)

    def __post_init__(self) -> None:
        if self.training < 0 or self.test < 0:
            raise UsageError(f"training={self.training}, test={self.test}; expected numbers of images, 0 for all")

    @property
    def name(self) -> str:
        """Canonical spec string."""
        return str(SpecString(self.kind, options={**self.source.nested("dataset"), **self.own_options()}))

    def own_options(self) -> dict[str, str]:
        """Options beside the dataset that differ from their defaults."""
        return {key: str(value) for key, value in (("training", self.training), ("test", self.test)) if value}

    def described(self) -> dict[str, Any]:
        """What all protocols say, as JSON values."""
        return {
            "kind": self.kind,
            "dataset": self.source.name,
            "training": self.training or "all",
            "test": self.test or "all",
            "drawn": "with numpy's default generator of seed 0, in the dataset's order",
            "frame": f"{self.known.padding} black pixels on each side" if self.known.padding else "none",
            "training_overlap": self.known.overlap,
        }

    def roles(self) -> Mapping[str, Role]:
        """Training and test images, or all of them in one role."""
        dataset = self.dataset
        if self.alone and self.training:
            raise UsageError(f"{self.source.name} has no training split for training={self.training}", fix="test=N")
        if self.alone:
            return {ONLY: Role(some(dataset, None, self.test))}
        return {
            TRAIN: Role(some(dataset, TRAIN, self.training), TRAIN, judged=False),
            TEST: Role(some(dataset, TEST, self.test), TEST),
        }

    def check_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Refuse what could not be judged, see `ghbench.task_abilities.Checking`."""
        known = datasets[self.known_role]
        if len(known) < 2 or len(np.unique(labels(known).values)) < 2:
            raise DataError(f"{len(known)} images to learn from; expected at least two classes")

    def units(self, records: pd.DataFrame) -> Units:
        """People where classes are people, else images."""
        names, code = np.unique(records["unit"].to_numpy(), return_inverse=True)
        kind = "people" if bool(records["person"].iloc[0]) else "images"
        return Units(kind, code.astype(np.int64), None, len(names), names.tolist())

    def chance(self, records: pd.DataFrame) -> float | str:
        """Guessing is right once in as many times as there are classes among the judged images."""
        return 1 / int(records["class"].nunique())

    def records_of(self, inputs: TaskInputs) -> pd.DataFrame:
        """One record a judged image: `image`, its row, `class`, whether classes are a `person`, and its `unit`."""
        dataset = inputs.datasets[self.judged_role]
        truth = labels(dataset).values
        records = pd.DataFrame({"image": np.arange(len(truth), dtype=np.int32), "class": truth.astype(np.int32)})
        records["person"] = person = dataset.card().by_person
        records["unit"] = records["class"] if person else records["image"]
        return records

    def classes(self, inputs: TaskInputs) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Classes of the images that teach, of those that are judged, and how many there are."""
        known, judged = (labels(inputs.datasets[role]).values for role in (self.known_role, self.judged_role))
        return known, judged, int(max(known.max(), judged.max())) + 1

    def features(self, inputs: TaskInputs) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
        """Features of the images that teach and of those that are judged; one array where these are the same."""
        known = self.joined(inputs, self.known_role)
        return known, known if self.alone else self.joined(inputs, self.judged_role)

    def joined(self, inputs: TaskInputs, role: str) -> NDArray[np.floating[Any]]:
        """Features of a role [N, D], its levels beside one another, less the mean that the extractor declares."""
        mean, views = inputs.extractor_spec.mean, inputs.features[role]["plain"]
        parts = [
            views[level] if mean is None else views[level] - np.asarray(mean[level], np.float32)
            for level in inputs.levels
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    @property
    def known_role(self) -> str:
        """The role of the images that teach."""
        return ONLY if self.alone else TRAIN

    @property
    def judged_role(self) -> str:
        """The role of the images that are judged."""
        return ONLY if self.alone else TEST

    @cached_property
    def dataset(self) -> Dataset:
        """The images; they have labels."""
        dataset = in_usual_frame(self.source)
        labels(dataset)
        return dataset

    @property
    def known(self) -> Known:
        """What is known of the dataset by its name, for instance in which frame generators of such images see them."""
        return known_of(self.source)

    @property
    def alone(self) -> bool:
        """Whether the dataset has no splits, so that its images are judged among one another."""
        splits = self.dataset.splits
        if TRAIN in splits and TEST in splits:
            return False
        if set(splits) - {"all"}:
            raise UsageError(
                f"{self.source.name} has the splits {', '.join(splits)}; expected train and test, or none at all"
            )
        return True


def accuracies(
    records: pd.DataFrame, metrics: Mapping[str, str], sample_weight: NDArray[np.float64] | None
) -> list[Score]:
    """Share of records whose class is the one in a column, for each column that is there.

    Args:
        records: With a column `class`.
        metrics: Names of metrics by column.
        sample_weight: float64 [N], None for all ones.
    """
    truth = records["class"].to_numpy()
    return [
        Score(metric, float(np.average(records[column].to_numpy() == truth, weights=sample_weight)))
        for column, metric in metrics.items()
        if column in records.columns
    ]


def some(dataset: Dataset, split: str | None, count: int) -> Dataset:
    """Some images of a split, drawn with a fixed seed, alone; the whole dataset where `count` is 0."""
    rows = np.arange(len(dataset)) if split is None else np.asarray(dataset.splits[split])
    if not count or count >= len(rows):
        return dataset
    return Subset(dataset, np.sort(np.random.default_rng(0).choice(rows, count, replace=False)))
