"""Sprites: one shape before a plain background, drawn by code; all factors are known, none has more than 20 values."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ghbench.data.split_rows import consecutive_splits
from ghbench.dataset import DatasetCard, Target
from ghbench.digests import digest_json, digest_lines
from ghbench.errors import UsageError
from ghbench.seeds import seeds_for

VERSION, SIDE, FINER = 1, 64, 4
"""Grows when a seed may give another image; side in pixels; samples a pixel and axis."""
PURPOSES = {"train": "train", "test": "test"}

Polygon = NDArray[np.float64]


def _polygon(*corners: tuple[float, float]) -> Polygon:
    """A polygon around its centroid, whose furthest corner has a distance of 1."""
    points = np.array(corners)
    following = np.roll(points, -1, axis=0)
    cross = points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]
    centred = points - ((points + following) * cross[:, None]).sum(axis=0) / (3 * cross.sum())
    return np.asarray(centred / np.linalg.norm(centred, axis=1).max())


SHAPES: Mapping[str, Polygon] = {
    "corner": _polygon((0, 0), (3, 0), (3, 1), (1, 1), (1, 4), (0, 4)),
    "arrow": _polygon((0, 1), (3, 1), (3, 0), (5, 2), (3, 4), (3, 3), (0, 3)),
    "flag": _polygon((0, 0), (1, 0), (1, 2), (4, 3.5), (1, 5), (0, 5)),
    "house": _polygon((0, 0), (4, 0), (4, 3), (2, 5), (0, 3)),
    "step": _polygon((0, 0), (4, 0), (4, 1.5), (2.5, 1.5), (2.5, 3), (1, 3), (1, 4.5), (0, 4.5)),
}
"""None looks the same after any turn."""
FACTORS: Mapping[str, int] = {
    "shape": len(SHAPES), "colour": 8, "scale": 6, "orientation": 20, "x": 16, "y": 16, "background": 8
}  # fmt: skip
"""Number of values of each factor: not above 20, for with more than 20 bins no perfect code could be recognised."""
SMALLEST, LARGEST, MARGIN = 0.12, 0.24, 0.26
"""Radius of a shape, and the nearest that its centre comes to an edge, as shares of the side."""


class Sprites:
    """Pictures of 64 px, each with random values of all factors; the same seed always gives the same picture.

    Ids are `train/0000000` and so on, numbers being seeds. Target `factors`: int64 [N, 7], numbers of the values of
    shape, colour, scale, orientation, x, y and background.

    Args:
        train: Training images.
        test: Test images.

    Raises:
        UsageError: A negative number, or no images.
    """

    def __init__(self, train: int = 10_000, test: int = 5_000) -> None:
        counts = {"train": train, "test": test}
        if min(counts.values()) < 0 or not sum(counts.values()):
            raise UsageError(f"sprites with train={train}, test={test}; expected numbers of images")
        self._seeds = {split: seeds_for(PURPOSES[split], count) for split, count in counts.items() if count}
        self._rows = [seed for seeds in self._seeds.values() for seed in seeds]
        self.ids: Sequence[str] = tuple(f"{split}/{seed:07d}" for split, seeds in self._seeds.items() for seed in seeds)
        self.splits: Mapping[str, NDArray[np.int64]] = consecutive_splits(
            {split: len(seeds) for split, seeds in self._seeds.items()}
        )
        self.recipe_digest: str | None = digest_json({"sprites": VERSION})

    def card(self) -> DatasetCard:
        """Licence, citation and source."""
        return DatasetCard(
            name="sprites",
            title="One shape before a plain background, with seven independent factors",
            licence="Apache-2.0",
            citation="ghbench",
            source="drawn on this machine",
            domain="renderer",
        )

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def targets(self) -> Mapping[str, Target]:
        """The factors of each image."""
        values = np.stack([factors_of(seed) for seed in self._rows])
        return {"factors": Target("factors", values, "numbers of values", tuple(FACTORS))}

    def image(self, row: int) -> NDArray[np.uint8]:
        """One image: uint8 [64, 64, 3]."""
        return drawn(factors_of(self._rows[row]))

    def pixels(self) -> NDArray[np.uint8]:
        """All images at once: uint8 [N, 64, 64, 3]."""
        return np.stack([self.image(row) for row in range(len(self))])

    def identities(self) -> Sequence[str]:
        """Digest of each image's factors."""
        return tuple(digest_lines([str(self.recipe_digest), *map(str, factors_of(seed))]) for seed in self._rows)

    def image_digests(self) -> Sequence[str]:
        """The same as `identities`."""
        return self.identities()


def factors_of(seed: int) -> NDArray[np.int64]:
    """Numbers of the values [7] of a seed's factors, independent and uniform."""
    return np.random.default_rng([seed, VERSION]).integers(list(FACTORS.values()))


def drawn(factors: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
    """The picture with given values.

    Args:
        factors: Numbers of values [7], in the order of `FACTORS`.

    Returns:
        uint8 [64, 64, 3]; edges are blended by the share of 16 samples a pixel that lie inside.
    """
    shape, colour, scale, orientation, x, y, background = (int(value) for value in factors)
    angle = 2 * np.pi * orientation / FACTORS["orientation"]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    radius = SIDE * (SMALLEST + (LARGEST - SMALLEST) * scale / (FACTORS["scale"] - 1))
    centre = SIDE * (MARGIN + (1 - 2 * MARGIN) * np.array([x, y]) / (FACTORS["x"] - 1))
    points = list(SHAPES.values())[shape] @ turn * radius + centre
    share = _coverage(points)[..., None]
    inside = np.array(colorsys.hsv_to_rgb(colour / FACTORS["colour"], 0.85, 1.0))
    outside = np.array(colorsys.hsv_to_rgb((background + 0.5) / FACTORS["background"], 0.5, 0.35))
    blended = 255 * (share * inside + (1 - share) * outside)
    return np.asarray(np.round(blended), np.uint8)


def _coverage(points: Polygon) -> NDArray[np.float64]:
    """Share of each pixel [64, 64] inside a polygon, by the even-odd rule on a regular grid."""
    share = np.zeros((SIDE, SIDE))
    low = np.floor(points.min(axis=0)).astype(int).clip(0, SIDE)
    high = np.ceil(points.max(axis=0)).astype(int).clip(0, SIDE)
    across, down = (low[axis] + (np.arange((high[axis] - low[axis]) * FINER) + 0.5) / FINER for axis in (0, 1))
    inside = np.zeros((len(down), len(across)), bool)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        between = (y0 <= down) != (y1 <= down)
        if between.any():
            crossing = x0 + (down[between] - y0) * (x1 - x0) / (y1 - y0)
            inside[between] ^= across[None] < crossing[:, None]
    blocks = inside.reshape(high[1] - low[1], FINER, high[0] - low[0], FINER)
    share[low[1] : high[1], low[0] : high[0]] = blocks.mean(axis=(1, 3))
    return share
