"""Writes that are either whole or absent: a temporary file in the same folder, fsync, rename.

A writer holds a lock on its temporary file, which the operating system releases when the process ends, however it ends.
So the next writer to a folder can delete what a killed one left, and nothing that is still being written.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ghbench.errors import UserError

if sys.platform != "win32":
    import fcntl

_TEMPORARY = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.tmp")
_OLD = 24 * 3600.0
"""Seconds after which a temporary file is abandoned where files cannot be locked."""
_swept: set[Path] = set()


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its place at `path` only when the block ends without an error.

    Args:
        path: Where the finished file shall stand; missing parent folders are made.

    Yields:
        A binary file open for writing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep_once(path.parent)
    temporary, stream = _locked_file(path)
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            if sys.platform == "win32":  # where an open file cannot be renamed
                stream.close()
            temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say where it is
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """A folder to fill, which takes its place at `path` only when the block ends without an error.

    Args:
        path: Where the finished folder shall stand; missing parent folders are made.
        replace: Whether a folder that stands there gives way.

    Yields:
        An empty folder beside it. What a killed process left there is deleted, or put back where it stood.

    Raises:
        UserError: Another process is making this folder, or has just made it.
    """
    from filelock import FileLock, Timeout

    making, old, gone = (path.with_name(f".{path.name}.{what}making") for what in ("", "old.", "gone."))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=0):
            _put_back(old, path)
            if path.exists() and not replace:
                raise UserError(f"{path} exists already", fix="choose another name, or remove it")
            for left_behind in (making, old, gone):
                shutil.rmtree(left_behind, ignore_errors=True)
            making.mkdir()
            try:
                yield making
                if path.exists():
                    path.rename(old)
                making.rename(path)
                _sync_folder(path.parent)
                if old.exists():  # from here on nobody puts it back
                    old.rename(gone)
            finally:
                with suppress(OSError):
                    _put_back(old, path)
                for aside in (making, gone):
                    shutil.rmtree(aside, ignore_errors=True)
    except Timeout:
        raise UserError(f"another process is making {path}", fix="wait for it, or choose another name") from None


def _put_back(old: Path, path: Path) -> None:
    """Undo the first of two renames where the second never came."""
    if old.exists() and not path.exists():
        old.rename(path)


def unfinished_folders(parent: Path) -> list[Path]:
    """What killed processes, or ones that still run, have begun by `atomic_folder` below `parent`, sorted."""
    return sorted(parent.glob(".*.making"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_file(path) as stream:
        stream.write(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` atomically, as UTF-8."""
    write_bytes(path, content.encode())


def abandoned_files(folder: Path) -> list[Path]:
    """Temporary files in `folder` whose writer is gone, sorted."""
    return [path for path in _temporary_files(folder) if _is_abandoned(path)]


def _sweep_once(folder: Path) -> None:
    """Delete a folder's abandoned files, once a process: some folders have a hundred thousand files."""
    if folder not in _swept:
        _swept.add(folder)
        for path in _temporary_files(folder):
            _is_abandoned(path, delete=True)


def _temporary_files(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry) for entry in entries if _TEMPORARY.fullmatch(entry.name) and entry.is_file())
    except OSError:
        return []


def _locked_file(path: Path) -> tuple[Path, BinaryIO]:
    while True:
        # The start of the name is for readers; all of it could be too long with what is added.
        temporary = path.parent / f".{path.name[:40]}.{os.getpid()}-{secrets.token_hex(4)}.tmp"
        stream = temporary.open("xb")
        if not _lock(stream, wait=True) or temporary.exists():
            return temporary, stream
        stream.close()  # swept by another process before it was locked


def _is_abandoned(path: Path, *, delete: bool = False) -> bool:
    """Whether the writer of a temporary file is gone; the lock is held while the file is deleted."""
    try:
        with path.open("r+b") as stream:
            if not _lock(stream, wait=False) and time.time() - os.fstat(stream.fileno()).st_mtime < _OLD:
                return False
            if delete:
                path.unlink()
    except OSError:
        return False
    return True


def _lock(stream: BinaryIO, *, wait: bool) -> bool:
    """Lock an open file until it is closed; False if another process holds it or files cannot be locked here."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; folders cannot be synced on every platform, and there it is not needed."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
