"""Linear probing: a logistic regression on frozen features, its strength chosen on training rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.dataset import Dataset, labels
from ghbench.errors import DataError, UsageError
from ghbench.metrics.calibration import BINS, calibration_error
from ghbench.metrics.weighted_means import mean_replicates
from ghbench.probes.linear import HELD_OUT, Choice, linear_logits
from ghbench.probes.logistic import STRENGTHS
from ghbench.probes.rows import Chosen
from ghbench.spec_string import SpecString
from ghbench.task import Evaluation, Metric, Role, Score, TaskInputs
from ghbench.task_errors import ErrorList, errors_of_images

from .labelled import DEFAULT, LabelledTask

VALIDATION, FOLDS = "val", 5
"""Split on which the strength is chosen where there is one; parts of a dataset without splits."""
LEAST = 1e-12
"""Smallest probability that the cross-entropy takes into account."""
METRICS = (
    Metric("top1"),
    Metric("top5"),
    Metric("balanced"),
    # A sum of absolute gaps is biased upwards, and bootstrap draws of it are twice: no interval of theirs would hold.
    Metric("calibration", unit="mean gap", higher_is_better=False, uncertainty="none"),
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
            "chosen": f"by cross-entropy on the split {VALIDATION}; where there is none, on {HELD_OUT:.0%} of each "
            "class's training rows, and then all of them are fitted",
            "tuned": "the strength, on validation or training rows",
            "calibration": f"expected calibration error, {BINS} bins of equal width of the largest probability",
        }

    def roles(self) -> Mapping[str, Role]:
        """Training and test images, and validation images where the dataset has them; or all in one role."""
        found = super().roles()
        if not self.alone and VALIDATION in self.dataset.splits:
            return {**found, VALIDATION: Role(self.dataset, VALIDATION, judged=False)}
        return found

    def check_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Refuse what could not be judged, see `ghbench.task_abilities.Checking`."""
        super().check_datasets(datasets)
        sizes = np.sort(np.bincount(labels(datasets[self.known_role]).values))[::-1]
        fewest = 3 if self.alone else 2
        if sizes[1] < fewest:
            raise DataError(f"expected at least two classes with {fewest} images to learn from")

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Fit and classify.

        Returns:
            One record an image: `image`, `class`, `person`, `unit`, `fold`, the `predicted` class, the `rank` of the
            true one, 1 for the most probable, `confidence`, the probability of the predicted class, and `probability`,
            that of the true one: 0 for classes that no training image shows.
        """
        records = self.records_of(inputs)
        known, truth, count = self.classes(inputs)
        features, queries = self.features(inputs)
        validation, unknown = None, 0
        if VALIDATION in inputs.datasets:
            classes = labels(inputs.datasets[VALIDATION]).values
            kept = np.flatnonzero(np.isin(classes, known))
            if not len(kept):
                raise DataError("no validation image is of a class that a training image shows")
            validation, unknown = (
                (Chosen(self.joined(inputs, VALIDATION), kept), classes[kept]),
                len(classes) - len(kept),
            )
        logits, folds = np.zeros((len(truth), count), np.float32), np.zeros(len(truth), np.int32)
        choices = []
        for fold, (rows, judged) in enumerate(self._folds(known, truth)):
            taught = known[rows]
            logits[judged], choice = linear_logits(
                Chosen(features, rows), taught, count, Chosen(queries, judged), validation=validation,
                components=self.pca,
            )  # fmt: skip
            logits[np.ix_(judged, np.setdiff1d(np.arange(count), taught))] = -np.inf
            folds[judged] = fold
            choices.append(choice)
            inputs.context.progress(fold + 1, FOLDS if self.alone else 1, "classifiers")
        probabilities = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        own = probabilities[np.arange(len(truth)), truth][:, None]
        # Of equally probable classes the smaller number comes first, as argmax says.
        ahead = (probabilities > own) | ((probabilities == own) & (np.arange(count) < truth[:, None]))
        records["fold"] = folds
        records["predicted"] = probabilities.argmax(axis=1).astype(np.int32)
        records["rank"] = (1 + ahead.sum(axis=1)).astype(np.int32)
        records["confidence"] = probabilities.max(axis=1).astype(np.float32)
        records["probability"] = own[:, 0].astype(np.float32)
        unseen = int((own == 0).sum())
        notes = [_described(choices)]
        if unseen:
            notes.append(f"{unseen} images are of classes that no training image shows")
        if unknown:
            notes.append(f"{unknown} validation images are left out: no training image shows their class")
        if self.pca >= features.shape[1]:
            notes.append(f"pca={self.pca} leaves out none of {features.shape[1]} numbers")
        return Evaluation(records, notes=tuple(notes))

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """Accuracy among 1 and 5, mean recall of the classes, calibration and cross-entropy.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        truth, rank = records["class"].to_numpy(), records["rank"].to_numpy()
        weight = np.ones(len(truth)) if sample_weight is None else sample_weight
        right = rank == 1
        probability = np.maximum(records["probability"].to_numpy(np.float64), LEAST)
        of_class = np.bincount(truth, weights=weight)
        seen = of_class > 0
        recalls = np.bincount(truth, weights=weight * right)[seen] / of_class[seen]
        # A person is a class: one who was drawn twice counts twice.
        times = (of_class / np.maximum(np.bincount(truth), 1))[seen] if records["person"].iloc[0] else None
        return [
            Score("top1", float(np.average(right, weights=weight))),
            Score("top5", float(np.average(rank <= 5, weights=weight))),
            Score("balanced", float(np.average(recalls, weights=times))),
            Score("calibration", calibration_error(records["confidence"].to_numpy(np.float64), right, weight)),
            Score("cross-entropy", float(np.average(-np.log(probability), weights=weight))),
        ]

    def score_replicates(
        self, records: pd.DataFrame, multiplicity: NDArray[np.float64], metrics: Collection[str] | None = None
    ) -> Mapping[tuple[str, str | None], NDArray[np.float64]]:
        """What has units, of every bootstrap draw, see `ghbench.task_abilities.Replicating`."""
        truth, rank, unit = records["class"].to_numpy(), records["rank"].to_numpy(), self.units(records).first
        loss = -np.log(np.maximum(records["probability"].to_numpy(np.float64), LEAST))
        count = multiplicity.shape[1]

        def drawn(values: NDArray[Any]) -> NDArray[np.float64]:
            """Sums of values [N] over each draw, [B]."""
            return multiplicity @ np.bincount(unit, values, count)

        means = {"top1": rank == 1, "top5": rank <= 5, "cross-entropy": loss}
        found = mean_replicates(means, unit, multiplicity, metrics)
        if metrics is None or "balanced" in metrics:
            total, weight = np.zeros((2, len(multiplicity)))
            for one in np.unique(truth):
                of_class, right = drawn(truth == one), drawn((truth == one) & (rank == 1))
                times = of_class / (truth == one).sum() if records["person"].iloc[0] else of_class > 0
                total += times * np.divide(right, of_class, out=np.zeros(len(total)), where=of_class > 0)
                weight += times
            found["balanced", None] = total / weight
        return found

    def errors(self, records: pd.DataFrame) -> Sequence[ErrorList]:
        """Images of which another class is more probable, by its probability, see `ghbench.task_errors.WithErrors`."""
        confidence = np.where(records["rank"] > 1, records["confidence"], 0.0)
        beside = {"probability of the true class": records["probability"].to_numpy()}
        return errors_of_images("wrong classes", "confidence in the wrong class", records, confidence, beside)

    def _folds(
        self, known: NDArray[np.int64], truth: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Rows that teach, and rows that are judged by them."""
        if not self.alone:
            yield np.arange(len(known)), np.arange(len(truth))
            return
        fold = folds_of(truth, FOLDS)
        for one in range(FOLDS):
            if (fold == one).any():
                yield np.flatnonzero(fold != one), np.flatnonzero(fold == one)


def folds_of(classes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The fold of each row, drawn with a fixed seed so that each class is spread evenly: int64 [N]."""
    draw, folds = np.random.default_rng(0), np.empty(len(classes), np.int64)
    for one in np.unique(classes):
        rows = draw.permutation(np.flatnonzero(classes == one))
        folds[rows] = (np.arange(len(rows)) + one) % count
    return folds


def _described(choices: Sequence[Choice]) -> str:
    """How the classifiers came about, in a sentence."""
    tried = sorted({choice.strength for choice in choices})
    strengths = f"L2 strength {tried[0]:.2g}" if len(tried) == 1 else f"L2 strengths {tried[0]:.2g} to {tried[-1]:.2g}"
    edge = ", at the edge of those tried" if any(choice.at_edge for choice in choices) else ""
    end = "" if all(choice.converged for choice in choices) else ", not at its minimum"
    return f"{strengths}{edge}; norm of the gradient at most {max(choice.gradient for choice in choices):.1e}{end}"
