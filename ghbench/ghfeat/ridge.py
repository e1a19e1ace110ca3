"""The extractor `ghfeat-ridge`: a generator's codes by ridge regression from a thumbnail, as a control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.data.kept_arrays import kept_arrays
from ghbench.digests import digest_json
from ghbench.errors import MissingError, UsageError
from ghbench.extractor import ExtractorSpec, TrainingRecord
from ghbench.ghfeat.extractor import Ghfeat
from ghbench.ghfeat.files.shipped import DEFAULT
from ghbench.probes.ridge import choose_strength, fit_ridge

FITTED, VALIDATED, BATCH = 6_000, 1_000, 50
"""Renders that are fitted on, renders on which the strength is chosen, and renders at once."""
STRENGTHS = tuple(10.0**power for power in range(-2, 6))


@dataclass(frozen=True, eq=False)
class _Fit:
    mean: NDArray[np.float32]
    weights: NDArray[np.float32]
    offset: NDArray[np.float32]


class RidgeGhfeat(Ghfeat):
    """GH-Feat's codes guessed linearly from a thumbnail: what of them needs no encoder.

    Args:
        weights: A trained encoder, whose generator, levels, input and statistics of codes are taken, not its network.
        size: Side of the thumbnail, a divisor of the encoder's.

    Raises:
        UsageError: Another side.
    """

    def __init__(self, weights: str = DEFAULT, size: int = 16) -> None:
        super().__init__(weights)
        self.size, side = size, self._description.config.size
        if size < 1 or side % size:
            raise UsageError(f"size={size} does not divide the encoder's {side} px")

    def spec(self) -> ExtractorSpec:
        """Describe the extractor; nothing is drawn or fitted.

        Raises:
            MissingError: The weights do not exist, or name no generator.
        """
        about, spec = self._description, super().spec()
        if about.generator is None or about.generator_digest is None:
            raise MissingError(f"{about.path.name} names no generator, whose renders are fitted", fix="weights=OTHER")
        renders = [about.generator_digest, FITTED, VALIDATED, list(STRENGTHS), about.about.get("label")]
        recipe = {"thumbnail": self.size, "layout": about.config.layout.to_json(), "renders": renders}
        record = TrainingRecord(
            datasets=about.record.datasets,  # what the generator saw, and perhaps more
            networks=(about.generator_digest,),
            supervision="codes of renders",
            domain="in-generator",
            image_digests=None,
        )
        numbers = sum(level.dim for level in spec.levels)
        return replace(
            spec, name="ghfeat-ridge", weights_digest=digest_json(recipe), training=record, metric=None,
            backend="numpy-float32", parameters=(3 * self.size**2 + 1) * numbers,
        )  # fmt: skip

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Guess a batch: uint8 [N, 3, R, R] to standardised codes, by level float32 [N, width]."""
        fit = self._fit
        return self._by_level((self._thumbnails(images) - fit.mean) @ fit.weights + fit.offset)

    def _thumbnails(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Area averages in [-1, 1], [N, 3 * size * size]."""
        count, step = len(images), images.shape[2] // self.size
        blocks = images.reshape(count, 3, self.size, step, self.size, step)
        means: NDArray[np.float32] = blocks.mean(axis=(3, 5), dtype=np.float32).reshape(count, -1)
        return means / np.float32(127.5) - np.float32(1)

    def _by_level(self, codes: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
        levels = self._description.config.layout.levels
        cuts = np.cumsum([level.width for level in levels])[:-1]
        return {
            level.name: np.ascontiguousarray(part, np.float32)
            for level, part in zip(levels, np.split(codes, cuts, axis=1), strict=True)
        }

    @cached_property
    def _fit(self) -> _Fit:
        """Kept in the cache, since drawing the renders takes minutes."""
        return _Fit(**kept_arrays("ridge", self.spec().weights_digest, self._fitted))

    def _fitted(self) -> dict[str, NDArray[np.float32]]:
        from ghbench.generators.rendering import to_uint8
        from ghbench.ghfeat.training.lessons import renders_of_seeds
        from ghbench.seeds import seeds_for

        codec, seen, true = self.codec, [], []
        for first in (*seeds_for("train", FITTED)[::BATCH], *seeds_for("selection", VALIDATED)[::BATCH]):
            images, ws = renders_of_seeds(codec.generator, first, BATCH, 1.0)
            seen.append(self._thumbnails(to_uint8(images)))
            true.append(_joined(codec.standardise(codec.layout.codes(codec.generator, ws))))
        x, y = np.concatenate(seen), np.concatenate(true)
        path = fit_ridge(x[:FITTED], y[:FITTED])
        strength = choose_strength(path, x[FITTED:], y[FITTED:], STRENGTHS).strength
        parts = {"mean": path.mean, "weights": path.weights(strength), "offset": path.offset}
        return {name: part.astype(np.float32) for name, part in parts.items()}


def _joined(codes: Mapping[str, Any]) -> NDArray[np.float32]:
    return np.concatenate([np.asarray(code.float().cpu().numpy()) for code in codes.values()], axis=1)
