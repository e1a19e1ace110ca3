"""Few-shot classification: how many labelled images do features need?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.errors import DataError, UsageError
from ghbench.probes.fewshot import classify_by_few
from ghbench.spec_string import SpecString
from ghbench.task import Evaluation, Metric, Score, TaskInputs, Units

from .labelled import DEFAULT, LabelledTask

SHOTS, MAIN = (1, 2, 5, 10, 20), 5
DRAWS = 20
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
            "draws": f"{self.draws}, with numpy's generator of the draw's number; fewer shots are part of more",
            "judged": "images that are drawn for no shot" if self.alone else "test images",
            "classifier": "logistic regression on features of unit length, L2 strength 1 / N (after Tian et al. 2020)",
            "tuned": "nothing",
        }

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Draw, fit and classify.

        Returns:
            One record a draw and judged image: `draw`, `image`, `class`, `unit`, and the class predicted from so many
            shots in the columns `s1`, `s2`, ...; numbers of shots that no class has are left out.
        """
        known, truth, count = self.classes(inputs)
        features, queries = (self.joined(inputs, role) for role in (self.known_role, self.judged_role))
        sizes = np.bincount(known, minlength=count)
        # Alone, one image of each class is left to be judged.
        most = int(sizes[sizes > 0].min()) - self.alone
        shots = [number for number in SHOTS if number <= most]
        if not shots:
            raise DataError("a class has a single image, none to learn from and be judged by")
        records, parts = self.records_of(inputs), []
        for draw in range(self.draws):
            order = _by_class(known, max(shots), draw)
            judged = np.setdiff1d(np.arange(len(truth)), np.concatenate(order)) if self.alone else np.arange(len(truth))
            part = records.iloc[judged].assign(draw=np.int32(draw))
            for number in shots:
                rows = np.concatenate([one[:number] for one in order])
                predicted = classify_by_few(features[rows], known[rows], count, queries[judged])
                part[f"s{number}"] = predicted.astype(np.int32)
            parts.append(part)
            inputs.context.progress(draw + 1, self.draws, "draws")
        return Evaluation(pd.concat(parts, ignore_index=True))

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """Accuracy over all draws.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        truth = records["class"].to_numpy()
        return [
            Score(metric, float(np.average(records[column].to_numpy() == truth, weights=sample_weight)))
            for column, metric in _METRICS.items()
            if column in records.columns
        ]

    def units(self, records: pd.DataFrame) -> Units:
        """Images, or people where classes are people, and draws: both are resampled."""
        of_image, draw = super().units(records), records["draw"].to_numpy(np.int64)
        count = of_image.count + int(draw.max()) + 1
        names = [*of_image.names, *(f"draw {number}" for number in range(int(draw.max()) + 1))]
        return Units(f"{of_image.kind} and draws", of_image.first, of_image.count + draw, count, names)


def _by_class(classes: NDArray[np.int64], shots: int, draw: int) -> list[NDArray[np.int64]]:
    """For each class so many of its rows, in random order; fewer shots are the first of them."""
    random = np.random.default_rng([draw, 2])
    return [random.permutation(np.flatnonzero(classes == one))[:shots] for one in np.unique(classes)]
