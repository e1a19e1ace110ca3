"""Features of images that lie in memory and are forgotten afterwards, prepared exactly as the engine prepares them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError
from ghbench.extraction.checks import check_batch
from ghbench.extraction.cores import one_core_left_over
from ghbench.extraction.precision import full_float32
from ghbench.extractor import Encoder, ExtractorSpec
from ghbench.imaging import prepare

BATCH = 64


def encode_images(extractor: Encoder, spec: ExtractorSpec, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features of the extractor's default levels, side by side.

    Args:
        extractor: Encodes images.
        spec: Its spec; alignment and resizing are the ones that it declares.
        images: uint8 [N, C, H, W], C being 1 or 3; grey is replicated.

    Returns:
        float32 [N, D].

    Raises:
        DataError: No images, or an array of another form.
        FeatureError: The features are unusable.
    """
    levels = encode_levels(extractor, spec, images, spec.default_levels)
    return np.concatenate([levels[level] for level in spec.default_levels], axis=1)


def encode_levels(
    extractor: Encoder, spec: ExtractorSpec, images: NDArray[np.uint8], levels: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """Features of the levels asked for.

    Args:
        extractor: Encodes images.
        spec: Its spec; alignment and resizing are the ones that it declares.
        images: uint8 [N, C, H, W], C being 1 or 3; grey is replicated.
        levels: Names of levels.

    Returns:
        By level float32 [N, D].

    Raises:
        DataError: No images, or an array of another form.
        FeatureError: The features are unusable.
    """
    if images.ndim != 4 or images.shape[1] not in {1, 3} or images.dtype != np.uint8 or not len(images):
        raise DataError(f"got images {images.dtype} {images.shape}; expected uint8 [N, C, H, W] with C 1 or 3")
    parts: dict[str, list[NDArray[Any]]] = {level: [] for level in levels}
    with one_core_left_over(), full_float32():
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            rows = range(start, start + len(batch))
            features = check_batch(extractor.extract(_prepared(batch, spec)), spec, rows, levels)
            for level in levels:
                parts[level].append(features[level])
    return {level: np.concatenate(found).astype(np.float32) for level, found in parts.items()}


def _prepared(images: NDArray[np.uint8], spec: ExtractorSpec) -> NDArray[np.uint8]:
    coloured = np.broadcast_to(images, (len(images), 3, *images.shape[2:]))
    pictures = np.ascontiguousarray(coloured.transpose(0, 2, 3, 1))
    return np.stack([prepare(picture, spec.preprocessing, spec.preprocessing.align).image for picture in pictures])
