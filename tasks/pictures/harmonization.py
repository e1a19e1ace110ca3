"""Harmonisation with a true answer: a region was recoloured or relit, and the untouched picture is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.dataset import Dataset
from ghbench.errors import MissingError, UsageError
from ghbench.extractor import Decoder, Encoder
from ghbench.metrics.image import mse
from ghbench.spec_string import SpecString
from ghbench.task import Role, TaskInputs, Units

from . import scores as picture_scores
from .composites import Composites, region
from .decoding import decoded, unit_range
from .harmonizers import blurred_seam, poisson, reinhard, seam_step
from .judges import PictureJudge, reason, unit_length
from .sources import Pictures, PictureSource, RenderOptions, picture_source
from .task import LEFT_OUT, ScoredPictures

JUDGE = "efficientnet-lite0"
PASTED, CLEAN = "pasted", "clean"
Regions = NDArray[np.bool_]
"""bool [N, R, R]."""
DEFINITIONS = {
    "paste": "the picture as it is given",
    "reinhard": "the region gets mean and deviation of its surroundings in l-alpha-beta (Reinhard et al. 2001)",
    "poisson": "the region's gradients, its border from the surroundings (OpenCV seamlessClone)",
    "blur": "a blurred seam",
    "blend": "the answer inside the region, the given picture outside",
    "floor": "decoded from the features of the untouched picture: what the decoder loses anyway",
}


def harmonization(
    on: Literal["renders", "imagefolder"] = "renders",
    size: int | None = None,
    generator: str = "mobile-stylegan-ffhq",
    psi: float = 1.0,
    count: int = 200,
    path: Path | None = None,
    judge: str = JUDGE,
) -> HarmonizationTask:
    """Undo a change of colours or light in a region of the picture: encode the whole once, decode.

    Args:
        on: `renders` of a generator for unseen seeds, or `imagefolder`.
        size: Side in pixels, 128 by default.
        generator: Of the renders.
        psi: Truncation of the renders.
        count: Renders.
        path: Folder of `imagefolder`.
        judge: Network for content retention; one that shaped the extractor is refused.
    """
    if on not in {"renders", "imagefolder"}:
        raise UsageError(f"harmonization on={on!r}; expected renders or imagefolder")
    if on != "renders" and (generator, psi, count) != ("mobile-stylegan-ffhq", 1.0, 200):
        raise UsageError(f"generator, psi and count are options of on=renders, not of on={on}")
    if count < 1:
        raise UsageError(f"count={count}; expected at least 1")
    given = {"on": on, "generator": generator, "psi": f"{psi:g}", "count": str(count), "judge": judge}
    given |= {key: str(value) for key, value in (("size", size), ("path", path)) if value is not None}
    usual = {"on": "renders", "generator": "mobile-stylegan-ffhq", "psi": "1", "count": "200", "judge": JUDGE}
    options = {key: value for key, value in given.items() if usual.get(key) != value}
    source = picture_source(on, size, None, path, RenderOptions(generator, psi, 0.0, count, 0))
    return HarmonizationTask(str(SpecString("harmonization", options=options)), source, judge)


@dataclass(frozen=True, eq=False)
class HarmonizationTask(ScoredPictures):
    """Compare what is decoded from changed pictures with the untouched ones.

    Args:
        name: Canonical spec string.
        source: The untouched pictures.
        judge: Spec string of the network for content retention.
        references: Rows that stand in every table: a thumbnail scaled up.
        untrained: Its name.
        main_metric: The metric that ranks.
    """

    name: str
    source: PictureSource
    judge: str = JUDGE
    references: tuple[str, ...] = ("pixels:size=16",)
    untrained: str = "pixels"
    main_metric: str = "mse"
    version: int = field(default=1, init=False)
    requires: tuple[type, ...] = field(default=(Encoder, Decoder), init=False)

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        return {
            "kind": "harmonization",
            "dataset": self.source.name,
            **{key: value for key, value in self.source.described.items() if key != "training_seeds"},
            "size": self.source.size,
            "align": self.source.align,
            "change": "a random ellipse; even rows: gain and offset of each channel, odd rows: a gain falls across",
            "mse, fmse, bmse": "squared error on [-1, 1] to the untouched picture: everywhere, inside, outside",
            "seam-ratio": "step across the region's edge, sum over pictures, over that of the untouched ones; ideal 1",
            "content": "cosine of the judge's features of the region's box, answer against untouched",
            "judge": self.judge,
            "metric_networks": [self._judge.spec.weights_digest],
            "beside": dict(DEFINITIONS),
            "interval": "95 % percentile bootstrap over pictures",
            "training_overlap": self.source.overlap,
        }

    def datasets(self) -> Mapping[str, Role]:
        """The changed pictures under the role `pasted`, the untouched under `clean`."""
        return {PASTED: Role(self._pasted), CLEAN: Role(self.source.dataset)}

    def evaluate(self, inputs: TaskInputs, rng: np.random.Generator) -> pd.DataFrame:  # noqa: ARG002
        """Decode and compare every picture.

        Returns:
            One record a picture: `level`, `row`, `unit`, `mse`, `fmse`, `bmse`, `seam-ratio` (the step across the
            edge, to be divided by `clean-seam`), `content`, and the same of each reference. The attribute `left_out`
            says what is missing and why.

        Raises:
            UsageError: A policy other than `concat`.
        """
        if inputs.policy != "concat":
            raise UsageError(f"features are not decoded by policy {inputs.policy!r}", fix="policy=concat")
        count = len(inputs.datasets[PASTED])
        targets, regions = self._clean[:count], self._regions[:count]
        given = _pictures(inputs.datasets[PASTED])
        size = self.source.size
        answers = {
            role: decoded(inputs, {name: inputs.features[role]["plain"][name] for name in inputs.levels}, size)
            for role in (PASTED, CLEAN)
        }
        blended = np.where(regions[:, None], answers[PASTED], given)
        simple, left_out = self._simple(given, regions)
        shown = {"": answers[PASTED], "[blend]": blended, "[floor]": answers[CLEAN], **simple}
        columns: dict[str, NDArray[np.float64]] = {
            picture_scores.CLEAN_SEAM: _seams(targets, regions),
        }
        for suffix, pictures in shown.items():
            found = _compared(targets, pictures, regions)
            columns |= {f"{metric}{suffix}": values for metric, values in found.items()}
        try:
            columns |= self._content(targets, regions, shown)
        except MissingError as error:
            left_out["content"] = reason(error)
        rows = np.arange(count)
        fixed = {"level": pd.Categorical([None] * count), "row": rows.astype(np.int32), "unit": rows.astype(np.int32)}
        records = pd.DataFrame({**fixed, **columns})
        records.attrs[LEFT_OUT] = left_out
        return records

    def units(self, records: pd.DataFrame) -> Units:
        """Pictures."""
        return Units("pictures", np.arange(len(records)), None, len(records))

    @cached_property
    def _judge(self) -> PictureJudge:
        return PictureJudge(self.judge)

    @cached_property
    def _clean(self) -> Pictures:
        return self.source.prepared(self.source.dataset)

    @cached_property
    def _regions(self) -> Regions:
        return np.stack([region(row, self.source.size) for row in range(len(self.source.dataset))])

    @cached_property
    def _pasted(self) -> Dataset:
        return Composites(self.source.dataset, lambda: self._clean, self.source.size)

    def _simple(self, given: Pictures, regions: Regions) -> tuple[dict[str, Pictures], dict[str, str]]:
        """What needs no network, by suffix, and why others are left out."""
        makers: dict[str, Callable[[NDArray[np.uint8], NDArray[np.bool_]], NDArray[np.uint8]]] = {
            "reinhard": reinhard,
            "poisson": poisson,
            "blur": blurred_seam,
        }
        found, left_out = {"[paste]": given}, {}
        for name, make in makers.items():
            try:
                found[f"[{name}]"] = np.stack([make(*pair) for pair in zip(given, regions, strict=True)])
            except MissingError as error:
                left_out[name] = reason(error)
        return found, left_out

    def _content(
        self, targets: Pictures, regions: Regions, shown: Mapping[str, Pictures]
    ) -> dict[str, NDArray[np.float64]]:
        true = unit_length(self._judge.pooled(_boxes(targets, regions)))
        return {
            f"content{suffix}": np.einsum("nd,nd->n", true, unit_length(self._judge.pooled(_boxes(pictures, regions))))
            for suffix, pictures in shown.items()
        }


def _compared(targets: Pictures, pictures: Pictures, regions: Regions) -> dict[str, NDArray[np.float64]]:
    one, two = unit_range(targets), unit_range(pictures)
    squared = np.square(one - two).mean(axis=1)
    inside, outside = regions.astype(np.float64), (~regions).astype(np.float64)
    return {
        "mse": mse(one, two),
        "fmse": (squared * inside).sum(axis=(1, 2)) / inside.sum(axis=(1, 2)),
        "bmse": (squared * outside).sum(axis=(1, 2)) / outside.sum(axis=(1, 2)),
        picture_scores.SEAM: _seams(pictures, regions),
    }


def _seams(pictures: Pictures, regions: Regions) -> NDArray[np.float64]:
    return np.array([seam_step(picture, inside) for picture, inside in zip(pictures, regions, strict=True)])


def _boxes(pictures: Pictures, regions: Regions) -> list[NDArray[np.uint8]]:
    """The bounding box of each region, uint8 [H, W, 3]."""
    cut = []
    for picture, inside in zip(pictures, regions, strict=True):
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        part = picture[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        cut.append(np.ascontiguousarray(part.transpose(1, 2, 0)))
    return cut


def _pictures(dataset: Dataset) -> Pictures:
    return np.stack([dataset.image(row).transpose(2, 0, 1) for row in range(len(dataset))])
