"""Landmarks: where the eyes, nose and mouth of a face are, read off features by ridge regression."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.errors import UsageError
from ghbench.metrics.landmarks import NORMALISERS, ced_area, normalised_errors
from ghbench.metrics.weighted_means import mean_replicates
from ghbench.probes.ridge import fit_ridge
from ghbench.spec_string import SpecString
from ghbench.task import Evaluation, Metric, Score, TaskInputs

from .face_points import AGAIN, GENERATED, FacePointsTask, points_of
from .prediction import TEST, TRAIN, Constant, joined, predict, taught

PROTOCOLS = ("ridge", "imm")
FAILURE = 0.10
"""Normalised error from which a face counts as a failure, and at which the cumulative distribution ends."""
METRICS = (
    Metric("nme", "% of the normaliser", higher_is_better=False, bounds=None),
    Metric("failure", higher_is_better=False),
    Metric("ced-auc"),
)


def landmarks(dataset: SpecString | None = None, protocol: str = "ridge") -> Landmarks:
    """Predict the 68 (or five) points of faces, by linear regression on features.

    Args:
        dataset: A dataset with points, `generated-faces` by default. One without the splits train and test is judged
            by a regression that generated faces taught.
        protocol: `ridge`, or `imm` for plain least squares without intercept, as in the program of Jakab et al. 2018.
    """
    if protocol not in PROTOCOLS:
        raise UsageError(f"there is no protocol {protocol!r}; expected one of {', '.join(PROTOCOLS)}")
    return Landmarks(dataset or GENERATED, protocol)


@dataclass(frozen=True, eq=False)
class Landmarks(FacePointsTask):
    """See `landmarks`; satisfies `ghbench.task.Task`."""

    regression: str = "ridge"
    metrics: tuple[Metric, ...] = field(default=METRICS, init=False)
    kind: ClassVar[str] = "landmarks"
    wrong: ClassVar[tuple[str, str, str]] = ("error", "highest nme", "share of the normaliser")

    def own_options(self) -> dict[str, str]:
        """Options that differ from their defaults."""
        return {} if self.regression == "ridge" else {"protocol": self.regression}

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        normalisers = {str(count): what for count, (what, _) in NORMALISERS.items()}
        plain = {"predicted": "least squares without intercept", "strengths": [0], "tuned": "nothing"}
        return {
            **self.described(),
            **(plain if self.regression == "imm" else {}),
            "nme": "mean distance of a face's points to the true ones, over the normaliser",
            "normaliser": normalisers,
            "failure": f"share of faces with an error above {FAILURE:.0%}",
            "ced-auc": f"area below the cumulative distribution of errors up to {FAILURE:.0%}; 1 is perfect",
        }

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Predict the points.

        Returns:
            One record a face: `image`, its row, and `error`, its normalised mean error.
        """
        rows, notes = self.usable(inputs)
        truth = {role: points_of(dataset)[rows[role]] for role, dataset in inputs.datasets.items()}
        sides = {role: float(dataset.image(0).shape[0]) for role, dataset in inputs.datasets.items()}
        shares = {role: (points / sides[role]).reshape(len(points), -1) for role, points in truth.items()}
        if isinstance(inputs.subject, Constant) and inputs.subject.name == AGAIN:
            predicted = inputs.datasets[TEST].targets["again"].values[rows[TEST]]
        else:
            found, told = self._predicted(inputs, taught(shares), rows)
            predicted, notes = found.reshape(truth[TEST].shape) * sides[TEST], (*notes, *told)
        records = pd.DataFrame({"image": rows[TEST].astype(np.int32)})
        records["error"] = normalised_errors(predicted, truth[TEST]).astype(np.float32)
        return Evaluation(records, notes=notes)

    def _predicted(
        self, inputs: TaskInputs, known: dict[str, NDArray[np.float64]], rows: dict[str, NDArray[np.int64]]
    ) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        if self.regression == "ridge" or isinstance(inputs.subject, Constant):
            return predict(inputs, known, {"points": slice(None)}, rows)
        path = fit_ridge(joined(inputs, TRAIN)[rows[TRAIN]], known[TRAIN], intercept=False)
        return path.predict(joined(inputs, TEST)[rows[TEST]], [0.0])[0], ()

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """Mean error in percent, failures, and area.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        errors = records["error"].to_numpy(np.float64)
        return [
            Score("nme", 100 * float(np.average(errors, weights=sample_weight))),
            Score("failure", float(np.average(errors > FAILURE, weights=sample_weight))),
            Score("ced-auc", ced_area(errors, FAILURE, sample_weight)),
        ]

    def score_replicates(
        self, records: pd.DataFrame, multiplicity: NDArray[np.float64], metrics: Collection[str] | None = None
    ) -> Mapping[tuple[str, str | None], NDArray[np.float64]]:
        """The same of every bootstrap draw, see `ghbench.task_abilities.Replicating`."""
        errors = records["error"].to_numpy(np.float64)
        values = {"nme": 100 * errors, "failure": errors > FAILURE, "ced-auc": np.clip(1 - errors / FAILURE, 0, None)}
        return mean_replicates(values, self.units(records).first, multiplicity, metrics)
