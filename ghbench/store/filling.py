"""A level that is being filled: shards go to their places in the file of all rows; the manifest names many at once."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from io import FileIO
from pathlib import Path
from threading import RLock, Timer
from typing import Any

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
        self._folder, self._clock, self._committed, self._changed = folder, clock, -math.inf, False
        self._lock = RLock()
        self._timer: Timer | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._singly = any(folder.glob(level_files.SHARDS))
        self._header = level_files.file_header(*note.shape, note.dtype, shards)
        self._file, kept = _opened(folder / level_files.WHOLE, self._header)
        if not kept:
            own = {number for number in note.shards if level_files.shard_path(folder, number).is_file()}
            note.shards = {number: entry for number, entry in note.shards.items() if number in own}
        self._waiting, self._threads, self._early = 0, ThreadPoolExecutor(2), Future[None]()
        self._early.set_result(None)

    def put(self, number: int, stored: NDArray[Any], rows: tuple[int, int], note: ShardNote | None = None) -> None:
        """Write a shard; it is kept from the next commit on, which is now, or seconds after the last.

        Args:
            number: Of the shard.
            stored: Its rows as they are stored, in C order.
            rows: The first, and the one behind the last.
            note: How it was made.
        """
        digest = self._threads.submit(level_files.shard_digest, stored)
        with self._lock:
            self._put(number, rows[0], stored)
            self.note.shards[number] = shard_entry(rows, digest.result(), note)
            self.note.state, self._changed = "partial", True
            if self._clock() - self._committed > SECONDS:
                self.commit()
            elif self._timer is None:
                self._timer = Timer(SECONDS, self._commit_later)
                self._timer.daemon = True
                self._timer.start()

    def _put(self, number: int, start: int, stored: NDArray[Any]) -> None:
        if self._singly:  # a file of its own would be read instead
            level_files.shard_path(self._folder, number).unlink(missing_ok=True)
        self._file.seek(len(self._header) + level_files.place(number, start, self.note))
        _write(self._file, stored.data.cast("B") if stored.size else b"")
        self._waiting += stored.nbytes
        if self._waiting > _BYTES and self._early.done():
            self._sync()

    def forget(self, number: int) -> None:
        """Take a damaged shard out of the manifest."""
        with self._lock:
            self.note.shards.pop(number, None)
            self.note.state, self._changed = "partial", True

    def complete(self, warnings: list[str]) -> None:
        """Mark the level complete: all shards are in one file."""
        self.commit()
        self._file.close()
        level_files.merge(self._folder, self.note)
        self.note.state, self.note.warnings = "complete", warnings
        manifest.write(self.note, self._folder / LEVEL)

    def commit(self) -> None:
        """Sync what was written, and then the manifest that names it."""
        with self._lock:
            self._no_timer()
            if self._changed:
                self._sync().result()
                manifest.write(self.note, self._folder / LEVEL)
            self._committed, self._changed = self._clock(), False

    def _no_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _commit_later(self) -> None:
        with suppress(OSError), self._lock:  # the next commit meets the same error and tells it
            self.commit()

    def close(self) -> None:
        """Close the file; what was not committed does not count."""
        with self._lock:
            self._changed = False
            self._no_timer()
            self._threads.shutdown()
            self._file.close()

    def _sync(self) -> Future[None]:
        """Begin to sync the file; the system tells only one call that it could not, so none is forgotten."""
        self._early.result()
        self._early, self._waiting = self._threads.submit(os.fsync, self._file.fileno()), 0
        return self._early


def _opened(path: Path, header: bytes) -> tuple[FileIO, bool]:
    """The file of all rows open for writing, and whether it was there, with this header; else it is empty."""
    if path.is_file():
        file = FileIO(path, "r+")
        if file.read(len(header)) == header:
            return file, True
        file.close()
    path.unlink(missing_ok=True)  # whoever has mapped the old one keeps it
    file = FileIO(path, "w+")
    _write(file, header)
    return file, False


def _write(file: FileIO, content: bytes | memoryview) -> None:
    """Write all of it. Nothing waits in a buffer, where it would fail a second time when the file is closed."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]
