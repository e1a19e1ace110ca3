"""Images with a region that no longer belongs: recoloured or relit, the untouched image being the true answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ghbench.data.framed import Framed
from ghbench.dataset import DatasetCard, Target
from ghbench.digests import digest_json
from ghbench.progress import Progress

VERSION = 1
_STREAM = 71  # of this module's draws, so that no other draw with the same row is equal
GAINS, OFFSETS = (0.6, 1.4), (-40.0, 40.0)
LIGHT = 0.7


def region(row: int, size: int) -> NDArray[np.bool_]:
    """The region of an image: an ellipse that keeps clear of the border, bool [size, size]."""
    rng = np.random.default_rng([_STREAM, row])
    centre, half = rng.uniform(0.35, 0.65, 2), rng.uniform(0.12, 0.25, 2)
    places = (np.arange(size) + 0.5) / size
    down, along = ((places - middle) / reach for middle, reach in zip(centre, half, strict=True))
    inside: NDArray[np.bool_] = down[:, None] ** 2 + along[None] ** 2 < 1
    return inside


def composite(image: NDArray[np.uint8], row: int) -> NDArray[np.uint8]:
    """The image with its region changed: even rows get other colours, odd rows another light.

    Colours: a gain of 0.6 to 1.4 and an offset of -40 to 40 for each channel. Light: a gain that falls from 1.7 to 0.3
    across the region, in a random direction.

    Args:
        image: uint8 [3, R, R].
        row: Its row in the dataset, which decides region and change.

    Returns:
        uint8 [3, R, R], equal outside the region.
    """
    size = image.shape[-1]
    rng = np.random.default_rng([_STREAM + 1, row])
    inside = region(row, size)
    values = image.astype(np.float64)
    if row % 2 == 0:
        changed = values * rng.uniform(*GAINS, (3, 1, 1)) + rng.uniform(*OFFSETS, (3, 1, 1))
    else:
        angle = rng.uniform(0, 2 * np.pi)
        down, along = np.mgrid[:size, :size]
        slope = np.cos(angle) * down + np.sin(angle) * along
        low, high = slope[inside].min(), slope[inside].max()
        changed = values * (1 + LIGHT * (2 * (slope - low) / (high - low) - 1))
    return np.where(inside, np.clip(np.round(changed), 0, 255), image).astype(np.uint8)


class Composites:
    """Changed images as a dataset; satisfies `ghbench.dataset.Dataset` and `Drawn`.

    Args:
        clean: The untouched images.
    """

    def __init__(self, clean: Framed) -> None:
        self._clean = clean
        self.ids: Sequence[str] = clean.ids
        self.targets: Mapping[str, Target] = clean.targets
        self.splits: Mapping[str, NDArray[np.int64]] = clean.splits
        self.recipe_digest: str | None = None
        if clean.recipe_digest is not None:  # changed photographs are photographs still
            self.recipe_digest = digest_json([clean.recipe_digest, "composites", VERSION])

    def card(self) -> DatasetCard:
        """Licence, citation and source of the untouched images."""
        return self._clean.card()

    def __len__(self) -> int:
        return len(self._clean)

    def image(self, row: int) -> NDArray[np.uint8]:
        """One changed image: uint8 [R, R, 3] RGB."""
        changed = composite(self._clean.framed(row).image, row)
        return np.ascontiguousarray(changed.transpose(1, 2, 0))

    def identities(self) -> Sequence[str]:
        """What identifies each row's image: the recipe, the row, and the untouched image."""
        recipe = ["composites", VERSION]
        return tuple(digest_json([recipe, row, clean]) for row, clean in enumerate(self._clean.identities()))

    def image_digests(self) -> Sequence[str]:
        """The same as `identities`; the untouched images have a role of their own."""
        return self.identities()

    def draw(self, rows: Sequence[int], progress: Progress) -> None:
        """Draw the untouched images, see `ghbench.dataset.Drawn`; nothing to do where they are not drawn."""
        self._clean.draw(rows, progress)
