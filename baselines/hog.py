"""Histograms of oriented gradients: the best-known hand-crafted feature."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ghbench.digests import digest_json
from ghbench.errors import UsageError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord
from ghbench.extras import require

from .pixels import grey


class Hog:
    """Histograms of oriented gradients on grey images, by scikit-image (Dalal and Triggs 2005).

    Args:
        size: Height and width in pixels.
        cell: Side of a cell in pixels; a block is 2 x 2 cells.
        orientations: Bins of the gradient's direction, 0 to 180 degrees.
    """

    def __init__(self, size: int = 64, cell: int = 8, orientations: int = 9) -> None:
        if cell < 2 or orientations < 1 or size < 2 * cell:
            raise UsageError(
                f"size={size}, cell={cell}, orientations={orientations}: expected cell >= 2, orientations >= 1 and "
                "room for a block of 2 x 2 cells"
            )
        self.size, self.cell, self.orientations = size, cell, orientations

    def spec(self) -> ExtractorSpec:
        """Describe the extractor."""
        blocks = self.size // self.cell - 1
        recipe = {"size": self.size, "cell": self.cell, "orientations": self.orientations, "block": 2, "norm": "L2-Hys"}
        return ExtractorSpec(
            name="hog",
            version="1",
            levels=(Level("hog", blocks**2 * 4 * self.orientations),),
            default_levels=("hog",),
            preprocessing=Preprocessing(size=(self.size, self.size), grey="colour reduced to luma (BT.601)"),
            weights_digest=digest_json({"recipe": "hog", **recipe}),
            training=TrainingRecord(),
            licence="none needed: nothing was trained",
            similarity="l2",
            backend="scikit-image-float32",
            parameters=0,
            citation="Dalal and Triggs 2005, Histograms of Oriented Gradients for Human Detection",
        )

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Describe a batch: uint8 [N, 3, S, S] to float32 [N, D]."""
        feature = require("skimage.feature", "faces")
        rows = [
            feature.hog(
                image,
                orientations=self.orientations,
                pixels_per_cell=(self.cell, self.cell),
                cells_per_block=(2, 2),
                block_norm="L2-Hys",
            )
            for image in grey(images)
        ]
        return {"hog": np.asarray(rows, dtype=np.float32)}
