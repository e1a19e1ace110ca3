"""Features that lie elsewhere: copied to and from any file system that fsspec knows, S3 and its like among them.

Elsewhere a key has the folder and the files that it has here. A level's manifest is taken away before its data are
replaced and comes back after them, so what an interrupted copy leaves is either whole or not seen. Rows are checked
against their digests before they leave and before they take a place here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import ValidationError

from ghbench import atomic
from ghbench.errors import DataError, MissingError
from ghbench.store import level_files, manifest
from ghbench.store.elsewhere import check_same_key, content_of, key_manifest, level_manifest_of, put, reached
from ghbench.store.feature_store import FeatureStore
from ghbench.store.key import FeatureKey
from ghbench.store.manifest import SCHEMA_VERSION, KeyManifest, LevelManifest
from ghbench.store.shards import LEVEL, MANIFEST, fits, is_level_name

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
    """Copy complete levels that are not there yet, or not with the same rows.

    Args:
        store: Where they are.
        url: Where they go, for instance `s3://bucket/features` or a folder.
        chosen: Which keys.

    Yields:
        Each level, after it was copied.

    Raises:
        UsageError: fsspec does not know such a URL, or lacks a package for it.
        UserError: It cannot be written to.
        DataError: A level here is damaged, or a key there is of other images or other shards.
    """
    with reached(url, "what was copied is kept") as (system, root):
        for folder in store.folders():
            content = (folder / MANIFEST).read_bytes()
            key = key_manifest(folder.name, content)
            if key is None or not chosen(FeatureKey(**key.key)):
                continue
            there = f"{root}/{folder.name}"
            known = content_of(system, f"{there}/{MANIFEST}")
            check_same_key(folder, there, key_manifest(folder.name, known), key)
            for path in sorted(folder.glob(f"*/{LEVEL}")):
                if is_level_name(path.parent.name):
                    copied = _push_level(system, path, f"{there}/{path.parent.name}", key)
                    if copied is not None:
                        if known != content:
                            put(system, f"{there}/{MANIFEST}", content)
                            known = content
                        yield copied


def pull(store: FeatureStore, url: str, chosen: Chosen) -> Iterator[Copied]:
    """Copy complete levels that are not here yet.

    Args:
        store: Where they go.
        url: Where they are.
        chosen: Which keys.

    Yields:
        Each level, after it was copied.

    Raises:
        MissingError: There is nothing at the URL.
        UsageError: fsspec does not know such a URL, or lacks a package for it.
        UserError: It cannot be read.
        DataError: Something there is damaged, or is not what its name says; whole levels beside it are copied.
    """
    damaged: list[DataError] = []
    with reached(url, "what was copied is kept") as (system, root):
        found = sorted(system.glob(f"{root}/*/{MANIFEST}"))
        if not found and not system.exists(root):
            raise MissingError(f"there is nothing at {url}", fix=f"ghbench cache push {url}")
        for entry in found:
            there, content = entry.rpartition("/")[0], system.cat_file(entry)
            name = there.rpartition("/")[2]
            key = key_manifest(name, content)
            if key is None:
                damaged.append(DataError(f"{there} is not the folder of the key that its {MANIFEST} names"))
            elif chosen(FeatureKey(**key.key)):
                for level in sorted(system.glob(f"{there}/*/{LEVEL}")):
                    try:
                        copied = _pull_level(store.root / name, system, level.rpartition("/")[0], key)
                    except DataError as error:
                        damaged.append(error)
                        continue
                    if copied is not None:
                        yield copied
        if damaged:
            raise DataError("\n".join(error.message for error in damaged), fix=damaged[0].fix)


def _push_level(system: Any, path: Path, there: str, key: KeyManifest) -> Copied | None:
    """Send one level; None where it is not complete, or is there."""
    note = manifest.read(LevelManifest, path)
    if note is None or note.state != "complete" or not fits(note, key):
        return None
    files = _data(path.parent, note)
    known = content_of(system, f"{there}/{LEVEL}")
    if (
        known is not None
        and _same_rows(known, note)
        and all(
            system.exists(f"{there}/{name}") and system.size(f"{there}/{name}") == file.stat().st_size
            for name, file in files.items()
        )
    ):
        return None
    if not all(level_files.is_intact(path.parent, number, note) for number in note.shards):
        raise DataError(f"{path.parent} is damaged", fix="ghbench cache verify, and extract it again")
    if known is not None:
        system.rm_file(f"{there}/{LEVEL}")
    system.makedirs(there, exist_ok=True)
    for name in {level_files.WHOLE, *_shard_names(note)} - files.keys():
        if system.exists(f"{there}/{name}"):
            system.rm_file(f"{there}/{name}")
    for name, file in files.items():
        system.put_file(str(file), f"{there}/{name}")
    put(system, f"{there}/{LEVEL}", path.read_bytes())
    return Copied(path.parent.parent.name, note.level, sum(file.stat().st_size for file in files.values()))


def _pull_level(folder: Path, system: Any, there: str, key: KeyManifest) -> Copied | None:
    """Fetch one level; None where it is here, its files as large as they should be, or not complete there."""
    content, note = _level_there(system, there, key)
    if note is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        known = manifest.read(KeyManifest, folder / MANIFEST)
        check_same_key(folder, there, known, key)
        if known is None:
            manifest.write(key, folder / MANIFEST)
        if _is_here(folder / note.level, key):
            return None
        size, sizes = 0, _sizes(note)
        with atomic.atomic_folder(folder / note.level, replace=True) as place:
            for name in (level_files.WHOLE, *_shard_names(note)):
                if system.isfile(f"{there}/{name}"):
                    if system.size(f"{there}/{name}") != sizes[name]:
                        raise _damaged(there)
                    system.get_file(f"{there}/{name}", str(place / name))
                    size += (place / name).stat().st_size
            if not all(level_files.is_intact(place, number, note) for number in note.shards):
                raise _damaged(there)
            level_files.merge(place, note)
            (place / LEVEL).write_bytes(content)
    return Copied(folder.name, note.level, size)


def _level_there(system: Any, there: str, key: KeyManifest) -> tuple[bytes, LevelManifest | None]:
    """A level's manifest; None where the level is not complete, or of a version that is not known here.

    Raises:
        DataError: It is none, or not of this level and of all rows of its key.
    """
    content = system.cat_file(f"{there}/{LEVEL}")
    try:
        note = LevelManifest.model_validate_json(content)
    except ValidationError as error:
        raise DataError(f"{there}/{LEVEL} is no manifest of a level") from error
    if note.level != there.rpartition("/")[2] or not is_level_name(note.level):
        raise DataError(f"{there}/{LEVEL} is the manifest of level {note.level!r}")
    if note.schema_version != SCHEMA_VERSION or note.state != "complete":
        return content, None
    if not fits(note, key):
        raise DataError(f"{there}/{LEVEL} does not name the rows of its key")
    return content, note


def _is_here(level: Path, key: KeyManifest) -> bool:
    """Whether a level is complete; whether its rows have their digests is seen when they are read."""
    note = manifest.read(LevelManifest, level / LEVEL)
    if note is None or note.state != "complete" or note.level != level.name or not fits(note, key):
        return False
    sizes, files = _sizes(note), _data(level, note)
    everything = level_files.WHOLE in files or len(files) == len(note.shards)
    return everything and all(path.stat().st_size == sizes[name] for name, path in files.items())


def _damaged(there: str) -> DataError:
    return DataError(
        f"{there} is damaged: its rows do not have the digests that it names",
        fix="make it again: ghbench extract --into, with --force",
    )


def _sizes(note: LevelManifest) -> dict[str, int]:
    """Bytes of each file that may hold rows of a complete level, by name."""
    rows, dim = note.shape
    sizes = {
        level_files.shard_name(number): level_files.file_bytes(entry.rows[1] - entry.rows[0], dim, note.dtype)
        for number, entry in note.shards.items()
    }
    return sizes | {level_files.WHOLE: level_files.file_bytes(rows, dim, note.dtype, len(note.shards))}


def _shard_names(note: LevelManifest) -> list[str]:
    return [level_files.shard_name(number) for number in sorted(note.shards)]


def _data(folder: Path, note: LevelManifest) -> Mapping[str, Path]:
    """Files of a complete level that hold its rows, by name."""
    paths = [folder / name for name in (level_files.WHOLE, *_shard_names(note))]
    return {path.name: path for path in paths if path.is_file()}


def _same_rows(content: bytes, note: LevelManifest) -> bool:
    """Whether a manifest there names the same rows as one here; when they were made does not count."""
    other = level_manifest_of(note.level, content)
    if other is None:
        return False
    digests = [{number: entry.sha256 for number, entry in one.shards.items()} for one in (other, note)]
    return (other.state, other.shape, other.dtype) == (note.state, note.shape, note.dtype) and digests[0] == digests[1]
