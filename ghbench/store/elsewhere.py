"""File systems that fsspec knows, as stores see them: reached by a URL, with errors in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from ghbench.errors import DataError, UsageError, UserError
from ghbench.store.key import FeatureKey
from ghbench.store.manifest import SCHEMA_VERSION, KeyManifest


@contextmanager
def reached(url: str, kept: str = "what was copied is kept") -> Iterator[tuple[Any, str]]:
    """The file system of a URL, and the path in it.

    Args:
        url: For instance `s3://bucket/features`, or a folder.
        kept: What the message says of work done so far.

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
        raise UserError(f"{url}: {type(error).__name__}: {error}; {kept}") from error


def content_of(system: Any, path: str) -> bytes | None:
    """Content of a file; None where there is none."""
    try:
        content: bytes = system.cat_file(path)
    except FileNotFoundError:
        return None
    return content


def key_manifest(folder: str, content: bytes) -> KeyManifest | None:
    """A key's manifest; None unless it names the key whose folder this is."""
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
