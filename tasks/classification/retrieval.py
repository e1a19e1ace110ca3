"""Retrieval: are the most similar images of the same class?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.dataset import Dataset, labels
from ghbench.errors import DataError
from ghbench.metrics.weighted_means import mean_replicates
from ghbench.probes.ranking import rank_relevant
from ghbench.spec_string import SpecString
from ghbench.task import Evaluation, Metric, Role, Score, TaskInputs
from ghbench.task_errors import ErrorList, errors_of_images

from .labelled import DEFAULT, ONLY, TEST, LabelledTask, some

RECALLS = (1, 5, 10)
_METRICS = (Metric("map"), Metric("map-at-r"), *(Metric(f"recall-{k}") for k in RECALLS))


def retrieval(dataset: SpecString | None = None, test: int = 0) -> Retrieval:
    """Rank all other test images by their similarity to each one.

    Args:
        dataset: A dataset with labels; its split `test` where it has one, else all of it.
        test: Test images, drawn with a fixed seed; 0 for all.
    """
    return Retrieval(dataset or DEFAULT, 0, test)


@dataclass(frozen=True)
class Retrieval(LabelledTask):
    """See `retrieval`; satisfies `ghbench.task.Task`."""

    kind: ClassVar[str] = "retrieval"
    version: int = field(default=4, init=False)
    compares: bool = field(default=True, init=False)
    metrics: tuple[Metric, ...] = field(default=_METRICS, init=False)

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        return {
            **{key: value for key, value in self.described().items() if key != "training"},
            "queries": "each image, among all others",
            "relevant": "images of the same class; images without any are no queries",
            "map": "mean over queries of the mean precision at each relevant image",
            "map-at-r": "the same over the first R ranks, R relevant images (Musgrave et al. 2020)",
            "recall-k": "share of queries with a relevant image among the first k",
            "ties": "in one random order, the same for all systems",
            "similarity": "as the extractor declares, or in a metric learned from generated pictures",
            "tuned": "nothing",
        }

    def roles(self) -> Mapping[str, Role]:
        """The images that are ranked."""
        split = TEST if TEST in self.dataset.splits else None
        return {ONLY: Role(some(self.dataset, split, self.test), split)}

    def check_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Refuse what could not be judged, see `ghbench.task_abilities.Checking`."""
        if np.bincount(labels(datasets[ONLY]).values).max(initial=0) < 2:
            raise DataError("no two images have the same class, so there is nothing to find")

    @property
    def alone(self) -> bool:
        """Queries are ranked among themselves."""
        return True

    def chance(self, records: pd.DataFrame) -> float | str:
        """Mean average precision of a random order: ((R - 1) / (N - 1) (N - H) + H) / N, R relevant images of N.

        H is the sum of 1 / i over i from 1 to N. Precision counts at hits only, so this is above R / N.
        """
        others = int(records["gallery"].iloc[0]) - 1
        harmonic = (1 / np.arange(1, others + 1)).sum()
        relevant = records.groupby("class")["class"].transform("size").to_numpy(np.float64) - 1
        expected = ((relevant - 1) / max(others - 1, 1) * (others - harmonic) + harmonic) / others
        return float(expected.mean())

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Rank.

        Returns:
            One record a query: `image`, `class`, `unit`, `gallery`, how many images there are, `ap` and `ap_r`, average
            precision over all ranks and over the first R, and `first`, the rank of the first relevant image.
        """
        classes, _, _ = self.classes(inputs)
        features = self.joined(inputs, self.judged_role)
        found = rank_relevant(features, classes, inputs.extractor_spec.similarity, inputs.context.progress)
        records = self.records_of(inputs).iloc[found.queries].reset_index(drop=True)
        records["gallery"] = np.int32(len(classes))  # images that are no queries are in it too
        records["ap"] = found.precision.astype(np.float32)
        records["ap_r"] = found.precision_at_r.astype(np.float32)
        records["first"] = found.first.astype(np.int32)
        left = len(classes) - len(found.queries)
        return Evaluation(records, notes=(f"{left} images without another of their class",) if left else ())

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """Mean average precision, and recall.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        return [
            Score(name, float(np.average(values, weights=sample_weight))) for name, values in _judged(records).items()
        ]

    def score_replicates(
        self, records: pd.DataFrame, multiplicity: NDArray[np.float64], metrics: Collection[str] | None = None
    ) -> Mapping[tuple[str, str | None], NDArray[np.float64]]:
        """The same of every bootstrap draw, see `ghbench.task_abilities.Replicating`."""
        return mean_replicates(_judged(records), self.units(records).first, multiplicity, metrics)

    def errors(self, records: pd.DataFrame) -> Sequence[ErrorList]:
        """Queries by their average precision, the lowest first, see `ghbench.task_errors.WithErrors`."""
        error = 1 - records["ap"].to_numpy(np.float64)
        beside = {"first of its class at rank": records["first"].to_numpy()}
        return errors_of_images("lowest average precision", "1 - average precision", records, error, beside)


def _judged(records: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """What each metric averages, [N]."""
    first = records["first"].to_numpy()
    return {
        "map": records["ap"].to_numpy(np.float64),
        "map-at-r": records["ap_r"].to_numpy(np.float64),
        **{f"recall-{k}": first <= k for k in RECALLS},
    }
