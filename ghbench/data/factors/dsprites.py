"""dSprites: 737,280 white shapes on black, in all combinations of five factors; you download it yourself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ghbench.data.factors.images import BLOCK, Contents, FactorImages, few_enough
from ghbench.dataset import DatasetCard
from ghbench.errors import DataError
from ghbench.store.arrays_from_files import array_header, array_parts

NAMES = ("shape", "scale", "orientation", "x", "y")
SIDE = 64


class DSprites(FactorImages):
    """dSprites, from its `.npz`: shape (3), scale (6), orientation (40), x (32) and y (32).

    The file's first factor, colour, has one value and is left out. Its metadata are a pickled object and are not read.
    """

    described = DatasetCard(
        name="dsprites",
        title="dSprites: 737,280 shapes in all combinations of five factors",
        licence="see LICENSE in its repository; others name Apache-2.0 or zlib",
        citation="L. Matthey, I. Higgins, D. Hassabis and A. Lerchner, dSprites: Disentanglement testing Sprites "
        "dataset, 2017",
        source="https://github.com/google-deepmind/dsprites-dataset, put here by you; checked by shape alone, for no "
        "sha256 of the file is published",
        domain="renderer",
    )
    file = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
    address = f"https://github.com/google-deepmind/dsprites-dataset/raw/master/{file}"
    total = 737_280

    def _read(self) -> Contents:
        shape, dtype = array_header(self.path, "imgs")
        few_enough(self.path, shape[0])
        if dtype != np.uint8 or len(shape) != 3 or shape[1:] != (SIDE, SIDE):
            raise DataError(f"{self.path} has imgs {dtype} {shape}; expected uint8 [N, {SIDE}, {SIDE}]")
        classes, values = (self._column(name, shape[0]) for name in ("latents_classes", "latents_values"))
        if not np.issubdtype(classes.dtype, np.integer) or classes.min(initial=0) < 0 or classes.max(initial=0) > 999:
            raise DataError(f"{self.path} has latents_classes that are no numbers of values")
        return Contents(classes[:, 1:].astype(np.int64), NAMES, (SIDE, SIDE), values[:, 1:].astype(np.float64))

    def _column(self, name: str, count: int) -> NDArray[np.number]:
        """A table with a row for each image and a column for each factor, colour among them."""
        shape, dtype = array_header(self.path, name)
        if shape != (count, len(NAMES) + 1) or dtype.kind not in "iuf":
            raise DataError(f"{self.path} has {name} {dtype} {shape}; expected numbers [{count}, {len(NAMES) + 1}]")
        return np.concatenate([np.empty((0, shape[1]), dtype), *array_parts(self.path, name, 1 << 16)])

    def _parts(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        start = 0
        for images in array_parts(self.path, "imgs", BLOCK):
            if images.max(initial=0) > 1:
                raise DataError(f"{self.path} has imgs with values above 1; expected 0 and 1")
            yield start, images * np.uint8(255)
            start += len(images)
