"""Classification by the k nearest neighbours: nothing is trained, so the features themselves are judged."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.dataset import Dataset
from ghbench.errors import DataError
from ghbench.metrics.weighted_means import mean_replicates
from ghbench.probes.knn import majority, weighted
from ghbench.spec_string import SpecString
from ghbench.task import Evaluation, Metric, Score, TaskInputs
from ghbench.task_errors import ErrorList, errors_of_images

from .labelled import DEFAULT, LabelledTask, accuracies

NEIGHBOURS, MAIN = (1, 5, 20, 200), 5
WEIGHTED, TEMPERATURE = (20, 200), 0.07
"""Neighbours and temperature of the weighted vote, those of Wu et al. 2018 and Caron et al. 2021."""
_MAJORITY = {f"k{k}": f"top1-k{k}" for k in sorted(NEIGHBOURS, key=lambda k: k != MAIN)}
_WEIGHTED = {f"w{k}": f"top1-k{k}[t={TEMPERATURE}]" for k in WEIGHTED}
COLUMNS = {**_MAJORITY, **_WEIGHTED}
"""Metrics by the column of their answers."""


def knn(dataset: SpecString | None = None, training: int = 0, test: int = 0, index: str = "") -> Knn:
    """Classify images by their nearest neighbours; without a split, each image by all others.

    Args:
        dataset: A dataset with labels.
        training: Training images, drawn with a fixed seed; 0 for all.
        test: Test images, likewise; 0 for all.
        index: A FAISS index that may be approximate, `+` for its commas: `HNSW32`, `IVF256+Flat@nprobe=16`; none:
            exact.
    """
    return Knn(dataset or DEFAULT, training, test, index)


@dataclass(frozen=True)
class Knn(LabelledTask):
    """See `knn`; satisfies `ghbench.task.Task`.

    Args:
        index: A FAISS index, empty for an exact search.
    """

    index: str = ""
    kind: ClassVar[str] = "knn"
    version: int = field(default=3, init=False)
    compares: bool = field(default=True, init=False)
    metrics: tuple[Metric, ...] = field(default=tuple(map(Metric, COLUMNS.values())), init=False)

    def own_options(self) -> dict[str, str]:
        """Options that differ from their defaults."""
        return {**super().own_options(), **({"index": self.index} if self.index else {})}

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        return {
            **self.described(),
            "split": "each image among all others" if self.alone else "train and test",
            "search": self.index or "exact",
            "vote": "majority; of several classes the one with the nearest neighbour",
            "vote[t]": "exp(cosine / t), summed by class",
            "similarity": "as the extractor declares, or in a metric learned from generated pictures",
            "tuned": "nothing",
        }

    def check_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Refuse what could not be judged, see `ghbench.task_abilities.Checking`."""
        super().check_datasets(datasets)
        known = datasets[self.known_role]
        if len(known) <= MAIN:
            raise DataError(f"{len(known)} images to learn from; expected more than {MAIN}")

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Find neighbours and vote.

        Returns:
            One record an image: `image`, `class`, `unit`, and for each column of `COLUMNS` the class voted for. Numbers
            of neighbours that are not there are left out, and weighted votes where similarity is no cosine.
        """
        known, queries = self.features(inputs)
        classes, _, count = self.classes(inputs)
        similarity = inputs.extractor_spec.similarity
        ks = [k for k in NEIGHBOURS if k < len(known)]
        alone = np.arange(len(queries)) if self.alone else None
        index = self.index.replace("+", ",")
        rows, similarities = inputs.context.nearest(queries, known, max(ks), similarity, excluded=alone, index=index)
        records, voters = self.records_of(inputs), classes[rows]
        for k in ks:
            records[f"k{k}"] = majority(voters[:, :k], count).astype(np.int32)
        for k in WEIGHTED if similarity == "cosine" else ():
            if k in ks:
                votes = weighted(voters[:, :k], similarities[:, :k], count, TEMPERATURE)
                records[f"w{k}"] = votes.astype(np.int32)
        return Evaluation(records)

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """Share of images whose class wins the vote.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        return accuracies(records, COLUMNS, sample_weight)

    def errors(self, records: pd.DataFrame) -> Sequence[ErrorList]:
        """Images whose class loses the vote of five, and the share of votes, see `ghbench.task_errors.WithErrors`."""
        lost = np.mean([records[name] != records["class"] for name in _MAJORITY if name in records], axis=0)
        wrong = (records[f"k{MAIN}"] != records["class"]).to_numpy()
        return errors_of_images("wrong classes", "share of votes lost", records, np.where(wrong, lost, 0.0))

    def score_replicates(
        self, records: pd.DataFrame, multiplicity: NDArray[np.float64], metrics: Collection[str] | None = None
    ) -> Mapping[tuple[str, str | None], NDArray[np.float64]]:
        """The same of every bootstrap draw, see `ghbench.task_abilities.Replicating`."""
        chosen = [column for column in COLUMNS if column in records and (metrics is None or COLUMNS[column] in metrics)]
        right = {COLUMNS[column]: (records[column] == records["class"]).to_numpy() for column in chosen}
        return mean_replicates(right, self.units(records).first, multiplicity)
