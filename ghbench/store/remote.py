"""Features that lie elsewhere: copied to and from any file system that fsspec knows, S3 and its like among them.

Elsewhere a key has the folder and the files that it has here. Its data are written before the manifests that name them,
so what an interrupted copy leaves is either whole or not seen; what comes back is checked before it takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
from filelock import FileLock
from pydantic import ValidationError

from ghbench import atomic
from ghbench.errors import DataError, UsageError, UserError
from ghbench.store import level_files, manifest
from ghbench.store.feature_store import MANIFEST, FeatureStore, is_level_name
from ghbench.store.key import FeatureKey
from ghbench.store.manifest import KeyManifest, LevelManifest

LEVEL = "level.json"
Chosen = Callable[[FeatureKey], bool]


@dataclass(frozen=True, slots=True)
class Copied:
    """A level that was copied.

    Args:
        folder: Name of its key's folder.
        level: Its name.
        bytes: Of its data.
    """

    folder: str
    level: str
    bytes: int


def push(store: FeatureStore, url: str, chosen: Chosen) -> Iterator[Copied]:
    """Copy complete levels that are not there yet, or are there otherwise.

    Args:
        store: Where they are.
        url: Where they go, for instance `s3://bucket/features` or a folder.
        chosen: Which keys.

    Yields:
        Each level, after it was copied.

    Raises:
        UsageError: fsspec does not know such a URL, or lacks a package for it.
        UserError: It cannot be written to.
    """
    with _reached(url) as (system, root):
        for folder in store.folders():
            key = _key(folder.name, (folder / MANIFEST).read_bytes())
            if key is None or not chosen(key):
                continue
            there = f"{root}/{folder.name}"
            for path in sorted(folder.glob(f"*/{LEVEL}")):
                note = manifest.read(LevelManifest, path)
                if note is None or note.state != "complete":
                    continue
                if _content(system, f"{there}/{note.level}/{LEVEL}") == path.read_bytes():
                    continue
                size = 0
                system.makedirs(f"{there}/{note.level}", exist_ok=True)
                for file in _data(path.parent, note):
                    system.put_file(str(file), f"{there}/{note.level}/{file.name}")
                    size += file.stat().st_size
                system.pipe_file(f"{there}/{note.level}/{LEVEL}", path.read_bytes())
                system.pipe_file(f"{there}/{MANIFEST}", (folder / MANIFEST).read_bytes())
                yield Copied(folder.name, note.level, size)


def pull(store: FeatureStore, url: str, chosen: Chosen) -> Iterator[Copied]:
    """Copy complete levels that are not here yet.

    Args:
        store: Where they go.
        url: Where they are.
        chosen: Which keys.

    Yields:
        Each level, after it was copied.

    Raises:
        UsageError: fsspec does not know such a URL, or lacks a package for it.
        UserError: It cannot be read.
        DataError: Something there is damaged, or is not what its name says; what came before it is kept.
    """
    with _reached(url) as (system, root):
        for entry in sorted(system.glob(f"{root}/*/{MANIFEST}")):
            there, content = entry.rpartition("/")[0], system.cat_file(entry)
            name = there.rpartition("/")[2]
            key = _key(name, content)
            if key is None:
                raise DataError(f"{url}/{name} is not the folder of the key that its {MANIFEST} names")
            if chosen(key):
                for found in sorted(system.glob(f"{there}/*/{LEVEL}")):
                    copied = _pull_level(store, system, name, content, found)
                    if copied is not None:
                        yield copied


def _pull_level(store: FeatureStore, system: Any, name: str, key: bytes, found: str) -> Copied | None:
    """Fetch one level; None where it is here, or not complete there."""
    there, _, _ = found.rpartition("/")
    content = system.cat_file(found)
    try:
        note = LevelManifest.model_validate_json(content)
    except ValidationError as error:
        raise DataError(f"{found} is no manifest of a level") from error
    if note.level != there.rpartition("/")[2] or not is_level_name(note.level):
        raise DataError(f"{found} is the manifest of level {note.level!r}")
    folder = store.root / name
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        known = manifest.read(KeyManifest, folder / MANIFEST)
        here = manifest.read(LevelManifest, folder / note.level / LEVEL)
        if note.state != "complete" or (here is not None and here.state == "complete"):
            return None
        if known is not None and known != KeyManifest.model_validate_json(key):
            raise DataError(f"{folder} and {there} differ in their images, or in how they are divided into shards")
        size = 0
        with atomic.atomic_folder(folder / note.level, replace=True) as place:
            for source in system.ls(there, detail=False):
                if source.endswith(".npy"):
                    target = place / source.rpartition("/")[2]
                    system.get_file(source, str(target))
                    size += target.stat().st_size
            if not all(level_files.is_intact(place, number, note) for number in note.shards):
                raise DataError(f"{there} is damaged: its rows do not have the digests that it names")
            (place / LEVEL).write_bytes(content)
        if known is None:
            atomic.write_bytes(folder / MANIFEST, key)
    return Copied(name, note.level, size)


def _data(folder: Path, note: LevelManifest) -> Sequence[Path]:
    """Files of a complete level that hold its rows."""
    shards = [level_files.shard_path(folder, number) for number in sorted(note.shards)]
    return [path for path in (folder / level_files.WHOLE, *shards) if path.is_file()]


def _content(system: Any, path: str) -> bytes | None:
    try:
        content: bytes = system.cat_file(path)
    except FileNotFoundError:
        return None
    return content


def _key(folder: str, content: bytes) -> FeatureKey | None:
    """The key that a manifest names; None unless it is the one whose folder this is."""
    try:
        key = FeatureKey(**KeyManifest.model_validate_json(content).key)
        named = key.folder
    except (ValidationError, TypeError, AttributeError):
        return None
    return key if named == folder else None


@contextmanager
def _reached(url: str) -> Iterator[tuple[Any, str]]:
    """The file system of a URL, and the path in it."""
    try:
        system, root = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise UsageError(f"{url} cannot be reached: {error}", fix="a folder, or s3://BUCKET/PATH with s3fs") from error
    try:
        yield system, root.rstrip("/")
    except OSError as error:
        raise UserError(f"{url}: {type(error).__name__}: {error}; what was copied is kept") from error
