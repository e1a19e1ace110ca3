"""A subject with every ability that the contract knows, whose answers are made of random numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.digests import digest_bytes
from ghbench.extractor import (
    ExtractorSpec,
    Level,
    Navigator,
    NavigatorSpec,
    Preprocessing,
    Subject,
    TrainingRecord,
)

DIM, SIDE = 16, 8
_LEVELS = ("first", "second")


class StandInExtractor:
    """Random features that depend on the image alone, and images decoded from any features; codes it predicts none."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._encoding = {level: rng.standard_normal((3 * SIDE**2, DIM)) for level in _LEVELS}
        self._decoding = rng.standard_normal((DIM, 3 * SIDE**2))
        self._seed = seed

    def spec(self) -> ExtractorSpec:
        """Two levels of 16 numbers, images of 8 x 8 pixels."""
        return ExtractorSpec(
            name="conformance",
            version="1",
            levels=tuple(Level(name, DIM) for name in _LEVELS),
            default_levels=_LEVELS,
            preprocessing=Preprocessing(size=(SIDE, SIDE)),
            weights_digest=digest_bytes(f"conformance {self._seed}".encode()),
            training=TrainingRecord(),
            licence="none",
        )

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Encode uint8 [N, 3, 8, 8]: a random projection, by level float32 [N, 16]."""
        flat = images.reshape(len(images), -1) / 255 - 0.5
        return {level: (flat @ matrix).astype(np.float32) for level, matrix in self._encoding.items()}

    def decode(self, features: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
        """Decode features by level [N, 16] to uint8 [N, 3, 8, 8]."""
        total = np.sum([np.asarray(values, dtype=np.float64) for values in features.values()], axis=0)
        grey = 128 + 8 * total @ self._decoding
        images: NDArray[np.uint8] = grey.clip(0, 255).round().astype(np.uint8)
        return images.reshape(-1, 3, SIDE, SIDE)

    def features_of_codes(self, generator: str, ws: NDArray[np.float32]) -> None:
        """It predicts the codes of no generator."""


class StandInNavigator:
    """Three random directions for the generator `tiny`."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def spec(self) -> NavigatorSpec:
        """Directions in W+ of `tiny`."""
        from ghbench import registry

        generator = registry.build("generator", "tiny").spec()
        return NavigatorSpec(
            name="conformance-navigator",
            version="1",
            weights_digest=digest_bytes(f"navigator {self._seed}".encode()),
            training=TrainingRecord(networks=(generator.weights_digest,)),
            licence="none",
            generator="tiny",
            generator_digest=generator.weights_digest,
            space="w_plus",
            directions_digest=digest_bytes(f"directions {self._seed}".encode()),
        )

    def directions(self, codes: NDArray[Any] | None = None) -> NDArray[np.float32]:
        """Global directions [3, rows, w_dim], or the same for each of B codes [B, 3, rows, w_dim]."""
        from ghbench.generators.loading import load_generator

        if codes is None:
            generator = load_generator("tiny")
            shape = tuple(generator.mapping(_zeros(generator.z_dim)).shape[1:])
        else:
            shape = np.shape(codes)[1:]
        drawn = np.random.default_rng(self._seed).standard_normal((3, *shape)).astype(np.float32)
        return drawn if codes is None else np.broadcast_to(drawn, (len(codes), *drawn.shape))


def stand_in(requires: tuple[type, ...], seed: int = 0) -> Subject:
    """A subject that satisfies a task's `requires`, as far as the contract's own abilities go."""
    made: Subject = StandInNavigator(seed) if Navigator in requires else StandInExtractor(seed)
    return made


def _zeros(count: int) -> Any:
    import torch

    return torch.zeros(1, count)
