"""Pose: how a head is turned, read off features by ridge regression; a view of `landmarks`, not another task."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.dataset import Dataset
from ghbench.errors import DataError
from ghbench.metrics.head_pose import ANGLES, head_pose
from ghbench.metrics.weighted_means import mean_replicates
from ghbench.spec_string import SpecString
from ghbench.task import Evaluation, Metric, Reference, Score, TaskInputs

from .face_points import AGAIN, GENERATED, FacePointsTask, points_of
from .prediction import TEST, predict, taught

BINS = {"yaw-0-10": (0.0, 10.0), "yaw-10-20": (10.0, 20.0), "yaw-20-90": (20.0, 90.0)}
"""Ranges of the true yaw, in degrees to either side, whose faces are also averaged on their own."""


def pose(dataset: SpecString | None = None) -> Pose:
    """Predict yaw, pitch and roll of heads, by linear regression on features.

    Args:
        dataset: A dataset with 68 points, from which the angles follow; `generated-faces` by default.
    """
    return Pose(dataset or GENERATED)


@dataclass(frozen=True, eq=False)
class Pose(FacePointsTask):
    """See `pose`; satisfies `ghbench.task.Task`."""

    metrics: tuple[Metric, ...] = field(
        default=tuple(Metric(name, "degrees", higher_is_better=False, bounds=None) for name in (*ANGLES, *BINS)),
        init=False,
    )
    kind: ClassVar[str] = "pose"
    wrong: ClassVar[tuple[str, str, str]] = ("yaw", "largest errors of yaw", "degrees")

    @property
    def references(self) -> tuple[Reference, ...]:
        """Those of landmarks, without dlib's second answer."""
        return tuple(reference for reference in super().references if reference.name != AGAIN)

    def check_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Refuse what has no pose, see `ghbench.task_abilities.Checking`."""
        for dataset in datasets.values():
            count = points_of(dataset).shape[1]
            if count != 68:
                raise DataError(f"{dataset.card().name} has {count} points; expected 68, from which a pose follows")

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        return {
            **self.described(),
            "angles": "of a rigid head under scaled orthographic projection, fitted to six of the 68 points",
            "reported": "mean absolute errors; those of yaw also for faces turned so far: " + ", ".join(BINS),
        }

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Predict the angles.

        Returns:
            One record a face: `image`, its row, its true `yaw-true`, and the absolute errors `yaw`, `pitch`, `roll`.
        """
        rows, notes = self.usable(inputs)
        points = {role: points_of(dataset)[rows[role]] for role, dataset in inputs.datasets.items()}
        truth = {role: head_pose(values) for role, values in points.items()}
        predicted, told = predict(inputs, taught(truth), {"angles": slice(None)}, rows)
        records = pd.DataFrame({"image": rows[TEST].astype(np.int32)})
        records["yaw-true"] = truth[TEST][:, 0].astype(np.float32)
        for place, name in enumerate(ANGLES):
            records[name] = np.abs(predicted - truth[TEST])[:, place].astype(np.float32)
        return Evaluation(records, notes=(*notes, *told))

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """Mean absolute errors.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        weight = np.ones(len(records)) if sample_weight is None else sample_weight
        scores = [Score(name, float(np.average(records[name].to_numpy(np.float64), weights=weight))) for name in ANGLES]
        turned, yaw = np.abs(records["yaw-true"].to_numpy(np.float64)), records["yaw"].to_numpy(np.float64)
        for name, (low, high) in BINS.items():
            faces = (turned >= low) & (turned < high)
            mean = float(np.average(yaw, weights=weight * faces)) if (weight * faces).sum() else np.nan
            scores.append(Score(name, mean, units=int(faces.sum())))
        return scores

    def score_replicates(
        self, records: pd.DataFrame, multiplicity: NDArray[np.float64], metrics: Collection[str] | None = None
    ) -> Mapping[tuple[str, str | None], NDArray[np.float64]]:
        """The same of every bootstrap draw, see `ghbench.task_abilities.Replicating`."""
        turned = np.abs(records["yaw-true"].to_numpy(np.float64))
        values = {name: records[name].to_numpy(np.float64) for name in ANGLES}
        binned = {
            name: np.where((turned >= low) & (turned < high), values["yaw"], np.nan)
            for name, (low, high) in BINS.items()
        }
        return mean_replicates(values | binned, self.units(records).first, multiplicity, metrics)
