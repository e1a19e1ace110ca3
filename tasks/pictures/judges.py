"""Networks that look at pictures and their reconstructions: perceptual and distribution distances, and who it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ghbench import registry
from ghbench.errors import MissingError, UsageError
from ghbench.extraction.image_arrays import encode_images, encode_levels
from ghbench.extractor import Encoder, ExtractorSpec
from ghbench.imaging import prepare, resize_step
from ghbench.metrics.distribution_report import distribution_report

from .sources import Pictures

Floats = NDArray[np.float64]
FACE_JUDGE = "dlib-face"
SAME_PERSON = 0.6
"""Distance of dlib's descriptors below which two pictures are taken for one person (dlib's own documentation)."""


SeenFaces = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""Descriptors float32 [N, 128], and bool [N] whether a face was found."""


@dataclass(frozen=True)
class Seen:
    """What a judge saw of pictures: by level float32 [N, D]."""

    levels: dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Distances:
    """Distances between two sets of pictures, `kid[NAME]` and so on.

    Args:
        values: By name (value, standard error or NaN).
        left_out: Why others are not there.
    """

    values: dict[str, tuple[float, float]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


class PictureJudge:
    """A network that trained nothing of what it judges; the runner sees to that by its digest.

    Args:
        spec_string: Spec string of an extractor that encodes images.

    Raises:
        UsageError: No such extractor, or one that encodes no images.
    """

    def __init__(self, spec_string: str) -> None:
        built = registry.build("extractor", spec_string)
        if not isinstance(built, Encoder) or not hasattr(built, "spec"):
            raise UsageError(f"judge {spec_string!r} encodes no images", fix="judge=efficientnet-lite0")
        self._encoder: Encoder = built
        self.spec: ExtractorSpec = built.spec()
        named = [level.name for level in self.spec.levels]
        self.stages = [name for name in named if name not in self.spec.default_levels] or named

    @property
    def name(self) -> str:
        """The name that its numbers carry."""
        return self.spec.name

    def look(self, pictures: Pictures) -> Seen:
        """Encode pictures uint8 [N, 3, R, R] at all levels that are needed.

        Raises:
            MissingError: Its weights or a package are not here.
        """
        levels = dict.fromkeys([*self.stages, *self.spec.default_levels])
        return Seen(encode_levels(self._encoder, self.spec, pictures, list(levels)))

    def pooled(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Features float32 [N, D] of pictures uint8 [H, W, 3] of any size, squashed to the network's input.

        Raises:
            MissingError: Its weights or a package are not here.
        """
        step = resize_step("squash-bilinear")
        wanted = self.spec.preprocessing.size
        squashed = np.stack([step.apply(picture, wanted).transpose(2, 0, 1) for picture in pictures])
        return encode_images(self._encoder, self.spec, squashed)

    def perceptual(self, first: Seen, second: Seen) -> Floats:
        """Distance of each picture to its partner, float64 [N] from 0 to 4.

        The squared distance between pooled features of unit length, mean over stages. Pooled features hold what is in
        a picture better than where it is.
        """
        pairs = [(unit_length(first.levels[name]), unit_length(second.levels[name])) for name in self.stages]
        stages = [np.square(one - two).sum(axis=1) for one, two in pairs]
        mean: Floats = np.mean(stages, axis=0)
        return mean

    def distances(self, targets: Seen, outputs: Seen) -> Distances:
        """How far the reconstructions are from the pictures as a set, and the floor.

        The pictures are divided into two random halves. The first is compared with the reconstructions of the second,
        the floor is its distance to the second itself: no picture ever meets its own reconstruction.
        """
        whole, made = (
            np.concatenate([seen.levels[name] for name in self.spec.default_levels], axis=1)
            for seen in (targets, outputs)
        )
        order = np.random.default_rng(0).permutation(len(whole))
        here, there = order[0::2], order[1::2]
        report = distribution_report(self.name, whole[here], whole[there], made[there])
        values = {}
        for suffix, table in (("", report.distances), (".floor", report.floors)):
            for name, estimate in table.items():
                error = np.nan if estimate.standard_error is None else estimate.standard_error
                values[name + suffix] = (estimate.value, float(error))
        return Distances(values, dict(report.left_out))


class FaceJudge:
    """dlib's face network: is the reconstruction still the same person?"""

    def __init__(self) -> None:
        built = registry.build("extractor", FACE_JUDGE)
        assert isinstance(built, Encoder)
        self._encoder: Encoder = built
        self.spec: ExtractorSpec = registry.build("extractor", FACE_JUDGE).spec()

    def look(self, pictures: Pictures) -> SeenFaces:
        """Descriptors float32 [N, 128] of pictures uint8 [N, 3, R, R], and bool [N] whether a face was found.

        Raises:
            MissingError: The extra `faces` or the weights are not here.
        """
        wanted = self.spec.preprocessing
        prepared = [prepare(picture.transpose(1, 2, 0).copy(), wanted, wanted.align) for picture in pictures]
        found = np.array([not one.fallback for one in prepared])
        level = self.spec.default_levels[0]
        chips = np.stack([one.image for one in prepared])
        return np.asarray(self._encoder.extract(chips)[level], np.float32), found

    def same_person(self, targets: SeenFaces, outputs: Pictures) -> Floats:
        """1 where a reconstruction shows the same person, 0 where not or where no face is found in it, float64 [N].

        NaN where no face is found in the picture itself.

        Args:
            targets: What `look` gave of the pictures.
            outputs: Their reconstructions, uint8 [N, 3, R, R].

        Raises:
            MissingError: See `look`.
        """
        (one, seen), (two, kept) = targets, self.look(outputs)
        near = np.linalg.norm(one - two, axis=1) < SAME_PERSON
        return np.where(seen, (near & kept).astype(np.float64), np.nan)


def reason(error: MissingError) -> str:
    """Why something is missing, in one line."""
    return error.message.partition("\n")[0]


def unit_length(features: NDArray[np.float32]) -> Floats:
    """Features [N, D] with each row scaled to length 1; rows of zeros stay."""
    values = features.astype(np.float64)
    unit: Floats = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    return unit
