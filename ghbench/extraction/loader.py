"""Decoding and aligning beside the network; uint8 batches are handed over in the dataset's order."""

from __future__ import annotations

import ast
import inspect
import multiprocessing
import os
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ghbench.cores import usable_cores
from ghbench.dataset import Dataset
from ghbench.errors import UserError
from ghbench.extractor import Preprocessing
from ghbench.imaging import prepare

_FEW_IMAGES = 128
_NICENESS = 10
_BATCHES_AHEAD = 2
_LOOK_AFTER = 1.0


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
        workers: Worker processes; None: as many as help. One thread stands in for them where they would run the user's
            script again.

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
    if runs_the_script_again():
        yield from _batches_of_thread(source)
        return
    import torch
    from torch.utils.data import DataLoader

    with warnings.catch_warnings(action="ignore"):  # of torch, about more workers than cores and about forking threads
        loader: DataLoader[Batch | UserError] = DataLoader(
            source,  # type: ignore[arg-type]  # a DataLoader takes anything with __getitem__ and __len__
            batch_size=None,  # an item is a whole batch
            num_workers=workers,
            collate_fn=_as_it_is,  # type: ignore[arg-type]  # without a batch size it gets the item, not a list
            worker_init_fn=_give_way,
            multiprocessing_context=_start_method(),
            generator=torch.Generator(),  # else it draws from the user's
        )
        stream = iter(loader)
    try:
        for item in stream:
            if isinstance(item, UserError):
                raise item
            yield item
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise UserError(
            "a process that decodes images was killed, by the system where memory ran out",
            fix="run the command again, it keeps what is finished; --workers 0 takes the least memory",
        ) from error
    finally:
        # Waiting for the garbage collector would leave workers behind for as long as somebody holds the traceback.
        stop = getattr(stream, "_shutdown_workers", None)
        if stop is not None:
            stop()


def runs_the_script_again() -> bool:
    """Whether a worker process would execute the user's script from its start, and so start workers of its own.

    A spawned process imports the main script. That is harmless where the call stands under
    `if __name__ == "__main__":`, and where there is no script: in a notebook, at a prompt.
    """
    if _start_method() == "fork":
        return False
    main = sys.modules["__main__"]
    module = getattr(getattr(main, "__spec__", None), "name", "")
    if getattr(main, "__file__", None) is None or f".{module}".endswith(".__main__"):
        return False
    try:
        tree = ast.parse(inspect.getsource(main))
    except (OSError, TypeError, SyntaxError):
        return True
    guards = [node for node in tree.body if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)]
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals is main.__dict__ and frame.f_code.co_name == "<module>":
            return not any(guard.lineno <= frame.f_lineno <= (guard.end_lineno or 0) for guard in guards)
        frame = frame.f_back
    return not guards  # another thread's stack does not show the script


def _start_method() -> str:
    """How processes are started; the user may still choose it later, as not after a plain `get_start_method()`."""
    return multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]


def _batches_of_thread(source: _PreparedBatches) -> Generator[Batch, None, None]:
    """Batches prepared in this process, a few ahead of the network."""
    with ThreadPoolExecutor(1) as thread:
        waiting: deque[Future[Batch]] = deque()
        try:
            for number in range(len(source)):
                waiting.append(thread.submit(source.batch, number))
                if len(waiting) > _BATCHES_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for unused in waiting:
                unused.cancel()


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
    """Let the network go first: decoding has a few batches in hand, and one slowed thread slows the whole network.

    And leave when the process that asked is gone, as after a kill: else a worker waits for ever to hand over a batch.
    """
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_AFTER)
    os._exit(1)


def _useful_workers(images: int) -> int:
    """None for a handful of images, where starting processes costs more than decoding; else cores less one."""
    return 0 if images < _FEW_IMAGES else max(0, min(8, usable_cores() - 1))
