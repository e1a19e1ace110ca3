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

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from numpy.typing import NDArray

from ghbench.errors import DataError
from ghbench.store import level_files
from ghbench.store.elsewhere import absolute, check_same_key, content_of, key_manifest, put, reached
from ghbench.store.key import FeatureKey
from ghbench.store.manifest import KeyManifest, LevelManifest
from ghbench.store.remote_level import RemoteLevel, as_json
from ghbench.store.shards import (
    MANIFEST,
    ShardNote,
    ShardRows,
    check_level_name,
    check_width,
    fits,
    level_manifest,
    new_manifest,
    shard_entry,
    shard_ranges,
    stored_shard,
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
        wanted = new_manifest(key, row_ids, shard_rows or usual_shard_rows(len(row_ids)))
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
                put(system, f"{root}/{self.key.folder}/{MANIFEST}", as_json(self.manifest))
        yield

    def is_ready(self, level: str) -> bool:
        """Whether a level is complete; digests are checked where it is pulled."""
        with reached(self.url, KEPT) as (system, root):
            if not self._is_named(system, root):
                return False
        note = self._look(level)
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
        number, stored = stored_shard(self.key, self._ranges(), level, start, rows)
        entry = shard_entry(self._ranges()[number], level_files.shard_digest(stored), note)
        written = level_manifest(self.key, level, (self.manifest.rows, rows.shape[1]), {number: entry})
        with self._level(level) as there:
            if not there.has(number):  # else somebody was faster
                there.write(number, level_files.shard_bytes(stored), written)

    def rows(self, level: str) -> ShardRows:
        """All rows of a level whose shards are there, fetched and checked as they are asked for.

        Raises:
            DataError: Shards are missing.
        """
        note = self._look(level)
        if len(note.shards) < len(self._ranges()):
            raise DataError(f"level {level!r} of {self.key.folder} is not complete", fix="run the command again")
        return ShardRows(note, partial(self.shard, note))

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
            note: What `rows` found of the level.
            number: Of the shard.

        Raises:
            DataError: It is not what its note says; it counts as missing from now on.
        """
        with self._level(note.level) as there:
            rows = there.rows(note, number)
            if rows is None:
                there.forget(number)
                raise DataError(f"shard {number} of {there.folder} is damaged", fix="run the command again")
        return rows

    def complete(self, level: str, warnings: Sequence[str] = ()) -> None:
        """Name all shards in the level's manifest, which others look for, and remove their notes.

        Raises:
            DataError: Shards are missing.
        """
        note = self.rows(level).note
        with self._level(level) as there:
            there.complete(note, list(warnings))

    def discard(self, level: str) -> None:
        """Delete a level with unusable features."""
        with self._level(level) as there:
            there.discard()
        self._widths.pop(level, None)

    def width(self, level: str) -> int:
        """Numbers a row of a complete level."""
        return self._look(level).shape[1]

    def _ranges(self) -> Sequence[tuple[int, int]]:
        return shard_ranges(self.manifest.rows, self.manifest.shard_rows)

    def _is_named(self, system: Any, root: str) -> bool:
        content = content_of(system, f"{root}/{self.key.folder}/{MANIFEST}")
        return key_manifest(self.key.folder, content) == self.manifest

    @contextmanager
    def _level(self, level: str) -> Iterator[RemoteLevel]:
        check_level_name(level)
        with reached(self.url, KEPT) as (system, root):
            yield RemoteLevel(system, f"{root}/{self.key.folder}/{level}", level, self.key, self.manifest)

    def _look(self, level: str) -> LevelManifest:
        with self._level(level) as there:
            note = there.found()
        if note.shards:
            self._widths[level] = note.shape[1]
        return note
