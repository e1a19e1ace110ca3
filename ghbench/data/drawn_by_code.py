"""What datasets share whose images are drawn by code when asked for, and kept in files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ghbench.digests import digest_lines
from ghbench.progress import Progress, current
from ghbench.store.image_shards import ImageShards


class DrawnByCode(ABC):
    """Images of rows, told apart by their ids and by the digest of how they are drawn.

    Attributes:
        ids: One a row.
        recipe_digest: Digest of all that decides the images, but the row.
        drawing: What the progress bar calls them.
    """

    drawing: ClassVar[str]
    ids: Sequence[str]
    recipe_digest: str | None

    @property
    @abstractmethod
    def _shards(self) -> ImageShards:
        """Files of the images, by row."""

    @abstractmethod
    def _drawn(self, rows: range) -> Iterator[NDArray[np.uint8]]:
        """Images of rows, uint8 [n, 3, R, R], in parts."""

    def __len__(self) -> int:
        return len(self.ids)

    def draw(self, rows: Sequence[int], progress: Progress) -> None:
        """Draw what is missing of the files that hold these rows, see `ghbench.dataset.Drawn`."""
        self._shards.fill(self._drawn, lambda done, total: progress(done, total, self.drawing), rows)

    def image(self, row: int) -> NDArray[np.uint8]:
        """One image: uint8 [R, R, 3]."""
        self.draw([row], current())
        return np.ascontiguousarray(self._shards.read([row])[0].transpose(1, 2, 0))

    def identities(self) -> Sequence[str]:
        """Digest of how each image is drawn; draws nothing."""
        return tuple(digest_lines([str(self.recipe_digest), name]) for name in self.ids)

    def image_digests(self) -> Sequence[str]:
        """The same as `identities`: pixels may differ in their last bits with the versions of libraries."""
        return self.identities()
