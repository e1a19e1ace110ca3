"""Rooms: layout, camera and light of rooms drawn by code, read off features by ridge regression."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.data.rooms.dataset import Rooms
from ghbench.data.rooms.ground_truth import CORNERS, GRID, LINES
from ghbench.data.rooms.scene import SURFACES
from ghbench.dataset import Dataset
from ghbench.errors import UsageError
from ghbench.extractor import Encoder, Subject
from ghbench.metrics.layout import line_angles, map_iou, unit_angles
from ghbench.metrics.weighted_means import mean_replicates
from ghbench.spec_string import SpecString
from ghbench.task import Evaluation, Metric, Policy, Reference, Role, Score, TaskInputs, Units
from ghbench.task_errors import ErrorList, errors_of_images

from .prediction import BASELINES, MEAN, NEAREST, TEST, TRAIN, VALIDATION, Constant, described, image_units, predict

SIDES = len(SURFACES) - 1
"""Sides of a room that can be seen: all but the near one."""


def columns(widths: Sequence[tuple[str, int]]) -> dict[str, slice]:
    """Consecutive columns by name."""
    ends = np.cumsum([0, *(width for _, width in widths)]).tolist()
    return {name: slice(start, end) for (name, _), start, end in zip(widths, ends[:-1], ends[1:], strict=True)}


GROUPS = columns([
    ("corners", 2 * len(CORNERS)), ("lines", 2 * len(LINES)), ("surfaces", SIDES * GRID**2), ("angles", 2),
    ("height", 1), ("light", 3), ("intensity", 1),
])  # fmt: skip
"""What is predicted, by what shares a unit: yaw and pitch are `angles`."""
METRICS = (
    Metric("corner", "share of the diagonal", higher_is_better=False, bounds=None),
    Metric("line", "degrees", higher_is_better=False, bounds=None),
    Metric("surface-iou"),
    Metric("yaw", "degrees", higher_is_better=False, bounds=None),
    Metric("pitch", "degrees", higher_is_better=False, bounds=None),
    Metric("height", "metres", higher_is_better=False, bounds=None),
    Metric("light", "degrees", higher_is_better=False, bounds=None),
    Metric("intensity", "stops", higher_is_better=False, bounds=None),
)
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "corner": tuple(f"corner-{name}" for name in CORNERS), "line": tuple(f"line-{name}" for name in LINES),
}  # fmt: skip
"""Columns of the records that a metric averages, where they are not one of its own name."""


def rooms(
    size: int = 64, train: int = 20_000, val: int = 2_000, test: int = 2_000, transfer: bool = False
) -> RoomsTask:
    """Predict layout, camera and light of rooms drawn by code, by ridge regression on features.

    Args:
        size: Side of the images in pixels.
        train: Training images.
        val: Images on which the strengths are chosen.
        test: Test images.
        transfer: Test on halls, which no training image is like.
    """
    wrong = [f"{name}={count}" for name, count in (("train", train), ("val", val), ("test", test)) if count < 1]
    if wrong:
        raise UsageError(f"{', '.join(wrong)}; expected numbers of images above 0")
    return RoomsTask(size, train, val, test, transfer)


@dataclass(frozen=True)
class RoomsTask:
    """See `rooms`; satisfies `ghbench.task.Task`."""

    size: int
    train: int
    val: int
    test: int
    transfer: bool
    version: int = field(default=1, init=False)
    metrics: tuple[Metric, ...] = field(default=METRICS, init=False)
    requires: tuple[type, ...] = field(default=(Encoder,), init=False)
    policies: tuple[Policy, ...] = field(default=("concat",), init=False)
    references: tuple[Reference, ...] = field(default=BASELINES, init=False)
    kind: ClassVar[str] = "rooms"

    @property
    def name(self) -> str:
        """Canonical spec string."""
        usual = {"size": 64, "train": 20_000, "val": 2_000, "test": 2_000}
        options = {key: str(getattr(self, key)) for key, value in usual.items() if getattr(self, key) != value}
        return str(SpecString(self.kind, options=options | ({"transfer": "true"} if self.transfer else {})))

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        return {
            "kind": self.kind,
            "align": "none",
            "size": self.size,
            "images": {"train": self.train, "val": self.val, "test": self.test},
            "test_world": "hall" if self.transfer else "bedroom",
            "disjoint": "textures, furniture and seeds",
            **described(),
            "corner": "distance of the far wall's corners that can be seen, over the frame's diagonal",
            "line": "angle between lines that can be seen, predicted as cosine and sine of twice the angle",
            "surface-iou": f"mean over the sides of the room behind its furniture, on a map of {GRID} x {GRID}",
            "light": "angle between directions from the room's centre to the lamp",
            "intensity": "absolute difference of binary logarithms",
        }

    def roles(self) -> Mapping[str, Role]:
        """Training, validation and test images."""
        known = self._known
        judged = Rooms("hall", self.size, 0, 0, self.test) if self.transfer else known
        return {
            TRAIN: Role(known, TRAIN, judged=False),
            VALIDATION: Role(known, VALIDATION, judged=False),
            TEST: Role(judged, TEST),
        }

    def constant(self, name: str) -> Subject | None:
        """A reference row of the task's own, see `ghbench.task_abilities.WithConstants`."""
        return Constant(name, Role(self._known, TRAIN)) if name in {MEAN, NEAREST} else None

    def chance(self, records: pd.DataFrame) -> float | str:  # noqa: ARG002 - of the contract
        """Who knows nothing answers the mean."""
        return MEAN

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Predict, and measure the errors.

        Returns:
            One record an image: `image`, and its errors: `corner-NAME` and `line-NAME`, NaN where they cannot be seen,
            `surface-iou`, `yaw`, `pitch`, `height`, `light` and `intensity`.
        """
        truth = {role: _numbers(inputs.datasets[role], self.size) for role in (TRAIN, VALIDATION)}
        predicted, notes = predict(inputs, truth, GROUPS)
        judged = inputs.datasets[TEST]
        known = _numbers(judged, self.size)
        values = {name: target.values for name, target in judged.targets.items()}
        records = pd.DataFrame({"image": np.arange(len(judged), dtype=np.int32)})
        corners = (predicted - known)[:, GROUPS["corners"]].reshape(len(judged), -1, 2)
        corner = np.where(values["corners-visible"], np.linalg.norm(corners, axis=2) / np.sqrt(2), np.nan)
        line = line_angles(_pairs(predicted), _pairs(known))
        line = np.where(values["lines-visible"], np.rad2deg(line), np.nan)
        records[list(COLUMNS["corner"])], records[list(COLUMNS["line"])] = corner, line
        maps = predicted[:, GROUPS["surfaces"]].reshape(len(judged), SIDES, -1).argmax(axis=1)
        records["surface-iou"] = map_iou(maps, values["surfaces"].reshape(len(judged), -1), SIDES)
        errors = np.abs(predicted - known)
        records["yaw"], records["pitch"] = errors[:, GROUPS["angles"]].T
        records["height"] = errors[:, GROUPS["height"]]
        records["light"] = np.rad2deg(unit_angles(predicted[:, GROUPS["light"]], known[:, GROUPS["light"]]))
        records["intensity"] = errors[:, GROUPS["intensity"]]
        return Evaluation(records.astype(dict.fromkeys(records.columns[1:], np.float32)), notes=notes)

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """Mean errors, of corners and lines over all that can be seen.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        weight = np.ones(len(records)) if sample_weight is None else sample_weight
        scores = []
        for name, values in self._errors(records).items():
            weights = np.where(np.isnan(values), 0, weight[:, None])
            total, errors = weights.sum(), (weights * np.nan_to_num(values)).sum()
            seen = int((~np.isnan(values)).any(axis=1).sum())
            scores.append(Score(name, float(errors / total) if total else np.nan, units=seen))
        return scores

    def score_replicates(
        self, records: pd.DataFrame, multiplicity: NDArray[np.float64], metrics: Collection[str] | None = None
    ) -> Mapping[tuple[str, str | None], NDArray[np.float64]]:
        """The same of every bootstrap draw, see `ghbench.task_abilities.Replicating`."""
        return mean_replicates(self._errors(records), self.units(records).first, multiplicity, metrics)

    def errors(self, records: pd.DataFrame) -> Sequence[ErrorList]:
        """Rooms by the error of their corners and of their surfaces, see `ghbench.task_errors.WithErrors`."""
        found = self._errors(records)
        seen = ~np.isnan(found["corner"])
        corner = np.nansum(found["corner"], axis=1) / np.maximum(seen.sum(axis=1), 1)
        surfaces = 1 - found["surface-iou"][:, 0]
        return [
            *errors_of_images("corners", "mean error, share of the diagonal", records, corner),
            *errors_of_images("surfaces", "1 - intersection over union", records, surfaces),
        ]

    def units(self, records: pd.DataFrame) -> Units:
        """Images: each is another room."""
        return image_units(records)

    def _errors(self, records: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        """What each metric averages, [N, M]: NaN where it cannot be seen."""
        columns = {metric.name: list(COLUMNS.get(metric.name, (metric.name,))) for metric in self.metrics}
        return {name: records[own].to_numpy(np.float64) for name, own in columns.items()}

    @cached_property
    def _known(self) -> Rooms:
        return Rooms("bedroom", self.size, self.train, self.val, 0 if self.transfer else self.test)


def _numbers(dataset: Dataset, side: int) -> NDArray[np.float64]:
    """What is predicted of each image, in the columns of `GROUPS`: float64 [N, T]."""
    values = {name: target.values for name, target in dataset.targets.items()}
    count, doubled = len(dataset), 2 * values["lines"]
    surfaces = values["surfaces"].reshape(count, 1, -1) == np.arange(SIDES)[:, None]
    light = values["light"].copy()
    light[:, 3] = np.log2(light[:, 3])
    parts = [
        values["corners"].reshape(count, -1) / side, np.cos(doubled), np.sin(doubled), surfaces.reshape(count, -1),
        values["camera"], light,
    ]  # fmt: skip
    return np.concatenate(parts, axis=1).astype(np.float64)


def _pairs(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine and sine of the doubled angle of each line: [N, 8, 2]."""
    return numbers[:, GROUPS["lines"]].reshape(len(numbers), 2, -1).transpose(0, 2, 1)
