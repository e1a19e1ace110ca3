"""A dataset in the frame of a task: each image padded, aligned and resized, and identified by all of that."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ghbench import locations
from ghbench.atomic import write_bytes
from ghbench.dataset import Dataset, DatasetCard, Drawn, Target
from ghbench.digests import digest_json
from ghbench.errors import DataError
from ghbench.extractor import Preprocessing
from ghbench.imaging import alignment, prepare
from ghbench.imaging.alignment import Prepared
from ghbench.imaging.transforms import chain, move_points, scaling
from ghbench.progress import Progress
from ghbench.store.arrays_from_files import read_arrays


class Framed:
    """Another dataset's images, padded, aligned and resized; satisfies `ghbench.dataset.Dataset`.

    Args:
        whole: The other dataset.
        size: Side of the images.
        align: Name of the alignment.
        padding: Black pixels added on each side first.
    """

    def __init__(self, whole: Dataset, size: int, align: str, padding: int = 0) -> None:
        self.whole, self._size, self._align, self._padding = whole, size, align, padding
        self.ids: Sequence[str] = whole.ids
        self.splits: Mapping[str, NDArray[np.int64]] = whole.splits
        self.recipe_digest = whole.recipe_digest

    def card(self) -> DatasetCard:
        """Licence, citation and source of the whole."""
        return self.whole.card()

    def __len__(self) -> int:
        return len(self.whole)

    @cached_property
    def targets(self) -> Mapping[str, Target]:
        """Labels, and points where they lie in the frame; what else is known is about another one."""
        kept = {name: target for name, target in self.whole.targets.items() if name in {"label", "points"}}
        if "points" in kept:
            moves = [self.framed(row).transform for row in range(len(self))]
            pairs = zip(kept["points"].values, moves, strict=True)
            kept["points"] = replace(kept["points"], values=np.stack([move_points(one, move) for one, move in pairs]))
        return kept

    def framed(self, row: int) -> Prepared:
        """One image in the frame.

        Finding a face takes a while, and every row of a table needs the same ones: the cache keeps what was aligned.
        """
        if self._align == "none":
            return self._prepared(row)
        path = locations.cache() / "frames" / f"{self.identities()[row]}.npz"
        try:
            kept = read_arrays(path)
            return Prepared(kept["image"], kept["transform"], bool(kept["fallback"]))
        except (DataError, KeyError, ValueError):
            made = self._prepared(row)
        stream = io.BytesIO()
        np.savez(stream, image=made.image, transform=made.transform, fallback=made.fallback)
        write_bytes(path, stream.getvalue())
        return made

    def image(self, row: int) -> NDArray[np.uint8]:
        """One image: uint8 [size, size, 3] RGB."""
        return np.ascontiguousarray(self.framed(row).image.transpose(1, 2, 0))

    def identities(self) -> Sequence[str]:
        """What identifies each row's image: the frame and the image in it."""
        return self._identities

    @cached_property
    def _identities(self) -> tuple[str, ...]:
        align = alignment(self._align)
        frame = [self._size, self._padding, align.name, align.version, align.weights_digest]
        return tuple(digest_json([frame, identity]) for identity in self.whole.identities())

    def image_digests(self) -> Sequence[str]:
        """Pixel digests outside the frame, by which training records know the images."""
        return self.whole.image_digests()

    def draw(self, rows: Sequence[int], progress: Progress) -> None:
        """Draw images of the whole, see `ghbench.dataset.Drawn`; nothing to do where it is not drawn."""
        if isinstance(self.whole, Drawn):
            self.whole.draw(rows, progress)

    def _prepared(self, row: int) -> Prepared:
        image, wide = self.whole.image(row), (self._padding, self._padding)
        if self._padding:
            image = np.pad(image, (wide, wide, (0, 0)))
        made = prepare(image, Preprocessing((self._size, self._size)), self._align)
        if not self._padding:
            return made
        border = float(self._padding)
        return replace(made, transform=chain(scaling(1, 1, -border, -border), made.transform))
