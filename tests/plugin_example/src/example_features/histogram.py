"""A colour histogram: the smallest extractor that says something about an image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ghbench.digests import digest_json
from ghbench.errors import UsageError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord


class ColourHistogram:
    """How often each channel takes each value.

    Args:
        bins: Bins a channel.
    """

    def __init__(self, bins: int = 8) -> None:
        if not 1 <= bins <= 256:
            raise UsageError(f"option bins={bins} must be from 1 to 256")
        self.bins = bins

    def spec(self) -> ExtractorSpec:
        """Describe the extractor."""
        return ExtractorSpec(
            name="example-colour-histogram",
            version="1",
            levels=(Level("histogram", 3 * self.bins),),
            default_levels=("histogram",),
            preprocessing=Preprocessing(size=(32, 32)),
            weights_digest=digest_json({"recipe": "colour histogram", "bins": self.bins}),
            training=TrainingRecord(),
            licence="none needed: nothing was trained",
        )

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Count colours: uint8 [N, 3, 32, 32] to float32 [N, 3 * bins], shares that sum to 1 a channel."""
        binned = images.astype(np.int64) * self.bins // 256
        shares = [(binned == value).mean(axis=(2, 3)) for value in range(self.bins)]
        return {"histogram": np.stack(shares, axis=2).reshape(len(images), -1).astype(np.float32)}
