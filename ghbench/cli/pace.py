"""What long work says where no bar can be drawn: how long it will take, and a line a minute."""

from __future__ import annotations

import time
from collections.abc import Callable

_SECONDS = 60.0


class Pace:
    """Turns progress into few lines.

    Args:
        say: Prints a line.
        lines: Whether to print one a minute; the estimate is printed in any case.
        clock: Seconds.
    """

    def __init__(self, say: Callable[[str], None], *, lines: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._lines, self._clock = say, lines, clock
        self._began: dict[str, float] = {}
        self._first: dict[str, tuple[float, int]] = {}
        self._estimated: set[str] = set()
        self._said: dict[str, float] = {}
        self._told: dict[str, float] = {}

    def report(self, done: int, total: int | None, label: str, unit: str) -> None:
        """Take note of progress.

        Args:
            done: Images or bytes so far.
            total: In all, None where nobody knows.
            label: What is worked on.
            unit: `images` or `bytes`.
        """
        now = self._clock()
        if label not in self._began:
            self._began[label] = self._told[label] = now
        if total is not None and done >= total:
            for kept in (self._began, self._first, self._told, self._said):
                kept.pop(label, None)
            self._estimated.discard(label)
            return
        if unit == "images" and total is not None and done:
            self._estimate(done, total, label, now)
        if self._lines and now - self._told[label] >= _SECONDS:
            self._told[label] = now
            amount = f"{done / 1e6:,.0f}" if unit == "bytes" else f"{done:,}"
            whole = "" if total is None else f"/{total / 1e6:,.0f}" if unit == "bytes" else f"/{total:,}"
            self._say(f"{label}: {amount}{whole} {'MB' if unit == 'bytes' else unit}")

    def _estimate(self, done: int, total: int, label: str, now: float) -> None:
        """Say how long it takes: by the second batch, as the first one waits for networks to be loaded too.

        A slow first batch is enough; if it was slow for such a reason, the second one corrects what was said.
        """
        if label in self._estimated:
            return
        if label not in self._first:
            self._first[label] = now, done
            spent = now - self._began[label]
            left = spent / done * (total - done)
            if spent >= _SECONDS / 2 and left > _SECONDS:
                self._said[label] = left
                self._say_left(left, total - done, label)
            return
        began, before = self._first[label]
        if done == before:
            return
        self._estimated.add(label)
        said, left = self._said.pop(label, None), (now - began) / (done - before) * (total - done)
        if left < said / 2 if said is not None else left > _SECONDS:
            self._say_left(left, total - done, label)

    def _say_left(self, seconds: float, images: int, label: str) -> None:
        minutes = max(1, round(seconds / 60))
        self._say(f"{label}: about {minutes} min for {images:,} images; cached afterwards")
