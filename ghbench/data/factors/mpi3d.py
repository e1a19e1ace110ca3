"""MPI3D: a robot arm holding an object, rendered or photographed; you download it yourself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ghbench.data.factors.images import BLOCK, Contents, FactorImages, combinations
from ghbench.dataset import DatasetCard
from ghbench.errors import DataError
from ghbench.store.arrays_from_files import array_header, array_parts

NAMES = (
    "object_color", "object_shape", "object_size", "camera_height", "background_color", "horizontal_axis",
    "vertical_axis",
)  # fmt: skip
SIZES: Mapping[int, tuple[int, ...]] = {1_036_800: (6, 6, 2, 3, 3, 40, 40), 460_800: (4, 4, 2, 3, 3, 40, 40)}
"""Values of each factor by the number of images; the smaller ones are those of real_complex."""
SIDE = 64


class Mpi3d(FactorImages):
    """MPI3D, from one of its `.npz`: toy, realistic or real, of which the file's name alone tells which one it is.

    Factors are the object's colour (6), shape (6) and size (2), the camera's height (3), the background's colour (3)
    and two axes of the arm (40 each), the last one changing fastest from row to row. `published=false` also reads
    real_complex, which has four colours and shapes.
    """

    described = DatasetCard(
        name="mpi3d",
        title="MPI3D: 1,036,800 images of a robot arm in all combinations of seven factors",
        licence="CC BY 4.0",
        citation="M. W. Gondal et al., On the Transfer of Inductive Bias from Simulation to the Real World: a New "
        "Disentanglement Dataset, NeurIPS 2019",
        source="https://github.com/rr-learning/disentanglement_dataset, put here by you; checked by shape alone, as "
        "no sha256 of the files is published",
        domain="not stated",
    )
    file = "mpi3d_real.npz"
    address = "https://github.com/rr-learning/disentanglement_dataset"
    total = 1_036_800

    def _read(self) -> Contents:
        shape, dtype = array_header(self.path, "images")
        if dtype != np.uint8 or len(shape) != 4 or shape[1:] != (SIDE, SIDE, 3) or shape[0] not in SIZES:
            raise DataError(
                f"{self.path} has images {dtype} {shape}; expected uint8 [{' or '.join(map(str, SIZES))}, {SIDE}, "
                f"{SIDE}, 3]"
            )
        return Contents(combinations(SIZES[shape[0]]), NAMES, (SIDE, SIDE, 3))

    def _parts(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        start = 0
        for images in array_parts(self.path, "images", BLOCK):
            yield start, images
            start += len(images)
