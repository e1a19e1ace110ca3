"""Training images by row, as float batches: small datasets from memory, others decoded on demand."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ghbench.dataset import Dataset, content_digest
from ghbench.errors import DataError, UsageError
from ghbench.imaging import resize_step

RESIZE = "crop-bilinear"


@runtime_checkable
class InMemory(Protocol):
    """A dataset held in memory as one array."""

    def pixels(self) -> NDArray[np.uint8]:
        """uint8 [N, H, W] or [N, H, W, 3]."""
        ...


def record_name(data: Mapping[str, Any]) -> str:
    """How training records name what was seen: `fashion-mnist#train`, without a split for undivided datasets.

    Args:
        data: What `TrainingImages.describe` says.
    """
    return str(data["dataset"] if data["split"] == "all" else f"{data['dataset']}#{data['split']}")


class TrainingImages:
    """One split of a dataset at one size.

    Grey images slightly smaller than `size` (28 of 32) are padded with black; all others are cropped to a square and
    resized with antialiasing.

    Args:
        dataset: Any dataset.
        size: Image size in pixels.
        split: Name of a split; None for `train`, or for all rows of a dataset without splits.
        threads: Decoding threads.

    Raises:
        UsageError: The dataset has splits, but none of that name.
        DataError: The split is empty.
    """

    def __init__(self, dataset: Dataset, size: int, *, split: str | None = None, threads: int = 4) -> None:
        self.dataset, self.size = dataset, size
        # A lone split of another name is not for training: seeds for testing, or a folder with nothing but `test`.
        undivided = set(dataset.splits) <= {"all"}
        self.split = split or ("all" if undivided else "train")
        if split is None and undivided:
            self.rows = np.arange(len(dataset))
        elif self.split in dataset.splits:
            self.rows = np.asarray(dataset.splits[self.split])
        else:
            raise UsageError(
                f"{dataset.card().name} has no split {self.split!r}; it has {', '.join(dataset.splits) or 'none'}"
            )
        if not len(self.rows):
            raise DataError(f"the split {self.split!r} of {dataset.card().name} is empty")
        self._pixels = self._load_pixels() if isinstance(dataset, InMemory) else None
        self._pool = None if self._pixels is not None else ThreadPoolExecutor(threads)

    def __len__(self) -> int:
        return len(self.rows)

    def describe(self) -> dict[str, str | int]:
        """Facts about the images for runs and cards."""
        card = self.dataset.card()
        return {
            "dataset": card.name, "split": self.split, "images": len(self), "licence": card.licence,
            "content": content_digest(self.dataset),
        }  # fmt: skip

    def uint8(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Images [n, 3, size, size] of rows of the split."""
        if self._pixels is not None:
            return self._pixels[rows]
        assert self._pool is not None
        return np.stack(list(self._pool.map(self._decode, self.rows[rows])))

    def batch(self, rows: NDArray[np.int64], device: torch.device) -> Tensor:
        """Images [n, 3, size, size] in [-1, 1], float32."""
        return torch.from_numpy(self.uint8(rows)).to(device).float() / 127.5 - 1.0

    def _decode(self, row: int) -> NDArray[np.uint8]:
        return self._resized(self.dataset.image(int(row)))

    def _resized(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        resized = resize_step(RESIZE).apply(image, (self.size, self.size))
        return np.ascontiguousarray(resized.transpose(2, 0, 1))

    def _load_pixels(self) -> NDArray[np.uint8]:
        assert isinstance(self.dataset, InMemory)
        pixels = self.dataset.pixels()[self.rows]
        missing = self.size - pixels.shape[1]
        if pixels.ndim == 3 and pixels.shape[1] == pixels.shape[2] and 0 <= missing <= self.size // 8:
            before, after = missing // 2, missing - missing // 2
            framed = np.pad(pixels, ((0, 0), (before, after), (before, after)))
            return np.broadcast_to(framed[:, None], (len(framed), 3, self.size, self.size))
        if pixels.shape[1:] == (self.size, self.size, 3):
            return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        if pixels.shape[3:] == (3,):
            return np.stack([self._resized(image) for image in pixels])
        return np.stack([self._decode(int(row)) for row in self.rows])
