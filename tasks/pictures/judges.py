"""Networks that look at images and at what was decoded: perceptual and set distances, and whether it is one person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import registry
from ghbench.data.array_images import ArrayImages
from ghbench.dataset import Dataset
from ghbench.errors import MissingError, UsageError
from ghbench.extractor import Encoder, Extractor, ExtractorSpec, Level, Preprocessing
from ghbench.imaging import prepare, resize_step
from ghbench.metrics.distribution_report import DistributionReport, distribution_report
from ghbench.spec_string import SpecString
from ghbench.task import Context, Lack

Floats = NDArray[np.float64]
Features = Mapping[str, NDArray[np.float32]]
FACES, DISTANCES = "dlib-face", "judge"
"""Extractor that knows faces; name that set distances carry in a report."""
SAME_PERSON = 0.6
"""Distance of dlib's descriptors below which two images are taken for one person (dlib's own documentation)."""

_HALVES = 2  # stream of random numbers


class Judge:
    """A network that trained nothing of what it judges; the runner sees to that by its digest.

    Args:
        spec_string: Extractor that encodes images.

    Raises:
        UsageError: No such extractor, or one that encodes no images.
    """

    def __init__(self, spec_string: SpecString) -> None:
        built = registry.build("extractor", spec_string)
        if not isinstance(built, Encoder) or not isinstance(built, Extractor):
            raise UsageError(f"judge {str(spec_string)!r} encodes no images", fix="judge=efficientnet-lite0")
        self.extractor: Extractor = built
        self.encoder: Encoder = built
        self.spec: ExtractorSpec = built.spec()
        self.options = str(spec_string) if spec_string.options else ""
        names = [level.name for level in self.spec.levels]
        self.stages = [name for name in names if name not in self.spec.default_levels] or names

    def features(self, context: Context, dataset: Dataset) -> Features:
        """Features at all levels that `perceptual` and `distances` need."""
        levels = [*dict.fromkeys([*self.stages, *self.spec.default_levels])]
        return context.features(self.extractor, dataset, levels, options=self.options)

    def pooled(self, context: Context, images: Sequence[NDArray[np.uint8]]) -> Floats:
        """Default features of unit length, float64 [N, D].

        Args:
            context: The run's.
            images: uint8 [H, W, 3], each squashed to the network's input.
        """
        step, size = resize_step("squash-bilinear"), self.spec.preprocessing.size
        squashed = np.stack([step.apply(image, size).transpose(2, 0, 1) for image in images])
        features = context.features(self.extractor, ArrayImages(squashed, "regions"), options=self.options)
        return unit_length(np.concatenate(list(features.values()), axis=1))

    def perceptual(self, first: Features, second: Features) -> Floats:
        """Distance of each image to its partner, float64 [N] from 0 to 4.

        The squared distance between pooled features of unit length, mean over stages. Pooled features hold what is in
        an image better than where it is.
        """
        pairs = [(unit_length(first[name]), unit_length(second[name])) for name in self.stages]
        mean: Floats = np.mean([np.square(one - two).sum(axis=1) for one, two in pairs], axis=0)
        return mean

    def distances(self, targets: Features, outputs: Features, context: Context) -> DistributionReport:
        """How far the outputs are from the images as a set, and the floor.

        The images are divided into two random halves. The first is compared with the outputs of the second, the floor
        is its distance to the second itself: no image ever meets its own output.
        """
        whole, made = (
            np.concatenate([features[name] for name in self.spec.default_levels], axis=1)
            for features in (targets, outputs)
        )
        order = context.rng(_HALVES).permutation(len(whole))
        here, there = order[0::2], order[1::2]
        return distribution_report(DISTANCES, whole[here], whole[there], made[there], seed=context.seed)


@dataclass(frozen=True)
class FaceJudge:
    """dlib's face network with its own search for the face; satisfies `Extractor` and `Encoder`.

    Its level `face` holds the 128 numbers of the descriptor, and 1 where a face was found.

    Args:
        size: Side of the images.
    """

    size: int

    def spec(self) -> ExtractorSpec:
        """Describe it; its weights are dlib's."""
        spec: ExtractorSpec = self._dlib().spec()
        level = Level("face", spec.dim(spec.default_levels[0]) + 1)
        frame = Preprocessing((self.size, self.size))
        return replace(spec, name="face-judge", levels=(level,), default_levels=(level.name,), preprocessing=frame)

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Find and describe the face in images uint8 [N, 3, size, size]."""
        dlib = self._dlib()
        wanted = dlib.spec().preprocessing
        chips = [prepare(np.ascontiguousarray(one.transpose(1, 2, 0)), wanted, wanted.align) for one in images]
        (descriptors,) = dlib.extract(np.stack([chip.image for chip in chips])).values()
        found = np.array([[not chip.fallback] for chip in chips], dtype=np.float32)
        return {"face": np.concatenate([descriptors, found], axis=1)}

    def same_person(self, context: Context, targets: Dataset, outputs: Dataset) -> Floats:
        """1 where an output shows the same person, 0 where not or where no face is found in it, float64 [N].

        NaN where no face is found in the image itself.
        """
        one, two = (context.features(self, dataset)["face"].astype(np.float64) for dataset in (targets, outputs))
        near = np.linalg.norm(one[:, :-1] - two[:, :-1], axis=1) < SAME_PERSON
        return np.where(one[:, -1] > 0, near * two[:, -1], np.nan)

    @staticmethod
    @cache
    def _dlib() -> Any:
        return registry.build("extractor", FACES)


def lack(what: str, judge: Encoder, spec: ExtractorSpec) -> Lack | None:
    """What keeps a judge from looking at images on this machine, found out on one grey image; None for nothing."""
    try:
        judge.extract(np.full((1, 3, *spec.preprocessing.size), 128, np.uint8))
    except MissingError as error:
        return Lack(what, error.message, error.fix or "ghbench doctor")
    return None


def unit_length(features: NDArray[np.float32]) -> Floats:
    """Features [N, D] with each row scaled to length 1; rows of zeros stay."""
    values = features.astype(np.float64)
    unit: Floats = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    return unit
