"""Luminance: is the light of a face still in its features? A diagnostic of levels, on which pixels are near perfect."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.dataset import Dataset
from ghbench.errors import DataError
from ghbench.extractor import Encoder
from ghbench.metrics.luminance import light_of
from ghbench.metrics.weighted_means import mean_replicates
from ghbench.probes.regression import STRENGTHS, ridge_answers
from ghbench.probes.rows import Chosen, side_by_side
from ghbench.spec_string import SpecString
from ghbench.task import Evaluation, Metric, Policy, Reference, Role, Score, TaskInputs, Units
from ghbench.task_errors import ErrorList, errors_of_images

from .source import Source, image_source, images_of

ROLE, FOLDS = "images", 5
DATASET = SpecString("orl")
TARGETS = ("luminance", "asymmetry")
_ROUNDING = 1e-12
"""Spread, as a share of the mean square, that equal numbers may seem to have."""


def luminance(dataset: SpecString | str = DATASET, size: int | None = None, align: str | None = None) -> LuminanceTask:
    """Predict mean luminance and its left-right asymmetry from features, by ridge regression in five folds.

    Args:
        dataset: Any dataset, with its options as `dataset.KEY`; its split `test` where it has one, else all of it.
        size: Side in pixels of the frame that is measured and encoded.
        align: Alignment of the frame; photographs of faces are aligned by `ffhq`.
    """
    return LuminanceTask(image_source(dataset, size, align, training=0))


@dataclass(frozen=True, eq=False)
class LuminanceTask:
    """See `luminance`; satisfies `ghbench.task.Task`.

    Args:
        source: The images.
    """

    source: Source
    version: int = field(default=2, init=False)
    metrics: tuple[Metric, ...] = field(
        default=tuple(Metric(name, "R2", bounds=(None, 1.0)) for name in TARGETS), init=False
    )
    requires: tuple[type, ...] = field(default=(Encoder,), init=False)
    policies: tuple[Policy, ...] = field(default=("concat",), init=False)
    references: tuple[Reference, ...] = field(
        default=(
            Reference("pixels", "pixels", floor=True),
            Reference("thumbnail", "thumbnail", floor=True),
            *(Reference(f"random-trunk:seed={seed}", "untrained network", floor=True) for seed in range(3)),
        ),
        init=False,
    )
    kind: ClassVar[str] = "luminance"

    @property
    def name(self) -> str:
        """Canonical spec string."""
        source = self.source
        options = {} if source.spec == DATASET else source.spec.nested("dataset")
        options |= {"size": str(source.size)} if source.size != source.known.size else {}
        options |= {"align": source.align} if source.align != source.known.align else {}
        return str(SpecString(self.kind, options=options))

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        return {
            "kind": self.kind,
            **self.source.describe(),
            "luminance": "mean of linear BT.709 luminance in the frame's central half, sRGB decoded",
            "asymmetry": "(left - right) / (left + right) half of that box",
            "predicted": f"ridge regression on standardised features, {FOLDS} folds of whole {self.source.unit}",
            "strengths": list(STRENGTHS),
            "tuned": "the strength, on one of the training folds, for both numbers together",
            "r2": "1 - squared error / squared deviation from the mean, over all judged images",
        }

    def roles(self) -> Mapping[str, Role]:
        """The images, under the role `images`."""
        return {ROLE: self.source.role()}

    def check_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Refuse what could not be judged, see `ghbench.task_abilities.Checking`."""
        found = len(np.unique(self.source.units(datasets[ROLE])))
        if found < FOLDS:
            raise DataError(f"{found} {self.source.unit}; expected at least {FOLDS}, one for each fold")

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Measure the images, and predict.

        Returns:
            One record an image: `image`, `unit`, and for each target its value and `NAME-predicted`.
        """
        dataset, source = inputs.datasets[ROLE], self.source
        images, notes = images_of(dataset, inputs.context.progress, source)
        truth = np.stack([light_of(image) for image in images])
        views = inputs.features[ROLE]["plain"]
        features = side_by_side(views, inputs.levels)
        units = source.units(dataset)
        names, unit = np.unique(units, return_inverse=True)
        fold = np.random.default_rng(0).permutation(len(names))[unit] % FOLDS
        predicted, edges = np.empty_like(truth), 0
        for one in range(FOLDS):
            judged, taught = np.flatnonzero(fold == one), np.flatnonzero(fold != one)
            predicted[judged], choices = ridge_answers(
                (Chosen(features, taught), truth[taught]), Chosen(features, judged), {"light": slice(None)},
                held_out=fold[taught] == (one + 1) % FOLDS,
            )  # fmt: skip
            edges += choices["light"].at_edge
        if edges:
            notes = (*notes, f"in {edges} of {FOLDS} folds the strength is at the edge of those tried")
        records = pd.DataFrame({"image": np.arange(len(truth), dtype=np.int32), "unit": units.astype(np.int64)})
        for place, name in enumerate(TARGETS):
            records[name] = truth[:, place].astype(np.float32)
            records[f"{name}-predicted"] = predicted[:, place].astype(np.float32)
        return Evaluation(records, notes=notes)

    def chance(self, records: pd.DataFrame) -> float | str:  # noqa: ARG002 - of the contract
        """The mean explains nothing."""
        return 0.0

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """Explained variance of each number.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        weight = np.ones(len(records)) if sample_weight is None else sample_weight
        scores = []
        for name in TARGETS:
            truth, answer = (records[column].to_numpy(np.float64) for column in (name, f"{name}-predicted"))
            spread = weight @ np.square(truth - np.average(truth, weights=weight))
            explained = 1 - weight @ np.square(truth - answer) / spread if spread > 0 else np.nan
            scores.append(Score(name, float(explained)))
        return scores

    def score_replicates(
        self, records: pd.DataFrame, multiplicity: NDArray[np.float64], metrics: Collection[str] | None = None
    ) -> Mapping[tuple[str, str | None], NDArray[np.float64]]:
        """The same of every bootstrap draw, see `ghbench.task_abilities.Replicating`."""
        found: dict[tuple[str, str | None], NDArray[np.float64]] = {}
        for name in TARGETS if metrics is None else [name for name in TARGETS if name in metrics]:
            truth, answer = (records[column].to_numpy(np.float64) for column in (name, f"{name}-predicted"))
            centred = truth - truth.mean()
            moments = {"mean": centred, "square": np.square(centred), "error": np.square(truth - answer)}
            mean, square, error = mean_replicates(moments, self.units(records).first, multiplicity).values()
            spread = square - np.square(mean)
            defined = spread > _ROUNDING * square
            explained = 1 - np.divide(error, spread, out=np.ones_like(error), where=defined)
            found[name, None] = np.where(defined, explained, np.nan)
        return found

    def errors(self, records: pd.DataFrame) -> Sequence[ErrorList]:
        """Images by the error of each number, see `ghbench.task_errors.WithErrors`."""
        found: list[ErrorList] = []
        for name in TARGETS:
            truth, told = records[name].to_numpy(np.float64), records[f"{name}-predicted"].to_numpy(np.float64)
            beside = {"truth": truth, "predicted": told}
            found += errors_of_images(f"highest error of {name}", "error", records, np.abs(truth - told), beside)
        return found

    def units(self, records: pd.DataFrame) -> Units:
        """People where classes are people, else images."""
        names, code = np.unique(records["unit"].to_numpy(), return_inverse=True)
        return Units(self.source.unit, code.astype(np.int64), None, len(names), names.tolist())
