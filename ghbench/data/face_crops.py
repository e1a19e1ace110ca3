"""Squares cut out of photographs around faces, with the points that people placed on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ghbench.data.image_files import ImageEntry, ImageFiles
from ghbench.dataset import DatasetCard, Target
from ghbench.digests import digest_array, digest_json
from ghbench.errors import DataError, UsageError
from ghbench.imaging.ffhq import Quad, quad_transform, sample_quad
from ghbench.imaging.transforms import move_points

MARGIN = 1.3
"""Side of an upright square over the longer side of the box around the points."""


class FaceCrops(ImageFiles):
    """Faces cut out of image files; satisfies `ghbench.dataset.Dataset`. Target `points`, in pixels of the crop.

    Args:
        card: Licence, citation and source.
        entries: The files, one a row.
        points: float64 [N, P, 2] in pixels of the files.
        quads: The square that is cut out of each.
        size: Its side in the crop.
        splits: Rows by split name; by default one split, `all`.

    Raises:
        DataError: No files, or points that cannot be.
        UsageError: A size below 1.
    """

    def __init__(
        self,
        card: DatasetCard,
        entries: Sequence[ImageEntry],
        points: NDArray[np.float64],
        quads: Sequence[Quad],
        size: int,
        splits: Mapping[str, NDArray[np.int64]] | None = None,
    ) -> None:
        if not len(entries) == len(points) == len(quads):
            raise DataError(
                f"{len(entries)} files, {len(points)} faces and {len(quads)} squares; expected as many of each"
            )
        if size < 1:
            raise UsageError(f"size={size}; expected a side in pixels")
        for entry, one in zip(entries, points, strict=True):
            if not np.isfinite(one).all() or not np.ptp(one, axis=0).max() > 0:
                raise DataError(f"{entry.path}: its points are not finite, or all in one place")
        self.quads, self.size = quads, size
        moved = [move_points(one, quad_transform(quad, size)) for one, quad in zip(points, quads, strict=True)]
        names = tuple(map(str, range(points.shape[1])))
        target = Target("points", np.stack(moved), "pixels", names)
        super().__init__(card, entries, splits=splits, targets={"points": target})

    def image(self, row: int) -> NDArray[np.uint8]:
        """One crop: uint8 [size, size, 3] RGB."""
        return sample_quad(super().image(row), self.quads[row], self.size)[0]

    def identities(self) -> Sequence[str]:
        """What identifies each row's image: the file, and the square."""
        return self._identities

    @cached_property
    def _identities(self) -> tuple[str, ...]:
        files = super().identities()
        return tuple(
            digest_json([identity, digest_array(quad), self.size])
            for identity, quad in zip(files, self.quads, strict=True)
        )


def square_around(points: NDArray[np.float64], margin: float = MARGIN) -> Quad:
    """An upright square around points [P, 2], `margin` times as wide as the longer side of their box."""
    low, high = points.min(axis=0), points.max(axis=0)
    half, centre = (high - low).max() / 2 * margin, (low + high) / 2
    quad: Quad = centre + half * np.array([[-1, -1], [1, -1], [-1, 1]])
    return quad
