"""Reconstruction: how much of a picture is in its features, judged by the picture that is decoded from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.dataset import Dataset, labels
from ghbench.errors import MissingError, UsageError
from ghbench.extractor import CodePredictor, Decoder, Encoder
from ghbench.metrics.image import mse, ssim
from ghbench.spec_string import SpecString
from ghbench.task import Role, TaskInputs, Units

from . import scores as picture_scores
from .decoding import AT_ONCE, decoded, unit_range
from .judges import FaceJudge, PictureJudge, reason
from .references import DEFINITIONS, INVERSION, reference_pictures
from .sources import Pictures, PictureSource, RenderOptions, picture_source
from .task import LEFT_OUT, ScoredPictures

Made = TypeVar("Made")
On = Literal["renders", "real-faces-mini", "orl", "fashion-mnist", "imagefolder"]
JUDGE = "efficientnet-lite0"
THUMBNAILS = ("pixels:size=8", "pixels:size=16")
_ROLE = "pictures"
AS_INVERTED = ".as-inverted"
"""Ending of metrics on those pictures alone that were inverted."""


def reconstruction(
    on: On = "renders",
    size: int | None = None,
    generator: str = "mobile-stylegan-ffhq",
    psi: float = 1.0,
    mixed: float = 0.0,
    count: int = 1_000,
    training: int = 1_000,
    align: str | None = None,
    path: Path | None = None,
    judge: str = JUDGE,
) -> ReconstructionTask:
    """Decode pictures from their features: how much of them comes back?

    Args:
        on: `renders` of a generator for unseen seeds, `real-faces-mini`, `orl`, `fashion-mnist` (its test split), or
            `imagefolder`.
        size: Side in pixels at which pictures are compared; 128, Fashion-MNIST 32.
        generator: Of the renders.
        psi: Truncation of the renders.
        mixed: Share of renders with codes of two z (style mixing).
        count: Renders to reconstruct.
        training: Renders among which the nearest one is looked for; 0 for none.
        align: Alignment of photographs; faces are aligned by `ffhq`.
        path: Folder of `imagefolder`.
        judge: Network for perceptual and kernel distances; one that shaped the extractor is refused.
    """
    renders = RenderOptions(generator, psi, mixed, count, training)
    if on != "renders" and renders != RenderOptions("mobile-stylegan-ffhq", 1.0, 0.0, 1_000, 1_000):
        raise UsageError(f"generator, psi, mixed, count and training are options of on=renders, not of on={on}")
    if count < 1 or training < 0:
        raise UsageError(f"count={count} and training={training}; expected at least 1 and 0")
    given = {
        "on": on,
        "generator": generator,
        "psi": f"{psi:g}",
        "mixed": f"{mixed:g}",
        "count": str(count),
        "training": str(training),
        "judge": judge,
        **{key: str(value) for key, value in (("size", size), ("align", align), ("path", path)) if value is not None},
    }
    usual = {"on": "renders", "generator": "mobile-stylegan-ffhq", "psi": "1", "mixed": "0", "count": "1000"}
    usual |= {"training": "1000", "judge": JUDGE}
    options = {key: value for key, value in given.items() if usual.get(key) != value}
    source = picture_source(on, size, align, path, renders)
    name = str(SpecString("reconstruction", options=options))
    return ReconstructionTask(name, source, judge, references=(*THUMBNAILS, *source.components))


@dataclass(frozen=True, eq=False)
class ReconstructionTask(ScoredPictures):
    """Compare pictures with what is decoded from their features.

    Args:
        name: Canonical spec string.
        source: The pictures.
        judge: Spec string of the network for perceptual and kernel distances.
        references: Rows that stand in every table: thumbnails scaled up, principal components of renders.
        untrained: Their name.
        main_metric: The metric that ranks.
    """

    name: str
    source: PictureSource
    judge: str = JUDGE
    references: tuple[str, ...] = THUMBNAILS
    untrained: str = "pixels"
    main_metric: str = "mse"
    version: int = field(default=1, init=False)
    requires: tuple[type, ...] = field(default=(Encoder, Decoder), init=False)

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        judges = [self._judge.spec.weights_digest]
        if self.source.faces:
            judges.append(self._face_judge.spec.weights_digest)
        return {
            "kind": "reconstruction",
            "dataset": self.source.name,
            **self.source.described,
            "size": self.source.size,
            "align": self.source.align,
            "targets": "the picture, aligned and resized (crop-bilinear); renders are averaged over squares of pixels",
            "outputs": "what is decoded; at another size than the target's, resized to it (bicubic, antialiased)",
            "mse, psnr": "per picture on [-1, 1], range 2; mean over pictures",
            "ssim": "on (x + 1) / 2; Gaussian window, sigma 1.5, 11 x 11, border of 5 left out; mean over channels",
            "perceptual": "squared distance of the judge's pooled features of unit length, mean over its stages",
            "kid, fd": "a random half of the pictures against the outputs of the other half; floor: half against half",
            "same-person": "outputs within 0.6 of their picture by dlib's network; no face found in an output: another",
            "code-r2": "1 - squared error of the code / its spread about the generator's mean",
            "judge": self.judge,
            "metric_networks": judges,
            "beside": dict(DEFINITIONS),
            "as-inverted": "the metric on the first pictures alone, those that were inverted",
            "interval": f"95 % percentile bootstrap over {self._unit}",
            "training_overlap": self.source.overlap,
        }

    def datasets(self) -> Mapping[str, Role]:
        """The pictures, under the role `pictures`."""
        return {_ROLE: Role(self.source.dataset)}

    def evaluate(self, inputs: TaskInputs, rng: np.random.Generator) -> pd.DataFrame:  # noqa: ARG002
        """Decode and compare every picture.

        Returns:
            One record a picture (and a level, under the policy `each`): `level`, `row` of the dataset, `unit`, `mse`,
            `ssim`, the same of each reference (`mse[head]`) and on inverted pictures alone (`mse.as-inverted`),
            `perceptual[JUDGE]`, `same-person[dlib-face]`, parts of R2 of the code at each level, and distances of the
            whole set, the same in each row. The attribute `left_out` says what is missing and why.

        Raises:
            UsageError: A policy under which features are not decoded.
        """
        dataset = inputs.datasets[_ROLE]
        if inputs.policy not in {"concat", "each"}:
            raise UsageError(f"features are not decoded by policy {inputs.policy!r}", fix="policy=concat or each")
        targets = self._targets(dataset)
        beside, left_out = self._beside(targets)
        features = inputs.features[_ROLE]["plain"]
        asked = [(level, (level,)) for level in inputs.levels] if inputs.policy == "each" else [(None, inputs.levels)]
        parts = []
        for level, levels in asked:
            outputs = decoded(inputs, {name: features[name] for name in levels}, self.source.size)
            own = _compared(targets, outputs)
            columns = {**own, **_as_inverted(own, beside), **beside, **self._judged(targets, outputs, left_out)}
            columns |= self._code_errors(inputs, {name: features[name] for name in levels}, left_out)
            parts.append(self._table(level, dataset, columns))
        records = pd.concat(parts, ignore_index=True)
        records.attrs[LEFT_OUT] = left_out
        return records

    def units(self, records: pd.DataFrame) -> Units:
        """People where the pictures say who they show, else pictures."""
        units, code = np.unique(records["unit"].to_numpy(), return_inverse=True)
        return Units(self._unit, code.astype(np.int64), None, len(units))

    @property
    def _unit(self) -> str:
        return "people" if self.source.by_person else "pictures"

    @cached_property
    def _judge(self) -> PictureJudge:
        return PictureJudge(self.judge)

    @cached_property
    def _face_judge(self) -> FaceJudge:
        return FaceJudge()

    @cached_property
    def _kept(self) -> dict[tuple[str, int], Any]:
        """What is the same for every extractor: targets, references, and what the judge saw of the targets."""
        return {}

    def _once(self, what: str, count: int, make: Callable[[], Made]) -> Made:
        if (what, count) not in self._kept:
            self._kept[what, count] = make()
        made: Made = self._kept[what, count]
        return made

    def _targets(self, dataset: Dataset) -> Pictures:
        return self._once("targets", len(dataset), lambda: self.source.prepared(dataset))

    def _beside(self, targets: Pictures) -> tuple[dict[str, NDArray[np.float64]], dict[str, str]]:
        def make() -> tuple[dict[str, NDArray[np.float64]], dict[str, str]]:
            pictures, left_out = reference_pictures(self.source, targets)
            columns = {
                f"{metric}[{name}]": _padded(values, len(targets))
                for name, shown in pictures.items()
                for metric, values in _compared(targets[: len(shown)], shown).items()
            }
            return columns, left_out

        columns, left_out = self._once("beside", len(targets), make)
        return columns, dict(left_out)

    def _judged(
        self, targets: Pictures, outputs: Pictures, left_out: dict[str, str]
    ) -> dict[str, NDArray[np.float64] | float]:
        columns: dict[str, NDArray[np.float64] | float] = {}
        name = f"perceptual[{self._judge.name}]"
        try:
            seen = self._once("seen", len(targets), lambda: self._judge.look(targets))
            shown = self._judge.look(outputs)
        except MissingError as error:
            left_out[f"{name} and kid[{self._judge.name}]"] = reason(error)
        else:
            columns[name] = self._judge.perceptual(seen, shown)
            found = self._judge.distances(seen, shown)
            left_out |= {name: why for name, why in found.left_out.items() if "kid" in name}
            for distance, (value, deviation) in found.values.items():
                columns[picture_scores.DISTANCE + distance] = value
                columns[picture_scores.ERROR + distance] = deviation
        if self.source.faces:
            name = f"same-person[{self._face_judge.spec.name}]"
            try:
                faces = self._once("seen faces", len(targets), lambda: self._face_judge.look(targets))
                columns[name] = self._face_judge.same_person(faces, outputs)
            except MissingError as error:
                left_out[name] = reason(error)
        return columns

    def _code_errors(
        self, inputs: TaskInputs, features: Mapping[str, NDArray[np.float32]], left_out: dict[str, str]
    ) -> dict[str, NDArray[np.float64]]:
        """Squared error and spread about the generator's mean of each picture's code, by level."""
        extractor: object = inputs.extractor
        options = self.source.renders
        if options is None:
            return {}
        if not isinstance(extractor, CodePredictor):
            left_out["code-r2"] = f"{inputs.spec.name} predicts no codes"
            return {}
        from ghbench.data.renders import Renders

        assert isinstance(self.source.dataset, Renders)
        ws = self.source.dataset.codes(range(len(inputs.datasets[_ROLE])))
        true = extractor.features_of_codes(options.generator.partition(":")[0], ws)
        if true is None:
            left_out["code-r2"] = f"{inputs.spec.name} predicts the codes of another generator"
            return {}
        columns = {}
        for name, values in features.items():
            expected = np.asarray(true[name], dtype=np.float64)
            columns[picture_scores.CODE_ERROR + name] = np.square(values - expected).mean(axis=1)
            columns[picture_scores.CODE_SPREAD + name] = np.square(expected).mean(axis=1)
        return columns

    def _table(
        self, level: str | None, dataset: Dataset, columns: Mapping[str, NDArray[np.float64] | float]
    ) -> pd.DataFrame:
        rows = np.arange(len(dataset))
        unit = labels(dataset).values if self.source.by_person else rows
        fixed = {
            "level": pd.Categorical([level] * len(rows)),
            "row": rows.astype(np.int32),
            "unit": np.asarray(unit, np.int32),
        }
        return pd.DataFrame({**fixed, **columns})


def _padded(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Values of the first pictures, NaN for the others."""
    return np.concatenate([values, np.full(count - len(values), np.nan)])


def _as_inverted(
    own: Mapping[str, NDArray[np.float64]], beside: Mapping[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """The output's own numbers on the pictures that were inverted, if any were: what the inversion is compared with."""
    inverted = beside.get(f"mse[{INVERSION}]")
    if inverted is None:
        return {}
    return {f"{name}{AS_INVERTED}": np.where(np.isnan(inverted), np.nan, values) for name, values in own.items()}


def _compared(targets: Pictures, outputs: Pictures) -> dict[str, NDArray[np.float64]]:
    """Squared error and structural similarity of each picture, in parts that fit into memory."""
    found: dict[str, list[NDArray[np.float64]]] = {"mse": [], "ssim": []}
    for start in range(0, len(targets), AT_ONCE):
        one, two = (unit_range(pictures[start : start + AT_ONCE]) for pictures in (targets, outputs))
        found["mse"].append(mse(one, two))
        found["ssim"].append(ssim(one, two))
    return {name: np.concatenate(parts) for name, parts in found.items()}
