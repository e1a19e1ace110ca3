"""Features on disk: one folder a key, one sub-folder a level, one NumPy file written and checked shard by shard.

    FEATURES/mobilenet-v2-orl-plain-0123456789abcdef/
      manifest.json             the key in clear
      lock                      one writer at a time
      stage4/level.json         shards with their sha256, and `complete` when all are there
      stage4/features.npy       all rows; those of missing shards are anything

A shard is used only if it has the recorded sha256; a damaged one is moved to `quarantine/` and counts as missing.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from filelock import FileLock, Timeout
from numpy.typing import NDArray

from ghbench import atomic, locations
from ghbench.cores import usable_cores
from ghbench.digests import digest_json, digest_lines
from ghbench.errors import DataError, UserError
from ghbench.store import level_files, manifest
from ghbench.store.filling import Filling
from ghbench.store.key import FeatureKey
from ghbench.store.manifest import KeyManifest, LevelManifest, ShardEntry
from ghbench.store.shards import (
    LEVEL,
    MANIFEST,
    SHARD_ROWS,
    ShardNote,
    ShardRows,
    check_width,
    level_manifest,
    new_manifest,
    shard_ranges,
    stored_shard,
    usual_shard_rows,
)


def default_store() -> FeatureStore:
    """The store in `GHBENCH_CACHE`."""
    return FeatureStore(locations.cache() / "features")


@dataclass(frozen=True)
class FeatureStore:
    """All keys below one folder."""

    root: Path

    def open(self, key: FeatureKey, row_ids: Sequence[str], shard_rows: int = 0) -> StoredFeatures:
        """The features of a key, which may not exist yet.

        Args:
            key: The content key.
            row_ids: The dataset's ids, in order.
            shard_rows: Rows a shard, for new keys; 0 for 512, or as many times that as make at most 2,000 shards.
        """
        rows = shard_rows or usual_shard_rows(len(row_ids))
        stored = StoredFeatures(self.root / key.folder, key, tuple(row_ids), rows)
        stored.adopt_shard_rows()
        return stored

    def folders(self) -> list[Path]:
        """Folders of all keys, sorted."""
        return sorted(path.parent for path in self.root.glob(f"[!.]*/{MANIFEST}"))

    def remove(self, folder: Path) -> None:
        """Delete a key's features.

        Raises:
            UserError: Another process holds its lock.
        """
        # Renamed while locked: the next process starts with a new folder and never sees half of the old one.
        aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.removed")
        try:
            with FileLock(folder / "lock", timeout=0):
                folder.replace(aside)
        except Timeout as error:
            raise UserError(f"{folder.name} is being written to by another process") from error
        self.sweep()

    def removed_folders(self) -> list[Path]:
        """Folders that `remove` has set aside and a killed process did not delete, sorted."""
        return sorted(self.root.glob(".*.removed"))

    def sweep(self) -> None:
        """Delete what `remove` has set aside, in this process or in one that was killed."""
        for folder in self.removed_folders():
            # Another process may be deleting it, too.
            shutil.rmtree(folder, ignore_errors=True)


@dataclass
class StoredFeatures:
    """The features of one key: by level a [rows, dim] array in shards."""

    folder: Path
    key: FeatureKey
    row_ids: tuple[str, ...]
    shard_rows: int = SHARD_ROWS
    everywhere: ClassVar[bool] = False
    _verified: set[tuple[str, int]] = field(default_factory=set, repr=False)
    _fillings: dict[str, Filling] = field(default_factory=dict, repr=False)
    _locked: bool = field(default=False, repr=False)

    def adopt_shard_rows(self) -> KeyManifest | None:
        """Adopt the shard size of the key on disk, if there is one, and return its manifest.

        Raises:
            DataError: The folder holds features of other images.
        """
        known = manifest.read(KeyManifest, self.folder / MANIFEST)
        if known is None:
            return None
        if digest_json(known.key) != self.key.digest or known.row_ids_digest != digest_lines(self.row_ids):
            raise DataError(f"{self.folder} holds features of other images", fix=f"rm -r {self.folder}")
        self.shard_rows = known.shard_rows
        return known

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the key's lock. The operating system releases it if the process is killed.

        Raises:
            UserError: The disk is full, or the folder cannot be written to.
        """
        lock = FileLock(self.folder / "lock")
        with self._disk_errors():
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        FeatureStore(self.folder.parent).sweep()
        try:
            if self.adopt_shard_rows() is None:
                with self._disk_errors():
                    manifest.write(new_manifest(self.key, self.row_ids, self.shard_rows), self.folder / MANIFEST)
            self._sweep()
            self._locked = True
            yield
        finally:
            with self._disk_errors(), ExitStack() as ending:  # all of it happens, whatever fails
                ending.callback(lock.release)
                for ends in (Filling.close, Filling.commit):
                    for filling in self._fillings.values():
                        ending.callback(ends, filling)
                self._locked, self._fillings = False, {}

    def is_complete(self, level: str) -> bool:
        """Whether all shards of a level were written and none was found damaged."""
        note = self._level(level)
        return note is not None and note.state == "complete"

    def is_ready(self, level: str) -> bool:
        """Whether a level is complete and every shard intact."""
        return self.is_complete(level) and not self.missing_rows(level)

    def missing_rows(self, level: str) -> list[tuple[int, int]]:
        """Row ranges of missing and damaged shards.

        Inside `writing()` damaged shards are moved to quarantine; readers change nothing.
        """
        note = self._level(level)
        intact = set() if note is None else self._intact(note)
        return [rows for number, rows in enumerate(self._ranges()) if number not in intact]

    def write_shard(self, level: str, start: int, rows: NDArray[Any], note: ShardNote | None = None) -> None:
        """Write one shard; call inside `writing()`, which keeps it: at its end, or with a shard that is seconds later.

        Args:
            level: Level name.
            start: Its first row.
            rows: float [n, dim], stored in the key's dtype.
            note: How it was made.

        Raises:
            DataError: The level's name is not a valid folder name, or the rows are not a shard.
            FeatureError: A number is NaN or Inf, or too large for the storage dtype.
            UserError: The disk is full; the shards so far are kept.
        """
        number, stored = stored_shard(self.key, self._ranges(), level, start, rows)
        with self._disk_errors():
            filling = self._filling(level, rows.shape[1])
            check_width(self.key, level, filling.note.shape[1], rows.shape[1])
            filling.put(number, stored, self._ranges()[number], note)
        self._verified.add((level, number))

    def complete(self, level: str, warnings: Sequence[str] = ()) -> None:
        """Mark a level complete, after its last shard; call inside `writing()`."""
        note = self._level(level)
        if note is None or self.missing_rows(level):
            raise DataError(f"level {level!r} of {self.folder.name} is not complete")
        with self._disk_errors():
            self._filling(level, note.shape[1]).complete(list(warnings))
            self._fillings.pop(level).close()

    def discard(self, level: str) -> None:
        """Delete a level with unusable features."""
        if level in self._fillings:
            self._fillings.pop(level).close()
        shutil.rmtree(self.folder / level, ignore_errors=True)
        self._verified = {entry for entry in self._verified if entry[0] != level}

    def read(self, level: str) -> NDArray[Any]:
        """All rows of a complete level, in the dataset's order, memory-mapped.

        Returns:
            [rows, dim] in the storage dtype, read-only; in memory as float32 where they are stored as int8.

        Raises:
            DataError: The level is not complete, or a shard is damaged.
        """
        note = self._whole(level)
        whole = level_files.map_rows(self.folder / level, note)
        whole.flags.writeable = False
        with suppress(OSError):  # a cache that others own is read all the same
            os.utime(self.folder / MANIFEST)
        return whole

    def rows(self, level: str) -> ShardRows:
        """The same, a shard at a time in memory, and without being marked as used.

        Raises:
            DataError: See `read`.
        """
        note = self._whole(level)
        return ShardRows(note, partial(level_files.features_of_shard, self.folder / level, level=note))

    def notes(self, level: str) -> list[ShardEntry]:
        """How the shards of a level were made."""
        note = self._level(level)
        return [] if note is None else [note.shards[number] for number in sorted(note.shards)]

    def warnings(self, level: str) -> list[str]:
        """Warnings recorded when the level was completed."""
        note = self._level(level)
        return [] if note is None else note.warnings

    def levels(self) -> list[str]:
        """Names of all levels, complete or not."""
        return sorted(path.parent.name for path in self.folder.glob(f"*/{LEVEL}"))

    def _whole(self, level: str) -> LevelManifest:
        """A level's manifest, all of whose shards are there and undamaged."""
        note, damaged = self._level(level), self.missing_rows(level)
        if note is None or damaged:
            raise DataError(
                f"level {level!r} of {self.folder.name} lacks rows {damaged[:3]}", fix="run the command again"
            )
        return note

    def _ranges(self) -> Sequence[tuple[int, int]]:
        return shard_ranges(len(self.row_ids), self.shard_rows)

    def _intact(self, note: LevelManifest) -> set[int]:
        """Which shards of a level are there and undamaged; each is looked at once, several at a time."""
        unsure = [number for number in note.shards if (note.level, number) not in self._verified]
        intact = note.shards.keys() - unsure
        if not unsure:
            return intact
        look = partial(level_files.is_intact, self.folder / note.level, level=note)
        with ThreadPoolExecutor(usable_cores()) as pool:
            found = list(zip(unsure, pool.map(look, unsure), strict=True))
        intact |= {number for number, is_intact in found if is_intact}
        self._verified |= {(note.level, number) for number in intact}
        # Only the holder of the lock may change anything: another process may be writing this level.
        if self._locked:
            with self._disk_errors():
                for number in sorted(set(unsure) - intact):
                    self._quarantine(note, number)
        return intact

    def _quarantine(self, note: LevelManifest, number: int) -> None:
        """Move a damaged shard aside; it is evidence of a failing disk and never read again."""
        folder = self.folder / note.level
        path = level_files.shard_path(folder, number)
        aside = self.folder / "quarantine" / f"{note.level}-{path.stem}-{time.time_ns()}.npy"
        rows = level_files.read_rows(folder, number, note)
        aside.parent.mkdir(exist_ok=True)
        if path.is_file():
            path.replace(aside)
        elif rows is not None:
            atomic.write_bytes(aside, level_files.shard_bytes(rows))
        self._filling(note.level, note.shape[1]).forget(number)

    def _filling(self, level: str, dim: int) -> Filling:
        """What fills a level for the holder of the lock."""
        if not self._locked:
            raise RuntimeError("features are written inside the block of writing()")
        if level not in self._fillings:
            note = self._level(level) or level_manifest(self.key, level, (len(self.row_ids), dim), {})
            self._fillings[level] = Filling(self.folder / level, note, len(self._ranges()))
        return self._fillings[level]

    def _level(self, level: str) -> LevelManifest | None:
        if level in self._fillings:
            return self._fillings[level].note
        note = manifest.read(LevelManifest, self.folder / level / LEVEL)
        here = (level, len(self.row_ids), self.key.dtype)
        if note is None or (note.level, note.shape[0], note.dtype) != here:
            return None
        # Shards of another size, from before the key's manifest was lost, do not count.
        ranges = dict(enumerate(self._ranges()))
        note.shards = {number: entry for number, entry in note.shards.items() if ranges.get(number) == entry.rows}
        return note

    def _sweep(self) -> None:
        """Delete temporary files of killed writers; under the lock there are no other writers."""
        for path in (*self.folder.glob(".*.tmp"), *self.folder.glob("*/.*.tmp")):
            path.unlink(missing_ok=True)

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                f"features of {self.key.extractor!r} cannot be written to {self.folder}: {error.strerror or error}; "
                "the shards so far are kept",
                fix="free some space or set GHBENCH_CACHE, and run the same command again",
            ) from error
