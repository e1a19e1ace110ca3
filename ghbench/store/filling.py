"""A level that is being filled: shards go to their places in the file of all rows; the manifest names many at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray

from ghbench.store import level_files, manifest
from ghbench.store.manifest import LevelManifest
from ghbench.store.shards import LEVEL, ShardNote, shard_entry

SECONDS = 2.0
"""Between two commits: to sync a file and to write a manifest takes as long for one shard as for a hundred."""
_BYTES = 64 * 2**20
"""What is written until the disk begins to take it, while the next shards are made."""


class Filling:
    """The files of a level, for the one process that holds its key's lock.

    Args:
        folder: Of the level; made if it is not there.
        note: The level's manifest as it stands, or one without shards.
        shards: How many there are in the end.
        clock: Seconds.
    """

    def __init__(
        self, folder: Path, note: LevelManifest, shards: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.note = note
        self._folder, self._clock, self._committed, self._changed = folder, clock, clock(), False
        folder.mkdir(parents=True, exist_ok=True)
        self._singly = any(folder.glob(level_files.SHARDS))
        self._header = level_files.file_header(*note.shape, note.dtype, shards)
        self._file = _opened(folder / level_files.WHOLE, self._header)
        self._waiting, self._threads, self._early = 0, ThreadPoolExecutor(2), Future[None]()
        self._early.set_result(None)

    def put(self, number: int, stored: NDArray[Any], rows: tuple[int, int], note: ShardNote | None = None) -> None:
        """Write a shard; it is kept from the next commit on, which is now if the last was seconds ago.

        Args:
            number: Of the shard.
            stored: Its rows as they are stored, in C order.
            rows: The first, and the one behind the last.
            note: How it was made.
        """
        digest = self._threads.submit(level_files.shard_digest, stored)
        if self._singly:  # a file of its own would be read instead
            level_files.shard_path(self._folder, number).unlink(missing_ok=True)
        self._file.seek(len(self._header) + level_files.place(number, rows[0], self.note))
        self._file.write(stored.data)
        self._file.flush()
        self._waiting += stored.nbytes
        if self._waiting > _BYTES and self._early.done():
            self._sync()
        self.note.shards[number] = shard_entry(rows, digest.result(), note)
        self._changed = True
        if self._clock() - self._committed > SECONDS:
            self.commit()

    def forget(self, number: int) -> None:
        """Take a damaged shard out of the manifest."""
        del self.note.shards[number]
        self.note.state, self._changed = "partial", True

    def complete(self, warnings: list[str]) -> None:
        """Mark the level complete: all shards are in one file."""
        self._sync().result()
        level_files.merge(self._folder, self.note)
        self.note.state, self.note.warnings, self._changed = "complete", warnings, True
        self.commit()

    def commit(self) -> None:
        """Sync what was written, and then the manifest that names it."""
        if self._changed:
            self._sync().result()
            manifest.write(self.note, self._folder / LEVEL)
        self._committed, self._changed = self._clock(), False

    def close(self) -> None:
        """Close the file; what was not committed does not count."""
        self._threads.shutdown()
        self._file.close()

    def _sync(self) -> Future[None]:
        """Begin to sync the file; the system tells only one call that it could not, so none is forgotten."""
        self._early.result()
        self._early, self._waiting = self._threads.submit(os.fsync, self._file.fileno()), 0
        return self._early


def _opened(path: Path, header: bytes) -> BinaryIO:
    """The file of all rows open for writing, with what is in it if it has this header."""
    if path.is_file():
        file = path.open("r+b")
        if file.read(len(header)) == header:
            return file
        file.close()
    path.unlink(missing_ok=True)  # whoever has mapped the old one keeps it
    file = path.open("w+b")
    file.write(header)
    return file
