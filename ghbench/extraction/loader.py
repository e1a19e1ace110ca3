"""Decoding and aligning in worker processes; uint8 batches are handed over in the dataset's order."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ghbench.dataset import Dataset
from ghbench.errors import UserError
from ghbench.extraction.cores import usable_cores
from ghbench.extractor import Preprocessing
from ghbench.imaging import prepare

_FEW_IMAGES = 128
_NICENESS = 10


@dataclass(frozen=True, slots=True)
class Batch:
    """Images ready for `extract`.

    Args:
        rows: Dataset rows.
        images: uint8 [N, 3, H, W].
        fallback: bool [N], no face was detected.
        padded: float32 [N], fraction of pixels outside the image.
    """

    rows: list[int]
    images: NDArray[np.uint8]
    fallback: NDArray[np.bool_]
    padded: NDArray[np.float32]


def batches(
    dataset: Dataset,
    batch_rows: Sequence[list[int]],
    preprocessing: Preprocessing,
    align: str,
    *,
    mirrored: bool,
    workers: int | None,
) -> Generator[Batch, None, None]:
    """Prepare batches of a dataset; close the iterator to stop the workers.

    Args:
        dataset: Images.
        batch_rows: Rows of each batch.
        preprocessing: The extractor's named preprocessing.
        align: Name of the alignment.
        mirrored: Whether the prepared image is flipped left to right.
        workers: Worker processes; None: as many as help.

    Yields:
        One batch after the other.

    Raises:
        UserError: An image cannot be decoded or aligned.
    """
    source = _PreparedBatches(dataset, batch_rows, preprocessing, align, mirrored)
    if workers is None:
        workers = _useful_workers(sum(len(rows) for rows in batch_rows))
    if workers == 0:
        yield from map(source.batch, range(len(source)))
        return
    if batch_rows:
        # Once here, before there are workers: what alignment needs is fetched where its progress can be seen, a missing
        # package is told once, and the models that were loaded are shared by the processes that are forked.
        prepare(dataset.image(batch_rows[0][0]), preprocessing, align)
    from torch.utils.data import DataLoader

    loader: DataLoader[Batch | UserError] = DataLoader(
        source,  # type: ignore[arg-type]  # a DataLoader takes anything with __getitem__ and __len__
        batch_size=None,  # an item is a whole batch
        num_workers=workers,
        collate_fn=_as_it_is,  # type: ignore[arg-type]  # without a batch size it gets the item, not a list
        worker_init_fn=_give_way,
    )
    stream = iter(loader)
    try:
        for item in stream:
            if isinstance(item, UserError):
                raise item
            yield item
    finally:
        # Waiting for the garbage collector would leave workers behind for as long as somebody holds the traceback.
        stop = getattr(stream, "_shutdown_workers", None)
        if stop is not None:
            stop()


@dataclass(frozen=True, slots=True)
class _PreparedBatches:
    dataset: Dataset
    batch_rows: Sequence[list[int]]
    preprocessing: Preprocessing
    align: str
    mirrored: bool

    def __len__(self) -> int:
        return len(self.batch_rows)

    def __getitem__(self, number: int) -> Batch | UserError:
        # Handed over, not raised: the DataLoader would turn it into another error with a traceback for a message.
        try:
            return self.batch(number)
        except UserError as error:
            return error

    def batch(self, number: int) -> Batch:
        rows = self.batch_rows[number]
        items = [prepare(self.dataset.image(row), self.preprocessing, self.align) for row in rows]
        images = np.stack([item.image for item in items])
        return Batch(
            rows,
            np.ascontiguousarray(images[..., ::-1]) if self.mirrored else images,
            np.array([item.fallback for item in items]),
            np.array([item.padded for item in items], dtype=np.float32),
        )


def _as_it_is(item: Batch | UserError) -> Batch | UserError:
    """Instead of the DataLoader's own conversion to tensors."""
    return item


def _give_way(_worker: int) -> None:
    """Let the network go first: decoding has a few batches in hand, and one slowed thread slows the whole network."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)


def _useful_workers(images: int) -> int:
    """None for a handful of images, where starting processes costs more than decoding; else cores less one."""
    return 0 if images < _FEW_IMAGES else max(0, min(8, usable_cores() - 1))
