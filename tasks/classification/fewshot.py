"""Few-shot classification: how many labelled images do features need?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.dataset import Dataset, labels
from ghbench.errors import DataError, UsageError
from ghbench.metrics.weighted_means import mean_replicates
from ghbench.probes.fewshot import classify_by_few
from ghbench.probes.rows import of_unit_length
from ghbench.spec_string import SpecString
from ghbench.task import Evaluation, Metric, Score, TaskInputs
from ghbench.task_errors import ErrorList, errors_of_images

from .labelled import DEFAULT, LabelledTask

SHOTS, MAIN = (1, 2, 5, 10, 20), 5
DRAWS = 50
_METRICS = {f"s{shots}": f"top1-{shots}-shot" for shots in sorted(SHOTS, key=lambda shots: shots != MAIN)}


def fewshot(dataset: SpecString | None = None, training: int = 0, test: int = 0, draws: int = DRAWS) -> FewShot:
    """Classify all test images by 1, 2, 5, 10 and 20 training images a class, drawn many times.

    Args:
        dataset: A dataset with labels.
        training: Training images to draw from, drawn with a fixed seed; 0 for all.
        test: Test images, likewise; 0 for all.
        draws: Draws, at least 10.
    """
    if draws < 10:
        raise UsageError(f"draws={draws}; expected at least 10, since which images are drawn decides much")
    return FewShot(dataset or DEFAULT, training, test, draws)


@dataclass(frozen=True)
class FewShot(LabelledTask):
    """See `fewshot`; satisfies `ghbench.task.Task`.

    Args:
        draws: Draws of training images.
    """

    draws: int = DRAWS
    kind: ClassVar[str] = "fewshot"
    metrics: tuple[Metric, ...] = field(default=tuple(map(Metric, _METRICS.values())), init=False)

    def own_options(self) -> dict[str, str]:
        """Options that differ from their defaults."""
        return {**super().own_options(), **({"draws": str(self.draws)} if self.draws != DRAWS else {})}

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        return {
            **self.described(),
            "shots": list(SHOTS),
            "draws": f"{self.draws}, with numpy's generator of the seeds [draw, 2]; fewer shots are part of more",
            "judged": "images that are drawn for no shot" if self.alone else "test images",
            "classifier": "logistic regression on features of unit length, L2 strength 1 / N (after Tian et al. 2020)",
            "tuned": "nothing",
        }

    def check_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Refuse what could not be judged, see `ghbench.task_abilities.Checking`."""
        super().check_datasets(datasets)
        known = labels(datasets[self.known_role])
        names, sizes = np.unique(known.values, return_counts=True)
        if sizes.min() < MAIN + self.alone:
            least = known.names[int(names[sizes.argmin()])] if known.names else names[sizes.argmin()]
            raise DataError(f"class {least} has {sizes.min()} images; expected at least {MAIN + self.alone} of each")

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Draw, fit and classify.

        Returns:
            One record an image: `image`, `class`, `person`, `unit`, and in `s1`, `s2`, ... the share of the draws that
            judged it in which so many shots told its class; numbers of shots that no class has are left out.
        """
        known, truth, count = self.classes(inputs)
        features = of_unit_length(self.joined(inputs, self.known_role))
        queries = features if self.alone else of_unit_length(self.joined(inputs, self.judged_role))
        sizes = np.bincount(known)
        most = int(sizes[sizes > 0].min()) - self.alone
        shots = [number for number in SHOTS if number <= most]
        right, times = np.zeros((len(shots), len(truth))), np.zeros(len(truth))
        accuracies = np.empty((self.draws, len(shots)))
        for draw in range(self.draws):
            order = _by_class(known, max(shots), draw)
            judged = np.setdiff1d(np.arange(len(truth)), np.concatenate(order)) if self.alone else np.arange(len(truth))
            times[judged] += 1
            for place, number in enumerate(shots):
                rows = np.concatenate([one[:number] for one in order])
                told = classify_by_few(features[rows], known[rows], count, queries[judged]) == truth[judged]
                right[place, judged] += told
                accuracies[draw, place] = told.mean()
            inputs.context.progress(draw + 1, self.draws, "draws")
        records = self.records_of(inputs)
        for number, of_shots in zip(shots, right, strict=True):
            records[f"s{number}"] = (of_shots / np.maximum(times, 1)).astype(np.float32)
        errors = accuracies.std(axis=0, ddof=1) / np.sqrt(self.draws)
        listed = ", ".join(f"{error:.4f} ({number})" for error, number in zip(errors, shots, strict=True))
        note = f"standard error over {self.draws} draws, not part of the intervals: {listed} shots"
        return Evaluation(records[times > 0].reset_index(drop=True), notes=(note,))

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """Mean over images of the share of draws in which they were told.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        return [
            Score(name, float(np.average(values, weights=sample_weight))) for name, values in _shares(records).items()
        ]

    def score_replicates(
        self, records: pd.DataFrame, multiplicity: NDArray[np.float64], metrics: Collection[str] | None = None
    ) -> Mapping[tuple[str, str | None], NDArray[np.float64]]:
        """The same of every bootstrap draw, see `ghbench.task_abilities.Replicating`."""
        return mean_replicates(_shares(records), self.units(records).first, multiplicity, metrics)

    def errors(self, records: pd.DataFrame) -> Sequence[ErrorList]:
        """Images that some draws classify wrongly, by the share of those draws; `ghbench.task_errors.WithErrors`."""
        metric, told = next(iter(_shares(records).items()))
        return errors_of_images("missed images", f"share of draws lost, {metric}", records, 1 - told)


def _shares(records: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """What each metric averages, [N]."""
    return {
        metric: records[column].to_numpy(np.float64) for column, metric in _METRICS.items() if column in records.columns
    }


def _by_class(classes: NDArray[np.int64], shots: int, draw: int) -> list[NDArray[np.int64]]:
    """For each class so many of its rows, in random order; fewer shots are the first of them."""
    random = np.random.default_rng([draw, 2])
    return [random.permutation(np.flatnonzero(classes == one))[:shots] for one in np.unique(classes)]
