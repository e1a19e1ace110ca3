"""Windows of rows of W+, as users write them: `0-3`, `5`, or one for each direction, `0-3.5.2-4`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import UsageError

SEPARATOR = "."


def window(text: str, rows: int, usual: int) -> NDArray[np.float64]:
    """Equal shares in a window of rows, which add to 1: [rows].

    Args:
        text: `first-last` or a single row, 0 for the coarsest; empty for the usual ones.
        rows: Rows of the generator.
        usual: Number of rows, the coarsest, in the usual window.

    Raises:
        UsageError: An invalid window.
    """
    first, _, last = text.partition("-")
    try:
        start, stop = (int(first), int(last or first) + 1) if text else (0, usual)
    except ValueError:
        raise UsageError(f"rows={text}; expected for instance 0-3 or 5") from None
    if not 0 <= start < stop <= rows:
        raise UsageError(f"rows={text}; this generator has rows 0 to {rows - 1}")
    weights = np.zeros(rows)
    weights[start:stop] = 1 / (stop - start)
    return weights


def windows(text: str, rows: int, usual: int, count: int) -> NDArray[np.float64]:
    """The window of each direction, [count, rows]; see `window`.

    Args:
        text: One window for all, or as many as there are directions, joined by dots.
        rows: Rows of the generator.
        usual: Number of rows in the usual window.
        count: Number of directions.

    Raises:
        UsageError: An invalid window, or another number of them.
    """
    parts = text.split(SEPARATOR)
    if len(parts) > 1 and not all(parts):
        raise UsageError(f"rows={text}: a window between two dots is empty")
    if len(parts) not in {1, count}:
        raise UsageError(f"rows has {len(parts)} windows; expected one, or one for each of {count} directions")
    found = np.stack([window(part, rows, usual) for part in parts])
    return np.broadcast_to(found, (count, rows))
