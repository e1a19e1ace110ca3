"""What plugins print goes to stderr: on the command line stdout holds the answer and nothing else."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress

_kept_apart = False


@contextmanager
def answers_only() -> Iterator[None]:
    """Let `to_stderr` have an effect inside the block, which is a whole command; the Python API has no such block."""
    global _kept_apart  # noqa: PLW0603 - about file descriptor 1, of which a process has one
    _kept_apart = True
    try:
        yield
    finally:
        _kept_apart = False


@contextmanager
def to_stderr() -> Iterator[None]:
    """Send to stderr what Python, native code and child processes print to stdout inside the block."""
    if not _kept_apart or sys.stdout is sys.stderr:
        yield
        return
    _flush()
    try:
        kept = os.dup(1)
    except OSError:  # closed, as in `ghbench ... >&-`
        with redirect_stdout(sys.stderr):
            yield
        return
    try:
        with suppress(OSError):
            os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _flush()  # what still waits in buffers belongs to the block
        os.dup2(kept, 1)
        os.close(kept)


def _flush() -> None:
    for stream in (sys.stdout, sys.__stdout__):
        with suppress(OSError, ValueError, AttributeError):  # closed, or none at all
            stream.flush()  # type: ignore[union-attr]
    with suppress(OSError, TypeError, AttributeError):  # C's own buffer, which only POSIX finds this way
        ctypes.CDLL(None).fflush(None)
