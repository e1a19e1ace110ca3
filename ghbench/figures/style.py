"""The common style of all figures, and files whose bytes depend only on the numbers."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

from ghbench import atomic
from ghbench.errors import UsageError
from ghbench.extras import require
from ghbench.outputs import MADE_BY, check_output

DPI = 150
INK, MUTED, BAND = "#1a1a1a", "#6e6e6e", "#e6e6e6"
BLUE = "#0072b2"
COLOURS = (BLUE, "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
"""Okabe and Ito's colours for any kind of colour vision, without their yellow, which is too pale here.

Source: M. Okabe and K. Ito, Color Universal Design (2008).
"""
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1)), (0, (6, 2, 1, 2)))
"""Line styles: no two curves share both colour and style."""

_SETTINGS = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so figures look the same everywhere
    "font.size": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "text.color": INK,
    "text.parse_math": False,  # a name may hold dollars
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "svg.hashsalt": "ghbench",
    "svg.fonttype": "path",
}


FLOOR_DASHES = ((2, 2), (6, 2), (1, 1), (4, 1, 1, 1))


def line_styles(floors: Iterable[bool]) -> Iterator[tuple[str, Any]]:
    """Colour and dashes of each curve: few are alike; rows to beat are grey."""
    styles, grey = cycle((colour, dashes) for dashes in DASHES for colour in COLOURS), cycle(FLOOR_DASHES)
    for floor in floors:
        yield (MUTED, (0, next(grey))) if floor else next(styles)


@contextmanager
def styled_figure(width: float, height: float) -> Iterator[Any]:
    """A figure in the common style; draw inside the block.

    Args:
        width: Inches.
        height: Inches.

    Yields:
        A `matplotlib.figure.Figure` without a window or global state.

    Raises:
        MissingError: matplotlib is not installed.
    """
    matplotlib = require("matplotlib", "report")
    figures = require("matplotlib.figure", "report")
    with matplotlib.rc_context(_SETTINGS):
        yield figures.Figure(figsize=(width, height), layout="constrained", facecolor="white")


def check_figure(path: Path, *, force: bool = True) -> str:
    """Check a file name before the work starts.

    Args:
        path: The file.
        force: Whether a file that ghbench did not make may be replaced.

    Returns:
        Its format, `png` or `svg`.

    Raises:
        UsageError: Another ending, a folder's name, or a file that may not be replaced.
        MissingError: matplotlib is not installed.
    """
    require("matplotlib", "report")
    kind = path.suffix.removeprefix(".")
    if kind not in {"png", "svg"} or path.is_dir():
        raise UsageError(f"cannot write a figure to {path.name!r}; expected .png or .svg")
    check_output(path, force=force)
    return kind


def save_figure(figure: Any, path: Path) -> Path:
    """Write a figure atomically; equal figures give equal bytes, as files contain neither date nor version.

    Args:
        figure: A `matplotlib.figure.Figure`.
        path: Ends in `.png` (150 dots an inch) or `.svg`.

    Returns:
        The path.

    Raises:
        UsageError: Another ending.
    """
    kind = check_figure(path)
    matplotlib = require("matplotlib", "report")
    metadata: dict[str, dict[str, str | None]] = {
        "png": {"Software": MADE_BY},
        "svg": {"Date": None, "Creator": MADE_BY},
    }
    content = io.BytesIO()
    with matplotlib.rc_context(_SETTINGS):
        figure.savefig(content, format=kind, dpi=DPI, metadata=metadata[kind])
    atomic.write_bytes(path, content.getvalue())
    return path
