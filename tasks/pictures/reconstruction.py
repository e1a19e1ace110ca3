"""Reconstruction: how much of an image is in its features, judged by the image that is decoded from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.data.array_images import ArrayImages
from ghbench.data.subset import first_rows
from ghbench.dataset import Dataset
from ghbench.extractor import CodePredictor, Decoder, Encoder
from ghbench.generators.first_party import FACES
from ghbench.metrics.ratios import item_records, merged, set_record
from ghbench.seeds import RANGES
from ghbench.spec_string import SpecString, parse
from ghbench.task import Evaluation, Lack, Metric, Policy, Reference, Role, TaskInputs

from .constants import INVERTED, Constant, by_name, inverting_generator, reconstruction_constants
from .decoding import compared, decoded
from .judges import DISTANCES, FaceJudge, lack
from .scoring import RatioScores
from .source import JUDGE, RENDERS, TRAINING_RENDERS, Source, headed_generator, image_source, images_of, task_name

ROLE = "images"
OF_JUDGE, OF_FACES = "perceptual, kid", "same-person"
"""What is missing where a judge cannot be used."""
JUDGED = 2_000
"""Images that the judge looks at, at most: its network takes longer than everything else together."""
FIRST = f"mse[first {INVERTED}]"
SQUARED = "squared, of [-1, 1]"
COMPONENTS = (64, 256, 512, 5_120)
"""Principal components beside reconstructions; 5,120 are the numbers of GH-Feat's codes at 128 px."""
COMPONENT_SIZE, COMPONENT_IMAGES = 64, 6
"""Side of the images that they are of, for a few thousand hold no finer detail; images for each training render."""


def reconstruction(
    dataset: SpecString | str = RENDERS,
    size: int | None = None,
    align: str | None = None,
    judge: SpecString | str = JUDGE,
    training: int | None = None,
) -> ReconstructionTask:
    """Decode images from their features: how much of them comes back?

    Args:
        dataset: Any dataset, with its options as `dataset.KEY`; its split `test` where it has one, else all of it.
        size: Side in pixels at which images are compared; 128, of datasets of 28 px 32.
        align: Alignment; photographs of faces are aligned by `ffhq`.
        judge: Network for perceptual and set distances, with its options as `judge.KEY`; one that shaped the extractor
            is refused.
        training: Images among which the nearest is looked for: 1,000 training renders, or the split `train` of a
            dataset that has one; 0 for none.
    """
    source = image_source(dataset, size, align, training)
    judge = parse(judge) if isinstance(judge, str) else judge
    return ReconstructionTask(task_name("reconstruction", source, judge), source, judge)


@dataclass(frozen=True, eq=False)
class ReconstructionTask(RatioScores):
    """Compare images with what is decoded from their features; see `ghbench.task.Task`.

    Args:
        name: Canonical spec string.
        source: The images.
        judge: Extractor for perceptual and set distances.
    """

    name: str
    source: Source
    judge: SpecString = JUDGE
    version: int = field(default=2, init=False)
    error_role: ClassVar[str] = ROLE
    requires: tuple[type, ...] = field(default=(Encoder, Decoder), init=False)
    policies: tuple[Policy, ...] = field(default=("concat",), init=False)

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:  # type: ignore[override]
        """What it reports, squared error first."""
        lower: dict[str, Any] = {"higher_is_better": False, "bounds": None}
        found = [
            Metric("mse", SQUARED, **lower),
            Metric("psnr", "dB", bounds=None),
            Metric("ssim", "structural similarity", bounds=(-1.0, 1.0)),
            Metric("perceptual", "squared distance", **lower),
        ]
        if self.source.known.faces:
            found.append(Metric("same-person"))
        if self.source.is_rendered:
            found.append(Metric("code-r2", "explained variance", bounds=(None, 1.0)))
        if inverting_generator(self.source):
            found.append(Metric(FIRST, SQUARED, **lower))
        error = "over disjoint blocks of images"
        return (*found, Metric("kid", "squared distance", uncertainty="error", error=error, **lower))

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """Thumbnails, principal components of renders, and the constants."""
        thumbnails = [Reference(f"pixels:size={side}", f"{side}x{side} thumbnail", floor=side == 8) for side in (8, 16)]
        constants = [constant.reference for constant in self._constants.values()]
        return (*thumbnails, *_components(self.source), *constants)

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        judges = [self._judge.spec, *([self._faces.spec()] if self.source.known.faces else [])]
        return {
            "kind": "reconstruction",
            **self.source.describe(),
            "targets": "the image in its frame, which is also what is encoded",
            "outputs": "what is decoded; at another size than the target's, resized to it (bicubic, antialiased)",
            "mse": "on [-1, 1], mean over images",
            "psnr": "10 log10(4 / mse), of the mean over images",
            "ssim": "on (x + 1) / 2; Gaussian window, sigma 1.5, 11 x 11, border of 5 left out; mean over channels",
            "perceptual": "squared distance of the judge's pooled features of unit length, mean over its stages",
            "kid": "a random half of the images against the outputs of the other half, on the judge's features",
            "judged": f"perceptual and kid on the first {JUDGED:,} images at most",
            "same-person": "outputs within 0.6 of their image by dlib's network; no face found in an output: another",
            "code-r2": "1 - squared error of the code / its spread about the generator's mean",
            "judge": str(self.judge),
            "metric_networks": [spec.weights_digest for spec in judges],
            "tuned": "nothing; renders have seeds for tests, training renders those for training",
        }

    def roles(self) -> Mapping[str, Role]:
        """The images, under the role `images`."""
        return {ROLE: self.source.role()}

    def lacking(self) -> tuple[Lack, ...]:
        """Judges that cannot be used here, see `ghbench.task_abilities.Lacking`."""
        found = [lack(OF_JUDGE, self._judge.encoder, self._judge.spec)]
        if self.source.known.faces:
            found.append(lack(OF_FACES, self._faces, self._faces.spec()))
        return tuple(one for one in found if one is not None)

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Decode and compare every image, see `ghbench.metrics.ratios` for the records."""
        dataset, context, source = inputs.datasets[ROLE], inputs.context, self.source
        lacking = self.lacking()
        targets, notes = images_of(dataset, context.progress, source)
        rows = np.asarray(source.rows(dataset))
        if isinstance(inputs.subject, Constant):
            outputs = inputs.subject.answer(targets, rows.tolist(), context)
        else:
            outputs = decoded(inputs, inputs.features[ROLE]["plain"], source.size)
        items: dict[str, Any] = {"row": rows, "unit": source.units(dataset)}
        found = compared(targets[: len(outputs)], outputs)
        tables = []
        if len(outputs) == len(targets):
            tables += [item_records(name, values, **items) for name, values in found.items()]
            tables += self._code_records(inputs, rows, items)
            without = {one.what for one in lacking}
            judged, more = self._judged(inputs, dataset, ArrayImages(outputs, "decoded"), items, without)
            tables, notes = [*tables, *judged], (*notes, *more)
        if inverting_generator(source):
            first = np.arange(len(targets)) < INVERTED
            above = np.zeros(len(targets))
            above[first] = found["mse"][: first.sum()]
            tables.append(item_records(FIRST, above, first, **items))
        return Evaluation(merged(tables), lacking, notes)

    @cached_property
    def _constants(self) -> Mapping[str, Constant]:  # type: ignore[override]
        return by_name(reconstruction_constants(self.source))

    @property
    def _faces(self) -> FaceJudge:
        return FaceJudge(self.source.size)

    def _judged(
        self, inputs: TaskInputs, targets: Dataset, outputs: Dataset, items: dict[str, Any], without: set[str]
    ) -> tuple[list[pd.DataFrame], tuple[str, ...]]:
        """Records of what networks say of the outputs, and why some are not there."""
        tables: list[pd.DataFrame] = []
        notes: list[str] = []
        judge, context = self._judge, inputs.context
        if self.source.known.faces and OF_FACES not in without:
            tables.append(item_records("same-person", self._faces.same_person(context, targets, outputs), **items))
        if OF_JUDGE in without:
            return tables, ()
        first = np.arange(len(targets)) < JUDGED
        seen, shown = (judge.features(context, first_rows(images, JUDGED)) for images in (targets, outputs))
        distance = np.zeros(len(targets))
        distance[first] = judge.perceptual(seen, shown)
        tables.append(item_records("perceptual", distance, first, **items))
        report = judge.distances(seen, shown, context)
        name = f"kid[{DISTANCES}]"
        if name in report.distances:
            estimate, floor = report.distances[name], report.floors[name]
            tables.append(set_record("kid", estimate.value, estimate.standard_error or np.nan))
            notes.append(f"kid between the two halves of the images themselves: {floor.value:.4g}")
        else:
            notes.append(f"no kid: {report.left_out[name]}")
        return tables, tuple(notes)

    def _code_records(
        self, inputs: TaskInputs, rows: NDArray[np.int64], items: dict[str, Any]
    ) -> Iterator[pd.DataFrame]:
        """How well the codes of renders are predicted, by level."""
        renders, subject = self.source.renders, inputs.subject
        if renders is None or not isinstance(subject, CodePredictor):
            return
        true = subject.features_of_codes(parse(renders.generator).name, renders.codes(rows.tolist()))
        if true is None:
            return
        features = inputs.features[ROLE]["plain"]
        for level in inputs.levels:
            expected = np.asarray(true[level], dtype=np.float64)
            error = np.square(features[level] - expected).mean(axis=1)
            spread = np.square(expected).mean(axis=1)
            yield item_records("code-r2", spread - error, spread, at=level, **items)


def _components(source: Source) -> list[Reference]:
    """Principal components of training renders, of few numbers and of as many as GH-Feat's codes have.

    Many components need more images than the whole network draws in reasonable time, so a head draws them where there
    is one. Fewer components where images or pixels do not give so many.
    """
    training = TRAINING_RENDERS if source.training is None else source.training
    if not source.is_rendered or training < 2:
        return []
    options, side = source.spec.options, min(source.size, COMPONENT_SIZE)
    fit = {key: options[key] for key in ("psi", "mixed", "generator") if key in options}
    headed = headed_generator(source) is not None
    if headed:
        fit["generator"] = f"{FACES}:size={side}"
    count = COMPONENT_IMAGES * training
    fit |= {"count": str(count), "first": str(RANGES["train"].start), "size": str(side if headed else source.size)}
    given = {"fit": "renders", **{f"fit.{key}": value for key, value in fit.items()}}
    given |= {"colour": "true", "size": str(side)}
    numbers = sorted({min(number, count - 1, 3 * side**2) for number in COMPONENTS})
    return [
        Reference(
            str(SpecString("eigenfaces", options={**given, "components": str(number)})), f"PCA of {number:,} numbers"
        )
        for number in numbers
    ]
