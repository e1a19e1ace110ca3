"""A level's folder elsewhere: which shards are there, by its manifest, by notes of single shards, and by sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.store import level_files
from ghbench.store.elsewhere import content_of, level_manifest_of, put
from ghbench.store.key import FeatureKey
from ghbench.store.manifest import KeyManifest, LevelManifest, ShardEntry
from ghbench.store.shards import LEVEL, check_width, level_manifest, shard_ranges

_AT_ONCE = 16
"""Notes that are fetched together."""


@dataclass(frozen=True, slots=True)
class RemoteLevel:
    """One level of a key.

    Args:
        system: File system of fsspec.
        folder: Of the level.
        name: Of the level.
        key: The content key.
        manifest: Its rows, and how they are divided into shards.
    """

    system: Any
    folder: str
    name: str
    key: FeatureKey
    manifest: KeyManifest

    def found(self) -> LevelManifest:
        """The shards that are there; `complete` if the level's manifest names just these.

        Raises:
            FeatureError: Some have other widths than others.
        """
        ranges = dict(enumerate(shard_ranges(self.manifest.rows, self.manifest.shard_rows)))
        sizes = self._sizes()
        whole = self._named() if LEVEL in sizes else None
        notes = self._notes(number for number in ranges if _note(number) in sizes)
        if sizes and whole is None and not notes:
            whole = self._named()  # between the two looks somebody may have made a manifest of all notes
        listed = notes if whole is None else dict.fromkeys(whole.shards, whole) | notes
        shards: dict[int, ShardEntry] = {}
        width = 0
        for number, note in sorted(listed.items()):
            if ranges.get(number) == note.shards[number].rows and self._is_there(note, number, sizes):
                width = width or note.shape[1]
                check_width(self.key, self.name, width, note.shape[1])
                shards[number] = note.shards[number]
        named = {} if whole is None else {number: entry.sha256 for number, entry in whole.shards.items()}
        same = named == {number: entry.sha256 for number, entry in shards.items()}  # no note is newer than the manifest
        state = whole.state if whole is not None and same else "partial"
        warnings = [] if whole is None else whole.warnings
        return level_manifest(self.key, self.name, (self.manifest.rows, width), shards, state=state, warnings=warnings)

    def has(self, number: int) -> bool:
        """Whether a shard is there."""
        said = [note for note in (self._named(), self._notes([number]).get(number)) if note is not None]
        return any(number in note.shards and self._is_there(note, number, self._sizes()) for note in said)

    def write(self, number: int, content: bytes, note: LevelManifest) -> None:
        """Write a shard, and then its note."""
        put(self.system, f"{self.folder}/{level_files.shard_name(number)}", content)
        put(self.system, f"{self.folder}/{_note(number)}", as_json(note))

    def rows(self, note: LevelManifest, number: int) -> NDArray[Any] | None:
        """The rows of one shard, as numbers; None unless it is what `note` says."""
        entry, dim = note.shards[number], note.shape[1]
        shape = level_files.stored_shape(entry.rows[1] - entry.rows[0], dim, note.dtype)
        content = content_of(self.system, f"{self.folder}/{level_files.shard_name(number)}")
        content = self._part_of_whole(note, number, shape) if content is None else content
        return level_files.checked_rows(content, shape, note.dtype, entry.sha256)

    def forget(self, number: int) -> None:
        """Take a shard out of the level's manifest, and itself and its note away."""
        whole = self._named()
        if whole is not None and number in whole.shards:
            shards = {other: entry for other, entry in whole.shards.items() if other != number}
            self._name(whole.model_copy(update={"shards": shards, "state": "partial"}))
        self._remove(_note(number))
        self._remove(level_files.shard_name(number))

    def complete(self, note: LevelManifest, warnings: list[str]) -> None:
        """Name all shards in the level's manifest, and remove their notes."""
        self._name(note.model_copy(update={"state": "complete", "warnings": warnings}))
        for number in note.shards:
            self._remove(_note(number))

    def discard(self) -> None:
        """Delete the level."""
        with suppress(FileNotFoundError):
            self.system.rm(self.folder, recursive=True)

    def _named(self) -> LevelManifest | None:
        return level_manifest_of(self.name, content_of(self.system, f"{self.folder}/{LEVEL}"))

    def _name(self, whole: LevelManifest) -> None:
        put(self.system, f"{self.folder}/{LEVEL}", as_json(whole))

    def _notes(self, numbers: Iterable[int]) -> dict[int, LevelManifest]:
        """Notes of single shards, less those that are cut short or were removed meanwhile."""
        wanted = list(numbers)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            contents = pool.map(lambda number: content_of(self.system, f"{self.folder}/{_note(number)}"), wanted)
            notes = {number: level_manifest_of(self.name, one) for number, one in zip(wanted, contents, strict=True)}
        return {number: note for number, note in notes.items() if note is not None and number in note.shards}

    def _is_there(self, note: LevelManifest, number: int, sizes: Mapping[str, int]) -> bool:
        """Whether a shard that is named has a file of its size, or lies in that of all rows."""
        if (note.shape[0], note.dtype) != (self.manifest.rows, self.key.dtype):
            return False
        first, end = note.shards[number].rows
        if level_files.shard_name(number) in sizes:
            return sizes[level_files.shard_name(number)] == level_files.file_bytes(
                end - first, note.shape[1], note.dtype
            )
        return sizes.get(level_files.WHOLE) == level_files.file_bytes(*note.shape, note.dtype, self._shards())

    def _shards(self) -> int:
        """How many there are in the end."""
        return len(shard_ranges(self.manifest.rows, self.manifest.shard_rows))

    def _part_of_whole(self, note: LevelManifest, number: int, shape: tuple[int, int]) -> bytes | None:
        """A shard out of the file of all rows, as the file that it would be alone; None where there is none."""
        path, size = f"{self.folder}/{level_files.WHOLE}", shape[0] * shape[1] * np.dtype(note.dtype).itemsize
        header = level_files.file_header(*note.shape, note.dtype, self._shards())
        begin = len(header) + level_files.place(number, note.shards[number].rows[0], note)
        try:
            if self.system.cat_file(path, start=0, end=len(header)) != header:
                return None
            content = self.system.cat_file(path, start=begin, end=begin + size)
        except (FileNotFoundError, ValueError):
            return None
        if len(content) != size:
            return None
        return level_files.shard_bytes(np.frombuffer(content, note.dtype).reshape(shape))

    def _sizes(self) -> dict[str, int]:
        """Sizes of files by name, as they are now and not as they were last listed."""
        self.system.invalidate_cache()
        try:
            files = [one for one in self.system.ls(self.folder, detail=True) if one["type"] == "file"]
        except FileNotFoundError:
            return {}
        return {str(one["name"]).rpartition("/")[2]: int(one["size"] or 0) for one in files}

    def _remove(self, name: str) -> None:
        """Remove a file that somebody else may have removed."""
        with suppress(FileNotFoundError):
            self.system.rm_file(f"{self.folder}/{name}")


def as_json(found: KeyManifest | LevelManifest) -> bytes:
    """A manifest as its file."""
    return found.model_dump_json(indent=1).encode() + b"\n"


def _note(number: int) -> str:
    return f"shard-{number:05d}.json"
