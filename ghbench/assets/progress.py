"""How a download tells its caller how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Progress(Protocol):
    """Called now and then while something is fetched; may draw a bar, must not raise."""

    def __call__(self, done_bytes: int, total_bytes: int | None, label: str, /) -> None:
        """Report.

        Args:
            done_bytes: Bytes so far.
            total_bytes: Bytes in all, None where nobody knows.
            label: What is fetched.
        """
        ...


def silent(_done_bytes: int, _total_bytes: int | None, _label: str) -> None:
    """Report nothing."""


_current: ContextVar[Progress] = ContextVar("progress", default=silent)


@contextmanager
def reporting(progress: Progress) -> Iterator[None]:
    """Let downloads inside the block report to `progress`: a dataset or a plugin need not know who watches."""
    token = _current.set(progress)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Progress:
    """Who is told about downloads that nobody watches in particular."""
    return _current.get()
