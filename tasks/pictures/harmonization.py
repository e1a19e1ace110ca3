"""Harmonisation with a true answer: a region was recoloured or relit, and the untouched image is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ghbench.extractor import Decoder, Encoder
from ghbench.metrics.image import mse
from ghbench.metrics.ratios import item_records, merged
from ghbench.spec_string import SpecString, parse
from ghbench.task import Context, Evaluation, Lack, Metric, Policy, Reference, Role, TaskInputs

from .composites import Composites, region
from .constants import Constant, by_name
from .decoding import decoded, unit_range
from .harmonizers import blurred_seam, poisson, reinhard, seam_step
from .judges import lack
from .scoring import RatioScores
from .source import JUDGE, RENDERS, Images, Source, image_source, images_of, task_name

CHANGED, CLEAN = "changed", "clean"
Regions = NDArray[np.bool_]
"""bool [N, R, R]."""
_SQUARED: dict[str, Any] = {"unit": "squared, of [-1, 1]", "higher_is_better": False, "bounds": None}
METRICS = (
    Metric("fmse", **_SQUARED),
    Metric("mse", **_SQUARED),
    Metric("bmse", **_SQUARED),
    Metric("seam-ratio", "ratio, ideal 1", higher_is_better=False, bounds=None),
    Metric("content", "cosine", bounds=(-1.0, 1.0)),
    Metric("fmse[clean]", **_SQUARED),
)
METHODS: Mapping[str, tuple[str, Callable[[NDArray[np.uint8], NDArray[np.bool_]], NDArray[np.uint8]]]] = {
    "paste": ("changed image as given", lambda image, _: image),
    "reinhard": ("colour transfer", reinhard),
    "poisson": ("Poisson editing", poisson),
    "blur": ("blurred seam", blurred_seam),
}


def harmonization(
    dataset: SpecString | str = RENDERS,
    size: int | None = None,
    align: str | None = None,
    judge: SpecString | str = JUDGE,
) -> HarmonizationTask:
    """Undo a change of colours or light in a region of the image: encode the whole once, decode.

    Args:
        dataset: Any dataset, with its options as `dataset.KEY`; its split `test` where it has one, else all of it.
        size: Side in pixels; 128, of datasets of 28 px 32.
        align: Alignment; photographs of faces are aligned by `ffhq`.
        judge: Network for content retention, with its options as `judge.KEY`; one that shaped the extractor is
            refused.
    """
    source = image_source(dataset, size, align)
    judge = parse(judge) if isinstance(judge, str) else judge
    return HarmonizationTask(task_name("harmonization", source, judge), source, judge)


@dataclass(frozen=True, eq=False)
class HarmonizationTask(RatioScores):
    """Compare what is decoded from changed images with the untouched ones; see `ghbench.task.Task`.

    Args:
        name: Canonical spec string.
        source: The untouched images.
        judge: Extractor for content retention.
    """

    name: str
    source: Source
    judge: SpecString = JUDGE
    version: int = field(default=2, init=False)
    metrics: tuple[Metric, ...] = field(default=METRICS, init=False)
    error_role: ClassVar[str] = CHANGED
    requires: tuple[type, ...] = field(default=(Encoder, Decoder), init=False)
    policies: tuple[Policy, ...] = field(default=("concat",), init=False)

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """A thumbnail, the changed image, and what needs no network."""
        constants = [constant.reference for constant in self._constants.values()]
        return (Reference("pixels:size=16", "16x16 thumbnail", floor=True), *constants)

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        described = self.source.describe()
        del described["training_images"]
        return {
            "kind": "harmonization",
            **described,
            "change": "a random ellipse; even rows: gain and offset of each channel, odd rows: a gain falls across",
            "fmse, mse, bmse": "squared error on [-1, 1] to the untouched image: in the region, everywhere, outside",
            "fmse[clean]": "fmse of what is decoded from the untouched image: what redrawing costs without any change",
            "seam-ratio": "step across the region's edge, sum over images, over that of the untouched ones; the answer "
            "stands inside the region, the given image outside",
            "content": "cosine of the judge's features of the region's box, answer against untouched",
            "judge": str(self.judge),
            "metric_networks": [self._judge.spec.weights_digest],
            "tuned": "nothing; renders have seeds for tests",
        }

    def roles(self) -> Mapping[str, Role]:
        """The changed images under the role `changed`, the untouched ones under `clean`."""
        clean = self.source.role()
        return {CHANGED: Role(Composites(self.source.dataset), clean.split), CLEAN: clean}

    def lacking(self) -> tuple[Lack, ...]:
        """The judge, if it cannot be used here; see `ghbench.task_abilities.Lacking`."""
        found = lack("content", self._judge.encoder, self._judge.spec)
        return () if found is None else (found,)

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Decode and compare every image, see `ghbench.metrics.ratios` for the records."""
        source, context, lacking = self.source, inputs.context, self.lacking()
        targets, notes = images_of(inputs.datasets[CLEAN], context.progress, source)
        given, _ = images_of(inputs.datasets[CHANGED], context.progress)
        rows = source.rows(inputs.datasets[CLEAN])
        regions = np.stack([region(row, source.size) for row in rows])
        found: dict[str, NDArray[np.float64]] = {}
        if isinstance(inputs.subject, Constant):
            answers = blended = inputs.subject.answer(given, rows, context)
        else:
            answers, redrawn = (
                decoded(inputs, inputs.features[role]["plain"], source.size) for role in (CHANGED, CLEAN)
            )
            blended = np.where(regions[:, None], answers, given)
            found["fmse[clean]"] = _squared_error(targets, redrawn, regions)
        found = {
            "fmse": _squared_error(targets, answers, regions),
            "mse": mse(unit_range(targets), unit_range(answers)),
            "bmse": _squared_error(targets, answers, ~regions),
            **found,
        }
        if not lacking:
            one, two = (self._judge.pooled(context, _boxes(images, regions)) for images in (targets, answers))
            found["content"] = np.einsum("nd,nd->n", one, two)
        items: dict[str, Any] = {"row": rows, "unit": source.units(inputs.datasets[CLEAN])}
        seams = item_records("seam-ratio", _seams(blended, regions), _seams(targets, regions), **items)
        tables = [item_records(name, values, **items) for name, values in found.items()]
        return Evaluation(merged([*tables, seams]), lacking, notes)

    @cached_property
    def _constants(self) -> Mapping[str, Constant]:  # type: ignore[override]
        return by_name([_method(name, self.source.size) for name in METHODS])


def _method(name: str, size: int) -> Constant:
    what, method = METHODS[name]

    def answer(given: Images, rows: Sequence[int], _context: Context) -> Images:
        return np.stack([method(image, region(row, size)) for image, row in zip(given, rows, strict=True)])

    return Constant(Reference(name, what, floor=name == "paste"), answer)


def _squared_error(targets: Images, images: Images, where: Regions) -> NDArray[np.float64]:
    """Squared error of each image over a part of it, float64 [N]."""
    squared = np.square(unit_range(targets) - unit_range(images)).mean(axis=1)
    error: NDArray[np.float64] = (squared * where).sum(axis=(1, 2)) / where.sum(axis=(1, 2))
    return error


def _seams(images: Images, regions: Regions) -> NDArray[np.float64]:
    return np.array([seam_step(image, inside) for image, inside in zip(images, regions, strict=True)])


def _boxes(images: Images, regions: Regions) -> list[NDArray[np.uint8]]:
    """The bounding box of each region, uint8 [H, W, 3]."""
    cut = []
    for image, inside in zip(images, regions, strict=True):
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        part = image[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        cut.append(np.ascontiguousarray(part.transpose(1, 2, 0)))
    return cut
