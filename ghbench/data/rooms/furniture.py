"""Furniture as boxes: a design is a kind and its measures, both drawn from a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Parts = list[tuple[tuple[float, float, float], tuple[float, float, float], int]]
"""Boxes from their lowest to their highest corner (x, y, z) in metres, each with the number of its material."""


@dataclass(frozen=True, eq=False)
class Design:
    """A piece of furniture. Its own axes: x to the right, y up from the floor, z to its back.

    Args:
        kind: What it is.
        centres: float64 [P, 3], in metres.
        halves: float64 [P, 3], half of each box's width, height and depth.
        materials: int64 [P], 0 or 1: which of its two materials a box has.
        stands: `wall`, with its back to one, or `free`.
    """

    kind: str
    centres: NDArray[np.float64]
    halves: NDArray[np.float64]
    materials: NDArray[np.int64]
    stands: str

    @property
    def reach(self) -> NDArray[np.float64]:
        """Largest distance of its boxes from its own axes in x and z: float64 [2]."""
        reach: NDArray[np.float64] = (np.abs(self.centres) + self.halves)[:, [0, 2]].max(axis=0)
        return reach


def design(number: int, kinds: tuple[str, ...]) -> Design:
    """The design of a number: the same number, the same measures.

    Args:
        number: 0 or more.
        kinds: Names of `KINDS`, which take turns.
    """
    kind, rng = kinds[number % len(kinds)], np.random.default_rng([number])
    stands, make = KINDS[kind]
    parts = make(rng)
    low, high = (np.array([part[end] for part in parts], np.float64) for end in (0, 1))
    middle = np.array([(low[:, 0].min() + high[:, 0].max()) / 2, 0, (low[:, 2].min() + high[:, 2].max()) / 2])
    return Design(
        kind, (low + high) / 2 - middle, (high - low) / 2, np.array([part[2] for part in parts], np.int64), stands
    )


def _legged(wide: float, high: float, deep: float, top: float, leg: float) -> Parts:
    """A board of thickness `top` on four legs."""
    legs: Parts = [
        ((x, 0.0, z), (x + leg, high - top, z + leg), 1) for x in (0.0, wide - leg) for z in (0.0, deep - leg)
    ]
    return [((0.0, high - top, 0.0), (wide, high, deep), 0), *legs]


def _table(rng: np.random.Generator) -> Parts:
    return _legged(*rng.uniform([0.8, 0.65, 0.6, 0.04, 0.05], [1.8, 0.8, 1.0, 0.08, 0.09]))


def _chair(rng: np.random.Generator) -> Parts:
    wide, seat, deep, top, leg, back = rng.uniform([0.4, 0.42, 0.4, 0.04, 0.04, 0.4], [0.55, 0.5, 0.5, 0.08, 0.06, 0.6])
    return [*_legged(wide, seat, deep, top, leg), ((0.0, seat, deep - 0.05), (wide, seat + back, deep), 0)]


def _bed(rng: np.random.Generator) -> Parts:
    wide, high, long, head = rng.uniform([0.9, 0.35, 1.9, 0.3], [1.8, 0.6, 2.2, 0.8])
    pillow = ((0.1, high, long - 0.5), (wide - 0.1, high + 0.12, long - 0.1), 0)
    frame = ((0.0, 0.0, 0.0), (wide, high * 0.6, long), 1)
    return [
        frame, ((0.0, high * 0.6, 0.0), (wide, high, long - 0.06), 0), pillow,
        ((0.0, 0.0, long - 0.06), (wide, high + head, long), 1),
    ]  # fmt: skip


def _sofa(rng: np.random.Generator) -> Parts:
    wide, seat, deep, back, arm = rng.uniform([1.2, 0.38, 0.75, 0.35, 0.12], [2.2, 0.48, 1.0, 0.5, 0.25])
    arms: Parts = [((x, 0.0, 0.0), (x + arm, seat + 0.2, deep), 1) for x in (0.0, wide - arm)]
    return [
        ((arm, 0.0, 0.0), (wide - arm, seat, deep), 0),
        ((0.0, seat, deep - 0.2), (wide, seat + back, deep), 0),
        *arms,
    ]


def _block(low: list[float], high: list[float]) -> Callable[[np.random.Generator], Parts]:
    """One box, its width, height and depth between two limits."""

    def make(rng: np.random.Generator) -> Parts:
        wide, tall, deep = rng.uniform(low, high)
        return [((0.0, 0.0, 0.0), (wide, tall, deep), 0)]

    return make


def _shelf(rng: np.random.Generator) -> Parts:
    wide, tall, deep = rng.uniform([0.7, 1.2, 0.25], [1.4, 2.1, 0.4])
    boards: Parts = [
        ((0.0, height, 0.0), (wide, height + 0.04, deep), 0)
        for height in np.linspace(0.1, tall - 0.04, int(rng.integers(3, 6)))
    ]
    sides: Parts = [((x, 0.0, 0.0), (x + 0.04, tall, deep), 1) for x in (0.0, wide - 0.04)]
    return [*boards, *sides, ((0.0, 0.0, deep - 0.02), (wide, tall, deep), 1)]


def _crates(rng: np.random.Generator) -> Parts:
    side, upper = rng.uniform(0.4, 0.8), rng.uniform(0.3, 0.4)
    return [
        ((0.0, 0.0, 0.0), (side, side, side), 0),
        ((0.05, side, 0.05), (0.05 + upper, side + upper, 0.05 + upper), 1),
    ]


def _hung(low: list[float], high: list[float]) -> Callable[[np.random.Generator], Parts]:
    """A flat box at a wall; width, height and how far above the floor between two limits."""

    def make(rng: np.random.Generator) -> Parts:
        wide, tall, bottom = rng.uniform(low, high)
        return [((0.0, bottom, 0.0), (wide, bottom + tall, 0.04), 0)]

    return make


KINDS: Mapping[str, tuple[str, Callable[[np.random.Generator], Parts]]] = {
    "bed": ("wall", _bed),
    "table": ("free", _table),
    "chair": ("free", _chair),
    "wardrobe": ("wall", _block([0.8, 1.7, 0.5], [1.6, 2.2, 0.65])),
    "sofa": ("wall", _sofa),
    "picture": ("wall", _hung([0.5, 0.4, 1.2], [1.2, 0.7, 1.5])),
    "shelf": ("wall", _shelf),
    "door": ("wall", _hung([0.8, 1.9, 0.0], [1.0, 2.1, 0.0])),
    "crates": ("free", _crates),
    "cabinet": ("wall", _block([0.8, 0.7, 0.4], [2.0, 0.95, 0.6])),
    "pillar": ("free", _block([0.35, 2.9, 0.35], [0.8, 2.95, 0.8])),
    "counter": ("wall", _block([2.0, 0.85, 0.6], [4.0, 1.1, 0.8])),
    "gate": ("wall", _hung([1.8, 2.2, 0.0], [3.0, 2.7, 0.0])),
    "bench": ("free", lambda rng: _legged(*rng.uniform([1.4, 0.4, 0.35, 0.05, 0.08], [2.4, 0.5, 0.5, 0.1, 0.15]))),
}
"""How a kind stands, and its boxes."""
