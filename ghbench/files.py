"""The door for files that a user names or that lie in a folder: only regular files are opened.

A named pipe would be waited for without end, and opening a device or a socket may do something.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from ghbench.errors import DataError, UserError

LARGEST_TEXT = 64 * 2**20
"""Bytes of a text file (pairs, manifests, logs, results) that are read."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def regular_file(path: Path | str) -> Path:
    """`path` itself, if it is a regular file or a link to one. Call it before a library opens the path.

    Raises:
        DataError: It is missing, cannot be looked at, or is a folder, a named pipe, a socket or a device.
    """
    path = Path(path)
    try:
        _check(path, path.stat())
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(path, error) from error
    return path


def open_regular(path: Path | str) -> BufferedReader:
    """`path` open for reading in binary mode, if it is a regular file.

    Raises:
        DataError: See `regular_file`; or reading it is not permitted.
    """
    path = regular_file(path)
    try:
        # What is opened may not be what was looked at: without blocking, and looked at again.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        stream = os.fdopen(descriptor, "rb")
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        _check(path, os.fstat(stream.fileno()))
    except DataError:
        stream.close()
        raise
    return stream


def read_text(path: Path | str, *, encoding: str = "utf-8", largest: int = LARGEST_TEXT) -> str:
    """Content of a text file.

    Args:
        path: The file.
        encoding: For instance `utf-8-sig` for files that may begin with a byte order mark.
        largest: Bytes that are accepted.

    Raises:
        DataError: See `open_regular`; or it is too large or not text.
    """
    try:
        with open_regular(path) as stream:
            content = stream.read(largest + 1)
    except OSError as error:
        raise _unreadable(Path(path), error) from error
    if len(content) > largest:
        raise DataError(f"{path} is larger than {largest / 2**20:.0f} MB, too large for a text file of this kind")
    try:
        return content.decode(encoding)
    except UnicodeError as error:
        raise DataError(f"{path} is not a text file: {error}", fix="save it as UTF-8") from error


@contextmanager
def read_as(path: Path, what: str, fix: str | None = None) -> Iterator[None]:
    """Turn whatever a library raises while it reads a file into one error: damaged bytes may lead anywhere.

    Args:
        path: The file; must be a regular one.
        what: What it should be, for instance `a .npy file`.
        fix: What mends it.

    Raises:
        DataError: Anything was raised that is not the user's error already.
    """
    regular_file(path)
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise DataError(f"{path} is not {what} ({reason[:200]})", fix=fix) from error


def user_path(text: Path | str) -> Path:
    """A path as the user typed it, with `~` and `~name` replaced by the home folder.

    Raises:
        DataError: There is no such user, or no home folder.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise DataError(f"{text}: the home folder is unknown", fix="write the whole path") from error


def exists(path: Path | str) -> bool:
    """Whether a file or folder exists; what no file can be called does not."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # a name that is too long, a NUL
        return False


def is_folder(path: Path | str) -> bool:
    """Whether a folder exists at a path."""
    return exists(path) and Path(path).is_dir()


def _check(path: Path, found: os.stat_result) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        raise DataError(f"{path} is {_KINDS.get(kind, 'something else')}, not a file", fix="name a regular file")


def _unreadable(path: Path, error: OSError | ValueError) -> DataError:
    reason = error.strerror if isinstance(error, OSError) else error
    return DataError(f"{path} cannot be read: {reason}", fix="check the path")
