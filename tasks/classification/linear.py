"""Linear probing: a logistic regression on frozen features, its strength chosen on training rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.errors import UsageError
from ghbench.metrics.calibration import BINS, calibration_error
from ghbench.probes.linear import HELD_OUT, Choice, linear_logits
from ghbench.probes.logistic import STRENGTHS
from ghbench.spec_string import SpecString
from ghbench.task import Evaluation, Metric, Score, TaskInputs

from .labelled import DEFAULT, LabelledTask

FOLDS = 5
"""Parts of a dataset without splits, each judged by what the others teach."""
METRICS = (
    Metric("top1"),
    Metric("top5"),
    Metric("balanced"),
    Metric("calibration", unit="mean gap", higher_is_better=False),
    Metric("cross-entropy", unit="nats", higher_is_better=False, bounds=None),
)


def linear(dataset: SpecString | None = None, training: int = 0, test: int = 0, pca: int = 0) -> Linear:
    """Train a linear classifier on features; without a split, in five folds.

    Args:
        dataset: A dataset with labels.
        training: Training images, drawn with a fixed seed; 0 for all.
        test: Test images, likewise; 0 for all.
        pca: Principal components of the training features that take their place, so that wide features do not win by
            their width; 0 for none.
    """
    if pca < 0:
        raise UsageError(f"pca={pca}; expected a number of components, 0 for none")
    return Linear(dataset or DEFAULT, training, test, pca)


@dataclass(frozen=True)
class Linear(LabelledTask):
    """See `linear`; satisfies `ghbench.task.Task`.

    Args:
        pca: Principal components, 0 for none.
    """

    pca: int = 0
    kind: ClassVar[str] = "linear"
    metrics: tuple[Metric, ...] = field(default=METRICS, init=False)

    def own_options(self) -> dict[str, str]:
        """Options that differ from their defaults."""
        return {**super().own_options(), **({"pca": str(self.pca)} if self.pca else {})}

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        return {
            **self.described(),
            "split": f"{FOLDS} folds, by class" if self.alone else "train and test",
            "classifier": "multinomial logistic regression, bias not penalised",
            "features": "standardised on the training rows"
            + (f", then {self.pca} principal components, whitened" if self.pca else ""),
            "strengths": list(STRENGTHS),
            "chosen": f"by cross-entropy on {HELD_OUT:.0%} of the training rows, by class; then fitted on all of them",
            "tuned": "the strength, on training rows",
            "calibration": f"expected calibration error, {BINS} bins of equal width of the largest probability",
        }

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Fit and classify.

        Returns:
            One record an image: `image`, `class`, `unit`, `fold`, the `predicted` class, the `rank` of the true one, 1
            for the most probable, and `confidence` and `chance`, the probabilities of the predicted and the true class.
        """
        records = self.records_of(inputs)
        known, truth, count = self.classes(inputs)
        logits, folds = np.zeros((len(truth), count), np.float32), np.zeros(len(truth), np.int32)
        choices = []
        for fold, (rows, judged) in enumerate(self._folds(truth)):
            features = self.joined(inputs, self.known_role)
            taught = known if rows is None else known[rows]
            queries = self.joined(inputs, self.judged_role)[judged]
            logits[judged], choice = linear_logits(
                features if rows is None else features[rows], taught, count, queries, components=self.pca
            )
            folds[judged] = fold
            choices.append(choice)
        exact = logits.astype(np.float64)
        exact -= exact.max(axis=1, keepdims=True)
        chances = np.exp(exact)
        chances /= chances.sum(axis=1, keepdims=True)
        own = chances[np.arange(len(truth)), truth]
        predicted = chances.argmax(axis=1)
        records["fold"] = folds
        records["predicted"] = predicted.astype(np.int32)
        # Of equally probable classes the smaller number comes first, as argmax says.
        ahead = (chances > own[:, None]) | ((chances == own[:, None]) & (np.arange(count) < truth[:, None]))
        records["rank"] = (1 + ahead.sum(axis=1)).astype(np.int32)
        records["confidence"] = chances.max(axis=1).astype(np.float32)
        records["chance"] = own.astype(np.float32)
        return Evaluation(records, notes=(_told(choices),))

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """Accuracy among 1 and 5, mean recall of the classes, calibration and cross-entropy.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        truth, rank = records["class"].to_numpy(), records["rank"].to_numpy()
        weight = np.ones(len(truth)) if sample_weight is None else sample_weight
        right = rank == 1
        confidence = records["confidence"].to_numpy(np.float64)
        chance = np.maximum(records["chance"].to_numpy(np.float64), 1e-12)
        of_class = np.bincount(truth, weights=weight)
        seen = of_class > 0
        recalls = np.bincount(truth, weights=weight * right)[seen] / of_class[seen]
        return [
            Score("top1", float(np.average(right, weights=weight))),
            Score("top5", float(np.average(rank <= 5, weights=weight))),
            Score("balanced", float(recalls.mean())),
            Score("calibration", calibration_error(confidence, right, weight)),
            Score("cross-entropy", float(np.average(-np.log(chance), weights=weight))),
        ]

    def _folds(self, truth: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64] | None, NDArray[np.int64]]]:
        """Training rows, None for all of the training role, and the rows that are judged by them."""
        if not self.alone:
            yield None, np.arange(len(truth))
            return
        fold = folds_of(truth, FOLDS)
        for one in range(FOLDS):
            judged = np.flatnonzero(fold == one)
            if len(judged):
                yield np.flatnonzero(fold != one), judged


def folds_of(classes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The fold of each row, drawn with a fixed seed so that each class is spread evenly: int64 [N]."""
    draw, folds = np.random.default_rng(0), np.empty(len(classes), np.int64)
    for one in np.unique(classes):
        rows = draw.permutation(np.flatnonzero(classes == one))
        folds[rows] = (np.arange(len(rows)) + one) % count
    return folds


def _told(choices: Sequence[Choice]) -> str:
    """How the classifiers came about, in a sentence."""
    tried = sorted({choice.strength for choice in choices})
    strengths = f"L2 strength {tried[0]:.2g}" if len(tried) == 1 else f"L2 strengths {tried[0]:.2g} to {tried[-1]:.2g}"
    edge = ", at the edge of those tried" if any(choice.at_edge for choice in choices) else ""
    return f"{strengths}{edge}; gradient at most {max(choice.gradient for choice in choices):.1e}"
