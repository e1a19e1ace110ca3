"""What tasks that predict numbers share: roles, constants, and predictions from features by ridge regression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.dataset import Dataset, content_digest
from ghbench.digests import digest_json
from ghbench.extractor import SubjectSpec, TrainingRecord
from ghbench.imaging import resize_step
from ghbench.probes.knn import nearest
from ghbench.probes.regression import HELD_OUT, STRENGTHS, ridge_answers
from ghbench.probes.rows import side_by_side
from ghbench.task import Reference, Role, TaskInputs, Units

TRAIN, VALIDATION, TEST = "train", "val", "test"
MEAN, NEAREST = "mean-answer", "nearest-image"
BASELINES = (
    Reference(MEAN, "mean of the training images", floor=True),
    Reference(NEAREST, "answer of the nearest training image", floor=True),
    Reference("pixels:size=16", "thumbnail", floor=True),
    Reference("pixels:size=32", "pixels", floor=True),
    *(Reference(f"random-trunk:seed={seed}", "untrained network", floor=True) for seed in range(3)),
)
THUMBNAIL = 16
"""Side at which the nearest image is looked for."""

Numbers = NDArray[np.float64]
Features = Callable[[Dataset], NDArray[np.float32]]
"""What takes the place of features [N, D] of images."""


@dataclass(frozen=True, eq=False)
class Constant:
    """A row that needs no extractor; satisfies `ghbench.extractor.Subject`.

    Args:
        name: Of its row.
        training: The images that it takes its answers from.
        features: What takes the place of features, None where there is no regression.
    """

    name: str
    training: Role
    features: Features | None = None

    def spec(self) -> SubjectSpec:
        """Describe it."""
        return SubjectSpec(
            name=self.name,
            version="1",
            weights_digest=digest_json([self.name, content_digest(self.training.dataset), self.training.split]),
            training=TrainingRecord(),
            licence="none needed: nothing was trained",
        )


def described() -> dict[str, Any]:
    """What the protocols of these tasks say of the regression, as JSON values."""
    return {
        "predicted": "ridge regression on standardised features",
        "strengths": list(STRENGTHS),
        "tuned": f"the strength of each group of numbers, on the split {VALIDATION}; where there is none, on "
        f"{HELD_OUT:.0%} of the training rows, and then all of them are fitted",
    }


def roles_of_splits(dataset: Dataset) -> Mapping[str, Role]:
    """Training and test images of a dataset with both splits, and validation images where it has them."""
    wanted = [TRAIN, TEST, *([VALIDATION] if VALIDATION in dataset.splits else [])]
    return {split: Role(dataset, split, judged=split == TEST) for split in wanted}


def taught(truth: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """The answers of all roles but the one that is judged."""
    return {role: values for role, values in truth.items() if role != TEST}


def predict(
    inputs: TaskInputs,
    truth: Mapping[str, Numbers],
    groups: Mapping[str, slice],
    rows: Mapping[str, NDArray[np.int64]] | None = None,
) -> tuple[Numbers, tuple[str, ...]]:
    """Predict the numbers of the test images.

    Args:
        inputs: Of the task; its roles are `train`, `test`, and `val` where there are validation images.
        truth: By role float64 [N, T], of those that teach.
        groups: Columns that share a strength, by name; together all of them.
        rows: By role the images that are used, int64; None: all of every role.

    Returns:
        float64 [Q, T], and notes for the reader.
    """
    chosen = rows or {role: np.arange(len(dataset)) for role, dataset in inputs.datasets.items()}
    subject, known = inputs.subject, truth[TRAIN]
    if isinstance(subject, Constant) and subject.name == MEAN:
        return np.broadcast_to(known.mean(axis=0), (len(chosen[TEST]), known.shape[1])), ()
    if isinstance(subject, Constant) and subject.features is None:
        one, two = (_thumbnails(inputs.datasets[role], chosen[role]) for role in (TEST, TRAIN))
        return known[nearest(one, two, 1, "l2")[0][:, 0]], ()

    def features(role: str) -> NDArray[np.float32]:
        own = subject.features if isinstance(subject, Constant) else None
        found = joined(inputs, role) if own is None else own(inputs.datasets[role])
        return found if len(chosen[role]) == len(found) else found[chosen[role]]

    validation = (features(VALIDATION), truth[VALIDATION]) if VALIDATION in truth else None
    predicted, choices = ridge_answers((features(TRAIN), known), features(TEST), groups, validation=validation)
    edges = [name for name, choice in choices.items() if choice.at_edge]
    told = ", ".join(f"{name} {choice.strength:.2g}" for name, choice in choices.items())
    edge = f"; at the edge of those tried: {', '.join(edges)}" if edges else ""
    return predicted, (f"strengths: {told}{edge}",)


def joined(inputs: TaskInputs, role: str) -> NDArray[np.float32]:
    """Features of a role, its levels beside one another: float32 [N, D]."""
    return side_by_side(inputs.features[role]["plain"], inputs.levels)


def _thumbnails(dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    step = resize_step("crop-bilinear")
    images = [step.apply(dataset.image(row), (THUMBNAIL, THUMBNAIL)).reshape(-1) for row in rows.tolist()]
    return np.stack(images).astype(np.float32)


def image_units(records: pd.DataFrame) -> Units:
    """Images are what varies independently: each shows another room or face."""
    return Units("images", np.arange(len(records)), None, len(records), records["image"].tolist())
