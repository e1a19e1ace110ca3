"""Features written straight to where many machines read them: a bucket, or a folder that they share.

    URL/mobilenet-v2-orl-plain-0123456789abcdef/
      manifest.json             the key in clear
      stage4/shard-00000.npy
      stage4/shard-00000.json   written after its shard, with the digest
      stage4/level.json         once all shards are there, instead of their notes

Object stores know no locks, and need none here: every shard has one place, and whoever writes it writes the same bytes.
`ghbench cache pull` brings complete levels into the store of a machine that evaluates them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ghbench.digests import digest_bytes, digest_lines
from ghbench.errors import DataError
from ghbench.store import level_files
from ghbench.store.elsewhere import check_same_key, content_of, key_manifest, reached
from ghbench.store.key import FeatureKey
from ghbench.store.manifest import KeyManifest, LevelManifest, ShardEntry
from ghbench.store.shards import (
    LEVEL,
    MANIFEST,
    ShardNote,
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
        wanted = KeyManifest(
            key=key.parts(),
            rows=len(row_ids),
            row_ids_digest=digest_lines(row_ids),
            shard_rows=shard_rows or usual_shard_rows(len(row_ids)),
        )
        with reached(self.url, KEPT) as (system, root):
            content = content_of(system, f"{root}/{key.folder}/{MANIFEST}")
        known = None if content is None else key_manifest(key.folder, content)
        if known is not None:
            wanted = wanted.model_copy(update={"shard_rows": known.shard_rows})
            check_same_key("the dataset", f"{self.url}/{key.folder}", known, wanted)
        return RemoteFeatures(self.url, key, wanted)


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

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Name the key there; others may write at the same time."""
        with reached(self.url, KEPT) as (system, root):
            system.makedirs(f"{root}/{self.key.folder}", exist_ok=True)
            system.pipe_file(f"{root}/{self.key.folder}/{MANIFEST}", _as_json(self.manifest))
        yield

    def is_ready(self, level: str) -> bool:
        """Whether a level is complete; its bytes are checked where they are pulled."""
        return self._complete(level) is not None

    def missing_rows(self, level: str) -> list[tuple[int, int]]:
        """Row ranges of shards that are not there."""
        there = (self._complete(level) or self._partial(level)).shards
        return [rows for number, rows in enumerate(self._ranges()) if number not in there]

    def write_shard(self, level: str, start: int, rows: NDArray[Any], note: ShardNote | None = None) -> None:
        """Write one shard, and then the note that it is there; any machine may do so.

        Args:
            level: Level name.
            start: Its first row.
            rows: float [n, dim], stored in the key's dtype.
            note: How it was made.

        Raises:
            DataError: The level's name is not a valid folder name, or the rows are not a shard.
            FeatureError: A number is NaN or Inf, or too large for the storage dtype.
            UserError: It cannot be written; the shards so far are kept.
        """
        number, content, entry = encoded_shard(self.key, self._ranges(), level, start, rows, note)
        written = level_manifest(self.key, level, (self.manifest.rows, rows.shape[1]), {number: entry})
        with reached(self.url, KEPT) as (system, root):
            there = self._place(root, level)
            system.makedirs(there, exist_ok=True)
            system.pipe_file(f"{there}/{_shard(number)}", content)
            system.pipe_file(f"{there}/{_note(number)}", _as_json(written))

    def read(self, level: str) -> RemoteRows:
        """All rows of a level whose shards are there, fetched and checked as they are asked for.

        Raises:
            DataError: Shards are missing.
        """
        note = self._complete(level) or self._partial(level)
        if len(note.shards) < len(self._ranges()):
            raise DataError(f"level {level!r} of {self.key.folder} is not complete", fix="run the command again")
        return RemoteRows(self, note)

    def shard(self, note: LevelManifest, number: int) -> NDArray[Any]:
        """The rows of one shard, as numbers.

        Raises:
            DataError: It is not what its note says; it counts as missing from now on.
        """
        with reached(self.url, KEPT) as (system, root):
            there = self._place(root, note.level)
            content = system.cat_file(f"{there}/{_shard(number)}")
            rows = level_files.rows_of(content) if digest_bytes(content) == note.shards[number].sha256 else None
            if rows is None or rows.shape != (np.ptp(note.shards[number].rows), note.shape[1]):
                for name in (LEVEL, _note(number)):
                    if system.exists(f"{there}/{name}"):
                        system.rm_file(f"{there}/{name}")
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
            system.pipe_file(f"{there}/{LEVEL}", _as_json(whole))
            for number in note.shards:
                if system.exists(f"{there}/{_note(number)}"):
                    system.rm_file(f"{there}/{_note(number)}")

    def discard(self, level: str) -> None:
        """Delete a level with unusable features."""
        with reached(self.url, KEPT) as (system, root):
            system.rm(self._place(root, level), recursive=True)

    def width(self, level: str) -> int:
        """Numbers a row of a complete level."""
        return self.read(level).note.shape[1]

    def _ranges(self) -> list[tuple[int, int]]:
        return shard_ranges(self.manifest.rows, self.manifest.shard_rows)

    def _place(self, root: str, level: str) -> str:
        return f"{root}/{self.key.folder}/{level}"

    def _complete(self, level: str) -> LevelManifest | None:
        """The manifest of a level that is complete, and all of whose files are there."""
        with reached(self.url, KEPT) as (system, root):
            content = content_of(system, f"{self._place(root, level)}/{LEVEL}")
            note = None if content is None else _level(content)
            if note is None or note.state != "complete" or not fits(note, self.manifest):
                return None
            files = _files(system, self._place(root, level))
            whole = level_files.WHOLE in files or all(_shard(number) in files for number in note.shards)
            return note if whole else None

    def _partial(self, level: str) -> LevelManifest:
        """What the notes of single shards say together."""
        shards: dict[int, ShardEntry] = {}
        width = 0
        with reached(self.url, KEPT) as (system, root):
            there = self._place(root, level)
            files = _files(system, there)
            ranges = dict(enumerate(self._ranges()))
            present = [number for number in ranges if {_shard(number), _note(number)} <= files]
            found = system.cat([f"{there}/{_note(number)}" for number in present]) if present else {}
        for content in found.values():
            note = _level(content)
            if note is None or (note.shape[0], note.dtype) != (self.manifest.rows, self.key.dtype):
                continue
            width = width or note.shape[1]
            check_width(self.key, level, width, note.shape[1])
            shards |= {number: entry for number, entry in note.shards.items() if entry.rows == ranges.get(number)}
        return level_manifest(self.key, level, (self.manifest.rows, width), dict(sorted(shards.items())))


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


def _shard(number: int) -> str:
    return level_files.shard_path(Path(), number).name


def _note(number: int) -> str:
    return f"shard-{number:05d}.json"


def _files(system: Any, folder: str) -> set[str]:
    """Names in a folder, as they are now and not as they were last listed."""
    system.invalidate_cache()
    try:
        return {path.rpartition("/")[2] for path in system.ls(folder, detail=False)}
    except FileNotFoundError:
        return set()


def _level(content: bytes) -> LevelManifest | None:
    try:
        return LevelManifest.model_validate_json(content)
    except ValidationError:
        return None


def _as_json(found: KeyManifest | LevelManifest) -> bytes:
    return found.model_dump_json(indent=1).encode() + b"\n"
