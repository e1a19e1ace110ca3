"""How a download reports its progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Progress(Protocol):
    """Called during a download; may draw a bar, must not raise."""

    def __call__(self, done_bytes: int, total_bytes: int | None, label: str, /) -> None:
        """Report.

        Args:
            done_bytes: Bytes so far.
            total_bytes: Total bytes, None if unknown.
            label: What is downloaded.
        """
        ...


def silent(_done_bytes: int, _total_bytes: int | None, _label: str) -> None:
    """Report nothing."""


_current: ContextVar[Progress] = ContextVar("progress", default=silent)


@contextmanager
def reporting(progress: Progress) -> Iterator[None]:
    """Let downloads inside the block report to `progress`, so that datasets and plugins need not pass it on."""
    token = _current.set(progress)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Progress:
    """Receiver of progress where no other is given."""
    return _current.get()
