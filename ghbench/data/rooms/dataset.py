"""The rooms as a dataset: drawn when asked for, kept in the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import assets, locations
from ghbench.data.kept_arrays import kept_rows
from ghbench.data.split_rows import by_split, consecutive_splits
from ghbench.dataset import DatasetCard, Target
from ghbench.digests import digest_json, digest_lines
from ghbench.errors import UsageError
from ghbench.progress import Progress, current, in_bytes
from ghbench.seeds import seeds_for
from ghbench.store.image_shards import ImageShards

from .ground_truth import CAMERA, CORNERS, LIGHT, LINES, GroundTruth, ground_truth
from .rendering import render, rendered_in_parts
from .scene import WORLDS, Scene, draw_scene
from .textures import ASSET, Textures

VERSION = 1
"""Grows when a seed may give another room or image."""
PURPOSES = {"train": "train", "val": "selection", "test": "test"}
"""Purpose of the seeds of each split."""
SIZES = (32, 64, 128, 256)
_BLOCK = 500  # rooms whose ground truth is kept together


class Rooms:
    """Cuboid rooms with furniture, drawn by code: corners, edges, surfaces, camera and light are known exactly.

    Training, validation and test share no texture, no piece of furniture and no seed. Ids are `train/0000000` and so
    on, numbers being seeds. Targets: `corners` (clipped half a frame outside), `corners-visible`, `lines`,
    `lines-visible`, `surfaces`, `camera` and `light`, see `ghbench.data.rooms.ground_truth`.

    Args:
        world: `bedroom`, or `hall` for transfer: about twice as large, and mostly with other furniture.
        size: Side of the images in pixels: 32, 64, 128 or 256.
        train: Training images.
        val: Validation images.
        test: Test images.

    Raises:
        UsageError: A wrong option.
        MissingError: The textures cannot be had on this machine.
    """

    def __init__(
        self, world: str = "bedroom", size: int = 64, train: int = 20_000, val: int = 2_000, test: int = 2_000
    ) -> None:
        if world not in WORLDS or size not in SIZES:
            raise UsageError(
                f"rooms with world={world} and size={size}; expected one of {', '.join(WORLDS)} and "
                f"one of {', '.join(map(str, SIZES))}"
            )
        counts = {"train": train, "val": val, "test": test}
        if min(counts.values()) < 0 or not sum(counts.values()):
            raise UsageError(f"rooms with train={train}, val={val}, test={test}; expected numbers of images")
        self.world, self.size = world, size
        self._seeds = {split: seeds_for(PURPOSES[split], count) for split, count in counts.items() if count}
        self._rows = [seed for seeds in self._seeds.values() for seed in seeds]
        recipe = {"textures": assets.digest(ASSET), "world": world, "version": VERSION}
        self._truth_digest = digest_json(recipe)
        self.recipe_digest: str | None = digest_json({**recipe, "size": size})
        self.ids: Sequence[str] = tuple(f"{split}/{seed:07d}" for split, seeds in self._seeds.items() for seed in seeds)
        self.splits: Mapping[str, NDArray[np.int64]] = consecutive_splits(
            {split: len(seeds) for split, seeds in self._seeds.items()}
        )

    def card(self) -> DatasetCard:
        """Licence, citation and source."""
        return DatasetCard(
            name="rooms",
            title=f"Rooms drawn by code: {self.world}, {self.size} px",
            licence="Apache-2.0",
            citation="ghbench; textures: M. Chevalier-Boisvert et al., Minigrid & Miniworld, NeurIPS 2023",
            source="drawn on this machine, with textures of the package miniworld",
            domain="renderer",
        )

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def targets(self) -> Mapping[str, Target]:
        """What is known of each image; worked out once and kept, at 3 ms an image."""
        return self.targets_of(np.arange(len(self)))

    def targets_of(self, rows: NDArray[np.int64]) -> Mapping[str, Target]:
        """What is known of some images, see `ghbench.dataset.PartlyKnown`."""
        joined: dict[str, NDArray[Any]] = {}
        for split, here, own in by_split(self.splits, rows):
            for name, values in self._known(split, own).items():
                joined.setdefault(name, np.empty((len(rows), *values.shape[1:]), values.dtype))[here] = values
        named = {
            "corners": ("pixels", CORNERS, joined["corners"] * self.size),
            "corners-visible": ("whether", CORNERS, joined["visible"]),
            "lines": ("radians", LINES, joined["lines"]),
            "lines-visible": ("whether", LINES, joined["lines_visible"]),
            "surfaces": ("side of the room", (), joined["surfaces"]),
            "camera": ("degrees, degrees, metres", CAMERA, joined["camera"]),
            "light": ("unit vector, strength", LIGHT, joined["light"]),
        }
        return {name: Target(name, values, unit, names) for name, (unit, names, values) in named.items()}

    def draw(self, rows: Sequence[int], progress: Progress) -> None:
        """Draw what is missing of the files that hold these rows, see `ghbench.dataset.Drawn`."""
        label = f"rooms of {self.size} px"
        for split, _, own in by_split(self.splits, rows):
            shards, seeds = self._shards(split), self._seeds[split]

            def report(done: int, total: int) -> None:
                progress(done, total, label)

            shards.fill(
                lambda part: rendered_in_parts(self._rendered, part), report, [seeds[row] for row in own.tolist()]
            )

    def pixels(self, rows: Sequence[int] | None = None) -> NDArray[np.uint8]:
        """Images at once: uint8 [N, size, size, 3]; draws those that are missing.

        Args:
            rows: Rows; None for all.
        """
        chosen = np.arange(len(self)) if rows is None else np.asarray(rows, dtype=np.int64)
        self.draw(chosen.tolist(), in_bytes(current(), 3 * self.size**2))
        images = np.empty((len(chosen), self.size, self.size, 3), np.uint8)
        for split, here, own in by_split(self.splits, chosen):
            found = self._shards(split).read([self._seeds[split][row] for row in own.tolist()])
            images[here] = found.transpose(0, 2, 3, 1)
        return images

    def image(self, row: int) -> NDArray[np.uint8]:
        """One image: uint8 [size, size, 3] RGB."""
        image: NDArray[np.uint8] = self.pixels([row])[0]
        return image

    def identities(self) -> Sequence[str]:
        """Digest of each row's seed and of how it is drawn; draws nothing."""
        return tuple(digest_lines([str(self.recipe_digest), str(seed)]) for seed in self._rows)

    def image_digests(self) -> Sequence[str]:
        """The same as `identities`: pixels may differ in their last bit with the version of numpy."""
        return self.identities()

    def scene(self, row: int) -> Scene:
        """The room of a row."""
        return self._scene(self._rows[row])

    def _scene(self, seed: int) -> Scene:
        split = next(split for split, seeds in self._seeds.items() if seed in seeds)
        return draw_scene(self.world, seed, *self._textures.numbers[PURPOSES[split]])

    def _rendered(self, seed: int) -> NDArray[np.uint8]:
        return render(self._scene(seed), self.size, self._textures)

    @cached_property
    def _textures(self) -> Textures:
        return Textures()

    def _shards(self, split: str) -> ImageShards:
        folder = locations.cache() / "rooms" / f"{str(self.recipe_digest)[:16]}"
        return ImageShards(folder, self._seeds[split], self.size, shard=256)

    def _known(self, split: str, rows: NDArray[np.int64]) -> Mapping[str, NDArray[Any]]:
        """The ground truth of rows of a split, as `GroundTruth` names it."""
        seeds, report = self._seeds[split], in_bytes(current(), 3 * self.size**2)

        def make(own: range) -> Mapping[str, NDArray[Any]]:
            found = [ground_truth(self._scene(seeds[row])) for row in own]
            report(own.stop, len(seeds), f"ground truth of rooms, {split}")
            return {name: np.stack([getattr(one, name) for one in found]) for name in GroundTruth._fields}

        return kept_rows("rooms", ["truth", self._truth_digest, seeds.start], rows, len(seeds), _BLOCK, make)
