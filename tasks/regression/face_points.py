"""What tasks on faces with points share: which faces teach and which are judged, and the oracles of generated ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench import registry
from ghbench.data.framed import Framed
from ghbench.data.generated_faces import SIZE, GeneratedFaces
from ghbench.data.subset import Subset
from ghbench.dataset import Dataset
from ghbench.errors import DataError, UsageError
from ghbench.extractor import Encoder, Subject
from ghbench.metrics.landmarks import NORMALISERS
from ghbench.spec_string import SpecString
from ghbench.task import Policy, Reference, Role, TaskInputs, Units
from ghbench.task_errors import ErrorList, errors_of_images

from .prediction import BASELINES, MEAN, NEAREST, TEST, TRAIN, Constant, described, image_units, roles_of_splits

GENERATED = SpecString("generated-faces")
AGAIN, TRUE_W, TRUE_Y = "dlib-again", "true-w", "true-y"
ORACLES = (
    Reference(AGAIN, "dlib on the mirrored image: its own noise"),
    Reference(TRUE_W, "oracle: the w that each image was drawn from"),
    Reference(TRUE_Y, "oracle: the styles that each image was drawn from"),
)
_CODES_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class FacePointsTask:
    """A task on a dataset with points.

    Args:
        source: Spec string of the dataset. One with splits teaches with `train`; of any other, faces are aligned as in
            FFHQ, and generated faces teach.
    """

    source: SpecString = GENERATED
    version: int = field(default=1, init=False)
    requires: tuple[type, ...] = field(default=(Encoder,), init=False)
    policies: tuple[Policy, ...] = field(default=("concat",), init=False)
    kind: ClassVar[str]
    wrong: ClassVar[tuple[str, str, str]]
    """Column of the errors that are listed, what the largest are called, and their unit."""

    @property
    def name(self) -> str:
        """Canonical spec string."""
        return str(SpecString(self.kind, options={**self.source_options(), **self.own_options()}))

    def source_options(self) -> dict[str, str]:
        """The dataset and its options, where they are not the usual ones."""
        return {} if self.source == GENERATED else self.source.nested("dataset")

    def own_options(self) -> dict[str, str]:
        """Options beside the dataset that differ from their defaults."""
        return {}

    @property
    def references(self) -> tuple[Reference, ...]:
        """Rows to beat, and oracles where images are generated; a jittered image is not what its codes say."""
        if not self.is_generated:
            return BASELINES
        return BASELINES + (ORACLES[:1] if self.is_jittered else ORACLES)

    @property
    def is_generated(self) -> bool:
        """Whether images are generated, and points are dlib's."""
        return self.source.name == GENERATED.name and self.source.attribute is None

    @property
    def is_jittered(self) -> bool:
        """Whether generated images are moved, so that they are not what their codes say."""
        return isinstance(self.dataset, GeneratedFaces) and self.dataset.jitter

    def described(self) -> dict[str, Any]:
        """What the protocols have in common, as JSON values."""
        return {
            "kind": self.kind,
            "dataset": self.source.name,
            # Points are where they are in the frame that the task gives; nothing may align it again.
            "align": "none",
            "points": "by dlib; images on which it finds no face are left out" if self.is_generated else "as published",
            "taught": "split train; where there is none, generated faces, and the judged ones are aligned by ffhq",
            **described(),
        }

    def roles(self) -> Mapping[str, Role]:
        """Training and test faces, and validation faces where the dataset has them."""
        dataset = self.dataset
        if {TRAIN, TEST} <= set(dataset.splits):
            return roles_of_splits(dataset)
        if self.is_generated:
            raise UsageError("generated faces without training or test images", fix="dataset.train=N, dataset.test=N")
        split = TEST if TEST in dataset.splits else None
        return {
            TRAIN: Role(GeneratedFaces(test=0), TRAIN, judged=False),
            TEST: Role(Framed(dataset, SIZE, "ffhq"), split),
        }

    def constant(self, name: str) -> Subject | None:
        """A reference row of the task's own, see `ghbench.task_abilities.WithConstants`."""
        features = {MEAN: None, NEAREST: None, AGAIN: None, TRUE_W: true_w, TRUE_Y: true_y}
        if name not in {reference.name for reference in self.references} or name not in features:
            return None
        return Constant(name, self.roles()[TRAIN], features[name])

    @cached_property
    def dataset(self) -> Dataset:
        """The faces."""
        found: Dataset = registry.build("dataset", self.source)
        return found

    def check_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Refuse what has no points, see `ghbench.task_abilities.Checking`."""
        for dataset in datasets.values():
            points_of(dataset)

    def usable(self, inputs: TaskInputs) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
        """Rows of each role whose points are known, and a note on the others.

        Raises:
            DataError: A dataset without points, with points in another number, or without a known face.
        """
        rows, notes = {}, []
        for role, dataset in inputs.datasets.items():
            # Where dlib's second answer is missing, nobody is judged: all systems stand on the same faces.
            again = dataset.targets.get("again")
            points = points_of(dataset) if again is None else np.hstack([points_of(dataset), again.values])
            known: NDArray[np.bool_] = np.all(np.isfinite(points), axis=(1, 2))
            if known.sum() < (2 if role == TRAIN else 1):
                raise DataError(f"{dataset.card().name}: {known.sum()} images with points in role {role!r}")
            rows[role] = np.flatnonzero(known)
            if not known.all():
                notes.append(f"{(~known).sum()} of {len(known)} images of the split {role} without points are left out")
        return rows, tuple(notes)

    def chance(self, records: pd.DataFrame) -> float | str:  # noqa: ARG002 - of the contract
        """Who knows nothing answers the mean."""
        return MEAN

    def errors(self, records: pd.DataFrame) -> Sequence[ErrorList]:
        """All faces by their error, see `ghbench.task_errors.WithErrors`."""
        column, title, unit = self.wrong
        return errors_of_images(title, unit, records, records[column].to_numpy())

    def units(self, records: pd.DataFrame) -> Units:
        """Images: each shows another face."""
        return image_units(records)


def points_of(dataset: Dataset) -> NDArray[np.float64]:
    """The points of a dataset's faces: float64 [N, P, 2].

    Raises:
        DataError: It has none, or points in a number for which there is no normaliser.
    """
    target = dataset.targets.get("points")
    if target is None:
        raise DataError(f"dataset {dataset.card().name!r} has no points")
    values = np.asarray(target.values, np.float64)
    if values.ndim != 3 or values.shape[1] not in NORMALISERS or values.shape[2] != 2:
        counts = " or ".join(map(str, NORMALISERS))
        raise DataError(f"dataset {dataset.card().name!r} has points {values.shape}; expected [N, {counts}, 2]")
    return values


def true_w(dataset: Dataset) -> NDArray[np.float32]:
    """The w that images were drawn from, float32 [N, D]: all rows of W+ are equal."""
    return _codes(dataset, np.arange(len(dataset)))[:, 0]


def true_y(dataset: Dataset) -> NDArray[np.float32]:
    """The styles that images were drawn from, float32 [N, D]."""
    import torch

    from ghbench.generators.loading import load_generator

    ws = _codes(dataset, np.arange(len(dataset)))
    generator = load_generator(next(iter(_generated(dataset).parts.values())).generator)
    with torch.no_grad():
        parts = [
            torch.cat(list(generator.style_codes(torch.from_numpy(ws[start : start + _CODES_AT_ONCE])).values()), dim=1)
            for start in range(0, len(ws), _CODES_AT_ONCE)
        ]
    return torch.cat(parts).float().numpy()


def _codes(dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    if isinstance(dataset, Subset):
        return _codes(dataset.whole, dataset.rows[rows])
    return _generated(dataset).codes(rows.tolist())


def _generated(dataset: Dataset) -> GeneratedFaces:
    if isinstance(dataset, Subset):
        return _generated(dataset.whole)
    assert isinstance(dataset, GeneratedFaces)
    return dataset
