"""File systems that fsspec knows, as stores see them: reached by a URL, with errors in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ghbench import atomic
from ghbench.errors import DataError, UsageError, UserError
from ghbench.files import user_path
from ghbench.store.key import FeatureKey
from ghbench.store.manifest import SCHEMA_VERSION, KeyManifest, LevelManifest


@contextmanager
def reached(url: str, kept: str = "") -> Iterator[tuple[Any, str]]:
    """The file system of a URL, and the path in it.

    Args:
        url: For instance `s3://bucket/features`, or a folder.
        kept: What the message says of work done so far, nothing by default.

    Raises:
        UsageError: fsspec does not know such a URL, or lacks a package for it.
        UserError: Whatever its package raises.
    """
    import fsspec  # a tenth of a second that few commands need

    try:
        system, root = fsspec.core.url_to_fs(url)
    except Exception as error:
        fix = "a folder, or s3://BUCKET/PATH with s3fs"
        raise UsageError(f"{url} cannot be reached: {type(error).__name__}: {error}", fix=fix) from error
    try:
        yield system, root.rstrip("/")
    except (UserError, GeneratorExit):
        raise
    except Exception as error:
        raise UserError(f"{url}: {type(error).__name__}: {error}{'; ' * bool(kept)}{kept}") from error


def content_of(system: Any, path: str) -> bytes | None:
    """Content of a file; None where there is none."""
    try:
        content: bytes = system.cat_file(path)
    except FileNotFoundError:
        return None
    return content


def put(system: Any, path: str, content: bytes) -> None:
    """Write a file whole or not at all: object stores do so themselves, a folder by a rename."""
    if "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,)):
        atomic.write_bytes(Path(path), content)
    else:
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
        system.pipe_file(path, content)


def absolute(url: str) -> str:
    """A folder as seen from every working directory; a URL as it is."""
    return url if "://" in url or "::" in url else str(user_path(url).absolute())


def level_manifest_of(level: str, content: bytes | None) -> LevelManifest | None:
    """A level's manifest, or a note of one shard; None unless it is of this level and of a version that is known."""
    try:
        found = None if content is None else LevelManifest.model_validate_json(content)
    except ValidationError:
        return None
    return found if found and (found.level, found.schema_version) == (level, SCHEMA_VERSION) else None


def key_manifest(folder: str, content: bytes | None) -> KeyManifest | None:
    """A key's manifest; None unless it names the key whose folder this is."""
    if content is None:
        return None
    try:
        found = KeyManifest.model_validate_json(content)
        named = FeatureKey(**found.key).folder
    except (ValidationError, TypeError, AttributeError):
        return None
    return found if named == folder and found.schema_version == SCHEMA_VERSION else None


def check_same_key(here: object, there: str, known: KeyManifest | None, key: KeyManifest) -> None:
    """Raise DataError where a key that is there already has other images or other shards."""
    if known not in (None, key):
        raise DataError(f"{here} and {there} differ in their images, or in how they are divided into shards")
