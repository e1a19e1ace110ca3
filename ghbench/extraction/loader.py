"""Decoding and aligning in worker processes; uint8 batches are handed over in the dataset's order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ghbench.dataset import Dataset
from ghbench.extractor import Preprocessing
from ghbench.imaging import Prepared, prepare

_FEW_IMAGES = 128


@dataclass(frozen=True, slots=True)
class Batch:
    """Images ready for `extract`.

    Args:
        rows: Dataset rows.
        images: uint8 [N, 3, H, W].
        fallback: bool [N], no face was detected.
        invented: float32 [N], fraction of pixels outside the picture.
    """

    rows: list[int]
    images: NDArray[np.uint8]
    fallback: NDArray[np.bool_]
    invented: NDArray[np.float32]


def batches(
    dataset: Dataset,
    batch_rows: Sequence[list[int]],
    preprocessing: Preprocessing,
    align: str,
    *,
    mirrored: bool,
    workers: int | None,
) -> Iterator[Batch]:
    """Prepare batches of a dataset.

    Args:
        dataset: Images.
        batch_rows: Rows of each batch.
        preprocessing: The extractor's named preprocessing.
        align: Name of the alignment.
        mirrored: Whether the prepared image is flipped left to right.
        workers: Worker processes; None: as many as help.

    Yields:
        One batch after the other.
    """
    from torch.utils.data import DataLoader

    images = sum(len(rows) for rows in batch_rows)
    source = _PreparedImages(dataset, preprocessing, align, mirrored)
    loader: DataLoader[Prepared] = DataLoader(
        source,  # type: ignore[arg-type]  # a DataLoader takes anything with __getitem__ and __len__
        batch_sampler=list(batch_rows),
        num_workers=_useful_workers(images) if workers is None else workers,
        collate_fn=_collate,
    )
    for rows, prepared in zip(batch_rows, loader, strict=True):
        images_array, fallback, invented = prepared
        yield Batch(rows, images_array, fallback, invented)


@dataclass(frozen=True, slots=True)
class _PreparedImages:
    dataset: Dataset
    preprocessing: Preprocessing
    align: str
    mirrored: bool

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, row: int) -> Prepared:
        prepared = prepare(self.dataset.image(row), self.preprocessing, self.align)
        if not self.mirrored:
            return prepared
        return Prepared(np.ascontiguousarray(prepared.image[..., ::-1]), prepared.fallback, prepared.invented)


def _collate(items: list[Prepared]) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.float32]]:
    return (
        np.stack([item.image for item in items]),
        np.array([item.fallback for item in items]),
        np.array([item.invented for item in items], dtype=np.float32),
    )


def _useful_workers(images: int) -> int:
    """None for a handful of images, where starting processes costs more than decoding; else cores less one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if images < _FEW_IMAGES else max(0, min(8, cores - 1))
