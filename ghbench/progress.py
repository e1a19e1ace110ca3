"""How long work tells whoever watches how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Progress(Protocol):
    """Called now and then during long work; may draw a bar, must not raise."""

    def __call__(self, done: int, total: int | None, label: str, /) -> None:
        """Report.

        Args:
            done: Bytes of a download so far, or images.
            total: Bytes or images in all, None where nobody knows.
            label: What is worked on.
        """
        ...


def silent(_done: int, _total: int | None, _label: str) -> None:
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


def in_bytes(progress: Progress, one: int) -> Progress:
    """A receiver of numbers of items of `one` byte each, for a receiver that counts bytes."""

    def report(done: int, total: int | None, label: str) -> None:
        progress(done * one, None if total is None else total * one, label)

    return report


def current() -> Progress:
    """Receiver of progress where no other is given."""
    return _current.get()
