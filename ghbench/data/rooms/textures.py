"""Pictures of surfaces, divided between training, validation and test, and read at the size at which they are seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import assets
from ghbench.extractor import Preprocessing
from ghbench.imaging import prepare
from ghbench.imaging.decode import decode

ASSET = "miniworld-textures"
GAMMA = 2.2
SIDE = 128
DOORS = (
    "door_doom_1", "door_doom_2", "door_garage_red", "door_garage_white", "door_steel_brown", "door_steel_grey",
    "door_steel_red",
)  # fmt: skip
VALIDATION = (
    "ceiling_tile_noborder_1", "ceiling_tiles_1", "metal_grill_1", "metal_grill_2", "picket_fence_1", "rock_1",
    "slime_1", "door_steel_grey",
)  # fmt: skip
TEST = (
    "brick_wall_1", "floor_tiles_bw_1", "floor_tiles_white", "marble_1", "marble_2", "stucco_1", "wood_planks_1",
    "door_garage_red", "door_garage_white",
)  # fmt: skip
"""Whole families of similar pictures lie on one side; all others are for training."""


class Textures:
    """The pictures, each at half, a quarter, ... of its size too.

    Args:
        folder: Where they lie; the asset by default.

    Raises:
        MissingError: They cannot be had on this machine.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._files = sorted((folder or assets.path(ASSET)).glob("*.png"))
        self.names: Sequence[str] = tuple(file.stem for file in self._files)

    @cached_property
    def numbers(self) -> Mapping[str, tuple[Sequence[int], Sequence[int]]]:
        """Numbers of the textures of each purpose of seeds: for surfaces, and for doors."""
        of = {name: "selection" if name in VALIDATION else "test" if name in TEST else "train" for name in self.names}
        return {
            purpose: (
                [place for place, name in enumerate(self.names) if of[name] == purpose and name not in DOORS],
                [place for place, name in enumerate(self.names) if of[name] == purpose and name in DOORS],
            )
            for purpose in ("train", "selection", "test")
        }

    def at(
        self, texture: NDArray[np.int64], place: NDArray[np.floating[Any]], width: NDArray[np.floating[Any]]
    ) -> NDArray[np.float32]:
        """Linear colours.

        Args:
            texture: int64 [P] numbers.
            place: float32 [P, 2] where on it, as shares; it repeats.
            width: float32 [P] which share of it a ray covers.

        Returns:
            float32 [P, 3].
        """
        level = np.clip(np.rint(np.log2(np.maximum(width * SIDE, 1))), 0, len(self._starts) - 1).astype(np.int64)
        side = SIDE >> level
        column, row = (np.minimum(((place[:, axis] % 1) * side).astype(np.int64), side - 1) for axis in (0, 1))
        found: NDArray[np.float32] = self._pyramids[texture, self._starts[level] + row * side + column]
        return found

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        areas = [(SIDE >> level) ** 2 for level in range(SIDE.bit_length())]
        return np.cumsum([0, *areas[:-1]])

    @cached_property
    def _pyramids(self) -> NDArray[np.float32]:
        return np.stack([_pyramid(file) for file in self._files])


def _pyramid(file: Path) -> NDArray[np.float32]:
    """A picture at all sizes, the largest first: linear float32 [pixels, 3], of mean at most 1."""
    image = prepare(decode(file, background="white"), Preprocessing((SIDE, SIDE)), "none").image
    level = (image.transpose(1, 2, 0).astype(np.float32) / 255) ** GAMMA
    parts = [level.reshape(-1, 3)]
    while len(level) > 1:
        level = level.reshape(len(level) // 2, 2, len(level) // 2, 2, 3).mean(axis=(1, 3))
        parts.append(level.reshape(-1, 3))
    return np.concatenate(parts)
