"""Fashion-MNIST: 70,000 grey product images of 28 x 28 pixels in ten classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ghbench import assets
from ghbench.data.grey_images import GreyImages
from ghbench.data.idx import read_idx
from ghbench.dataset import DatasetCard
from ghbench.errors import DataError

SIDE = 28
COUNTS = {"train": 60_000, "test": 10_000}
CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
"""In the order of the label numbers."""

# The publisher's file names say `t10k` for the test split.
_PREFIXES = {"train": "train", "test": "t10k"}

CARD = DatasetCard(
    name="fashion-mnist",
    title="Fashion-MNIST: Zalando's article images, ten classes",
    licence="MIT (Zalando SE)",
    citation=(
        "H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning "
        "Algorithms, arXiv:1708.07747, 2017"
    ),
    source="the four published files, as packed by Debian (dataset-fashion-mnist)",
)


class FashionMnist(GreyImages):
    """Fashion-MNIST, 60,000 images to train on and 10,000 to test on; rows as published, training split first.

    Ids are `train/00000` to `train/59999` and `test/00000` to `test/09999`.

    Raises:
        MissingError: The files are not on this machine and cannot be fetched.
        DataError: A file is damaged or is not Fashion-MNIST's.
    """

    def __init__(self) -> None:
        folder = assets.path("fashion-mnist")
        parts = {split: _read_split(folder, split) for split in COUNTS}
        ids = [f"{split}/{number:05d}" for split, count in COUNTS.items() for number in range(count)]
        first_test = COUNTS["train"]
        super().__init__(
            CARD,
            ids,
            np.concatenate([images for images, _ in parts.values()]),
            np.concatenate([labels for _, labels in parts.values()]),
            CLASSES,
            {"train": np.arange(first_test), "test": np.arange(first_test, len(ids))},
        )


def _read_split(folder: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    count, prefix = COUNTS[split], _PREFIXES[split]
    images = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz", 3)
    labels = read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", 1)
    if images.shape != (count, SIDE, SIDE) or labels.shape != (count,):
        raise DataError(
            f"the {split} split in {folder} has images {images.shape} and labels {labels.shape}; "
            f"expected {(count, SIDE, SIDE)} and {(count,)}",
            fix="ghbench assets verify fashion-mnist",
        )
    return images, labels
