"""Shapes3D: 480,000 images of an object in a room, in all combinations of six factors; you download it yourself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ghbench.data.factors.images import BLOCK, Contents, FactorImages, few_enough, numbered
from ghbench.dataset import DatasetCard
from ghbench.errors import DataError
from ghbench.extras import require
from ghbench.files import read_as

NAMES = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
SIDE = 64
LARGEST_BLOCK = 8 * BLOCK


class Shapes3d(FactorImages):
    """Shapes3D, from `3dshapes.h5`: three hues (10 each), scale (8), shape (4) and orientation (15). Needs h5py."""

    described = DatasetCard(
        name="shapes3d",
        title="3D Shapes: 480,000 images in all combinations of six factors",
        licence="Apache-2.0",
        citation="C. Burgess and H. Kim, 3D Shapes Dataset, 2018",
        source="https://github.com/google-deepmind/3d-shapes, put here by you; checked by its sha256",
        domain="renderer",
    )
    file = "3dshapes.h5"
    address = "https://storage.googleapis.com/3d-shapes/3dshapes.h5"
    total = 480_000
    # As TensorFlow Datasets records it (url_checksums/shapes3d.txt).
    checksums: ClassVar[Mapping[str, str]] = {file: "0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785"}

    def _read(self) -> Contents:
        with self._opened() as file:
            images, labels = _plain(file, "images"), _plain(file, "labels")
            if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (SIDE, SIDE, 3):
                raise DataError(f"{self.path} has images {images.dtype} {images.shape}; expected uint8 [N, 64, 64, 3]")
            if labels.dtype != np.float64 or labels.shape != (len(images), len(NAMES)):
                raise DataError(f"{self.path} has labels {labels.dtype} {labels.shape}; expected float64 [N, 6]")
            few_enough(self.path, len(images))
            values = np.asarray(labels[:])
        return Contents(numbered(values), NAMES, (SIDE, SIDE, 3), values)

    def _parts(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        with self._opened() as file:
            images = _plain(file, "images")
            # A block that ends inside a chunk would have that chunk unpacked twice.
            chunk = images.chunks[0] if images.chunks else BLOCK
            rows = min(LARGEST_BLOCK, max(1, BLOCK // chunk) * chunk)
            for start in range(0, len(images), rows):
                yield start, np.asarray(images[start : start + rows])

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        h5py = require("h5py", "datasets")
        with read_as(self.path, "an HDF5 file of images and labels"), h5py.File(self.path, "r") as file:
            yield file


def _plain(file: Any, name: str) -> Any:
    """A dataset whose values lie in the file itself: links and virtual datasets can lead to any file here."""
    h5py = require("h5py", "datasets")
    if not isinstance(file.get(name, getlink=True), h5py.HardLink) or not isinstance(file[name], h5py.Dataset):
        raise DataError(f"{file.filename} has no dataset {name!r} of its own")
    if file[name].is_virtual or file[name].external:
        raise DataError(f"{file.filename} keeps {name!r} in another file")
    return file[name]
