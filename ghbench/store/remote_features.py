"""Features written straight to where many machines read them: a bucket, or a folder that they share.

    URL/mobilenet-v2-orl-plain-0123456789abcdef/
      manifest.json             the key in clear
      stage4/shard-00000.npy
      stage4/shard-00000.json   written after its shard, with the digest
      stage4/level.json         once all shards are there, instead of their notes

Object stores know no locks. So a shard has one place, nobody writes one that is there, and what a level's manifest or a
note says of a shard counts as long as the file has its size; digests are checked before a level becomes complete.
`ghbench cache pull` brings complete levels into the store of a machine that evaluates them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ghbench.digests import digest_lines
from ghbench.errors import DataError
from ghbench.store import level_files
from ghbench.store.elsewhere import absolute, check_same_key, content_of, key_manifest, level_manifest_of, put, reached
from ghbench.store.key import FeatureKey
from ghbench.store.manifest import KeyManifest, LevelManifest, ShardEntry
from ghbench.store.shards import (
    LEVEL,
    MANIFEST,
    ShardNote,
    check_level_name,
    check_width,
    encoded_shard,
    fits,
    level_manifest,
    shard_ranges,
    usual_shard_rows,
)

KEPT = "the shards so far are kept"


@dataclass(frozen=True)
class RemoteStore:
    """All keys below one URL."""

    url: str

    def open(self, key: FeatureKey, row_ids: Sequence[str], shard_rows: int = 0) -> RemoteFeatures:
        """The features of a key, which may not exist yet.

        Args:
            key: The content key.
            row_ids: The dataset's ids, in order.
            shard_rows: Rows a shard, for new keys; 0 for as many as in a store on disk.

        Raises:
            UsageError: There is no such place.
            DataError: What lies there is of other images.
        """
        url = absolute(self.url)
        wanted = KeyManifest(
            key=key.parts(),
            rows=len(row_ids),
            row_ids_digest=digest_lines(row_ids),
            shard_rows=shard_rows or usual_shard_rows(len(row_ids)),
        )
        with reached(url) as (system, root):
            known = key_manifest(key.folder, content_of(system, f"{root}/{key.folder}/{MANIFEST}"))
        if known is not None:
            wanted = wanted.model_copy(update={"shard_rows": known.shard_rows})
            check_same_key("the dataset", f"{url}/{key.folder}", known, wanted)
        return RemoteFeatures(url, key, wanted)


@dataclass(frozen=True)
class RemoteFeatures:
    """The features of one key, elsewhere; what `StoredFeatures` is on disk.

    Args:
        url: Of the store.
        key: The content key.
        manifest: Rows, and how they are divided into shards.
    """

    url: str
    key: FeatureKey
    manifest: KeyManifest
    everywhere: ClassVar[bool] = True
    _widths: dict[str, int] = field(default_factory=dict, compare=False)
    """Numbers a row of levels that were there when they were last looked for."""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Name the key there; others may write at the same time."""
        with reached(self.url, KEPT) as (system, root):
            if not self._is_named(system, root):
                put(system, f"{root}/{self.key.folder}/{MANIFEST}", _as_json(self.manifest))
        yield

    def is_ready(self, level: str) -> bool:
        """Whether a level is complete; digests are checked where it is pulled."""
        with reached(self.url, KEPT) as (system, root):
            if not self._is_named(system, root):
                return False
            note = self._found(system, root, level)
        return note.state == "complete" and fits(note, self.manifest)

    def missing_rows(self, level: str) -> list[tuple[int, int]]:
        """Row ranges of shards that are not there."""
        shards = self._look(level).shards
        return [rows for number, rows in enumerate(self._ranges()) if number not in shards]

    def write_shard(self, level: str, start: int, rows: NDArray[Any], note: ShardNote | None = None) -> None:
        """Write one shard that is not there, and then the note that it is; any machine may do so.

        Args:
            level: Level name.
            start: Its first row.
            rows: float [n, dim], stored in the key's dtype.
            note: How it was made.

        Raises:
            DataError: The level's name is not a valid folder name, or the rows are not a shard.
            FeatureError: A number is NaN or Inf, or too large for the storage dtype; or the level has other widths.
            UserError: It cannot be written; the shards so far are kept.
        """
        if level in self._widths:
            check_width(self.key, level, self._widths[level], rows.shape[1])
        number, content, entry = encoded_shard(self.key, self._ranges(), level, start, rows, note)
        written = level_manifest(self.key, level, (self.manifest.rows, rows.shape[1]), {number: entry})
        with reached(self.url, KEPT) as (system, root):
            there = self._place(root, level)
            whole = level_manifest_of(level, content_of(system, f"{there}/{LEVEL}"))
            said = [one for one in (whole, self._notes(system, there, level, [number]).get(number)) if one is not None]
            if any(number in one.shards and self._is_there(one, number, _sizes(system, there)) for one in said):
                return  # somebody was faster
            put(system, f"{there}/{_shard(number)}", content)
            put(system, f"{there}/{_note(number)}", _as_json(written))

    def read(self, level: str) -> RemoteRows:
        """All rows of a level whose shards are there, fetched and checked as they are asked for.

        Raises:
            DataError: Shards are missing.
        """
        note = self._look(level)
        if len(note.shards) < len(self._ranges()):
            raise DataError(f"level {level!r} of {self.key.folder} is not complete", fix="run the command again")
        return RemoteRows(self, note)

    def check(self, level: str) -> int:
        """Compare all shards of a level with their digests, forget those that differ, and return how many did."""
        note, damaged = self._look(level), 0
        for number in sorted(note.shards):
            try:
                self.shard(note, number)
            except DataError:
                damaged += 1
        return damaged

    def shard(self, note: LevelManifest, number: int) -> NDArray[Any]:
        """The rows of one shard, as numbers.

        Args:
            note: What `read` found of the level.
            number: Of the shard.

        Raises:
            DataError: It is not what its note says; it counts as missing from now on.
        """
        entry, dim = note.shards[number], note.shape[1]
        shape = level_files.stored_shape(entry.rows[1] - entry.rows[0], dim, note.dtype)
        with reached(self.url, KEPT) as (system, root):
            there = self._place(root, note.level)
            content = content_of(system, f"{there}/{_shard(number)}")
            if content is None:
                content = _part_of_whole(system, f"{there}/{level_files.WHOLE}", note, number, shape)
            rows = level_files.checked_rows(content, shape, note.dtype, entry.sha256)
            if rows is None:
                self._forget(system, there, note.level, number)
                raise DataError(f"{there}/{_shard(number)} is damaged", fix="run the command again")
        return rows

    def complete(self, level: str, warnings: Sequence[str] = ()) -> None:
        """Name all shards in the level's manifest, which others look for, and remove their notes.

        Raises:
            DataError: Shards are missing.
        """
        note = self.read(level).note
        with reached(self.url, KEPT) as (system, root):
            there = self._place(root, level)
            whole = note.model_copy(update={"state": "complete", "warnings": list(warnings)})
            put(system, f"{there}/{LEVEL}", _as_json(whole))
            for number in note.shards:
                _remove(system, f"{there}/{_note(number)}")

    def discard(self, level: str) -> None:
        """Delete a level with unusable features."""
        with reached(self.url, KEPT) as (system, root), suppress(FileNotFoundError):
            system.rm(self._place(root, level), recursive=True)
        self._widths.pop(level, None)

    def width(self, level: str) -> int:
        """Numbers a row of a complete level."""
        return self._look(level).shape[1]

    def _ranges(self) -> list[tuple[int, int]]:
        return shard_ranges(self.manifest.rows, self.manifest.shard_rows)

    def _place(self, root: str, level: str) -> str:
        check_level_name(level)
        return f"{root}/{self.key.folder}/{level}"

    def _is_named(self, system: Any, root: str) -> bool:
        content = content_of(system, f"{root}/{self.key.folder}/{MANIFEST}")
        return key_manifest(self.key.folder, content) == self.manifest

    def _look(self, level: str) -> LevelManifest:
        with reached(self.url, KEPT) as (system, root):
            return self._found(system, root, level)

    def _found(self, system: Any, root: str, level: str) -> LevelManifest:
        """What is there of a level, by its manifest and by notes of shards; `complete` if the former says so of all."""
        there, ranges = self._place(root, level), dict(enumerate(self._ranges()))
        sizes = _sizes(system, there)
        whole = level_manifest_of(level, content_of(system, f"{there}/{LEVEL}")) if LEVEL in sizes else None
        notes = self._notes(system, there, level, [number for number in ranges if _note(number) in sizes])
        listed = dict.fromkeys(whole.shards, whole) | notes if whole is not None else notes
        if sizes and whole is None and not notes:
            # Between the two looks somebody may have made a manifest of all notes.
            whole = level_manifest_of(level, content_of(system, f"{there}/{LEVEL}"))
            listed = {} if whole is None else dict.fromkeys(whole.shards, whole)
        shards: dict[int, ShardEntry] = {}
        width = 0
        for number, note in sorted(listed.items()):
            if ranges.get(number) == note.shards[number].rows and self._is_there(note, number, sizes):
                width = width or note.shape[1]
                check_width(self.key, level, width, note.shape[1])
                shards[number] = note.shards[number]
        if width:
            self._widths[level] = width
        named = {} if whole is None else {number: entry.sha256 for number, entry in whole.shards.items()}
        same = named == {number: entry.sha256 for number, entry in shards.items()}  # no note is newer than the manifest
        state = whole.state if whole is not None and same else "partial"
        warnings = [] if whole is None else whole.warnings
        return level_manifest(self.key, level, (self.manifest.rows, width), shards, state=state, warnings=warnings)

    def _notes(self, system: Any, there: str, level: str, numbers: Sequence[int]) -> dict[int, LevelManifest]:
        """Notes of single shards, less those that are cut short or were removed meanwhile."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            contents = pool.map(lambda number: content_of(system, f"{there}/{_note(number)}"), numbers)
            notes = {number: level_manifest_of(level, one) for number, one in zip(numbers, contents, strict=True)}
        return {number: note for number, note in notes.items() if note is not None and number in note.shards}

    def _is_there(self, note: LevelManifest, number: int, sizes: Mapping[str, int]) -> bool:
        """Whether a shard that is named has a file of its size, or lies in that of all rows."""
        if (note.shape[0], note.dtype) != (self.manifest.rows, self.key.dtype):
            return False
        first, end = note.shards[number].rows
        if _shard(number) in sizes:
            return sizes[_shard(number)] == level_files.file_bytes(end - first, note.shape[1], note.dtype)
        shards = len(self._ranges())
        return sizes.get(level_files.WHOLE) == level_files.file_bytes(note.shape[0], note.shape[1], note.dtype, shards)

    def _forget(self, system: Any, there: str, level: str, number: int) -> None:
        """Take a shard out of the level's manifest, and its note away."""
        whole = level_manifest_of(level, content_of(system, f"{there}/{LEVEL}"))
        if whole is not None and number in whole.shards:
            shards = {other: entry for other, entry in whole.shards.items() if other != number}
            partial = whole.model_copy(update={"shards": shards, "state": "partial"})
            put(system, f"{there}/{LEVEL}", _as_json(partial))
        _remove(system, f"{there}/{_note(number)}")
        _remove(system, f"{there}/{_shard(number)}")


@dataclass(frozen=True)
class RemoteRows:
    """Rows of a level elsewhere, of which one shard is in memory at a time.

    Args:
        features: Whose they are.
        note: Its shards.
    """

    features: RemoteFeatures
    note: LevelManifest

    def __len__(self) -> int:
        return self.note.shape[0]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for number in sorted(self.note.shards):
            yield from self.features.shard(self.note, number)

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Rows by number, ascending: [n, D]."""
        parts = []
        for number, entry in sorted(self.note.shards.items()):
            inside = rows[(rows >= entry.rows[0]) & (rows < entry.rows[1])]
            if len(inside):
                parts.append(self.features.shard(self.note, number)[inside - entry.rows[0]])
        return np.concatenate(parts)


_AT_ONCE = 16
"""Notes that are fetched together."""


def _part_of_whole(system: Any, path: str, note: LevelManifest, number: int, shape: tuple[int, int]) -> bytes | None:
    """A shard out of the file of all rows, as the file that it would be alone; None where there is none."""
    try:
        head = io.BytesIO(system.cat_file(path, 0, 4096))
        np.lib.format.read_magic(head)
        np.lib.format.read_array_header_1_0(head)
        row = shape[1] * np.dtype(note.dtype).itemsize
        more = shape[0] - (note.shards[number].rows[1] - note.shards[number].rows[0])
        begin = head.tell() + (note.shards[number].rows[0] + number * more) * row
        content = system.cat_file(path, begin, begin + shape[0] * row)
    except (FileNotFoundError, ValueError):
        return None
    if len(content) != shape[0] * row:
        return None
    return level_files.shard_bytes(np.frombuffer(content, note.dtype).reshape(shape))


def _shard(number: int) -> str:
    return level_files.shard_path(Path(), number).name


def _note(number: int) -> str:
    return f"shard-{number:05d}.json"


def _sizes(system: Any, folder: str) -> dict[str, int]:
    """Sizes of files in a folder by name, as they are now and not as they were last listed."""
    system.invalidate_cache()
    try:
        found = system.ls(folder, detail=True)
    except FileNotFoundError:
        return {}
    return {str(one["name"]).rpartition("/")[2]: int(one["size"] or 0) for one in found if one["type"] == "file"}


def _remove(system: Any, path: str) -> None:
    """Remove a file that somebody else may have removed."""
    with suppress(FileNotFoundError):
        system.rm_file(path)


def _as_json(found: KeyManifest | LevelManifest) -> bytes:
    return found.model_dump_json(indent=1).encode() + b"\n"
