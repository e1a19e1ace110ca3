"""Pictures in rows and columns with a name for each, drawn without matplotlib: equal pictures, equal pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ghbench.figures.style import INK

GAP = 4
SMALLEST = 128
"""Smaller pictures are shown with whole pixels repeated until they are at least this large."""
LETTERS = 12
LINE = 15
_WIDEST = 132


@dataclass(frozen=True)
class Row:
    """One row of a grid.

    Args:
        label: Its name; line breaks are kept.
        cells: uint8 [H, W, 3] each, all of one size; None leaves a place empty.
    """

    label: str
    cells: Sequence[NDArray[np.uint8] | None]


def labelled_grid(columns: Sequence[str], rows: Sequence[Row]) -> NDArray[np.uint8]:
    """Draw a grid.

    Args:
        columns: Their names; line breaks are kept.
        rows: Each with at most as many cells as there are columns.

    Returns:
        uint8 [H, W, 3].

    Raises:
        ValueError: No picture at all, or more cells than columns.
    """
    pictures = [cell for row in rows for cell in row.cells if cell is not None]
    if not pictures or any(len(row.cells) > len(columns) for row in rows):
        raise ValueError("a grid needs pictures, and a column for each of them")
    height, width = pictures[0].shape[:2]
    times = max(1, -(-SMALLEST // width))
    height, width = height * times, width * times
    font = ImageFont.load_default(LETTERS)
    heads = [_fitted(label, font, width) for label in columns]
    names = [_fitted(row.label, font, _WIDEST) for row in rows]
    left = round(max(font.getlength(line) for lines in names for line in lines)) + 2 * GAP
    top = max(map(len, heads)) * LINE + 2 * GAP
    size = left + len(columns) * (width + GAP), top + len(rows) * (height + GAP)
    canvas = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(canvas)
    for place, lines in enumerate(heads):
        middle = left + place * (width + GAP) + width / 2
        for number, line in enumerate(lines):
            # The last lines of all names stand on one height, next to the pictures.
            y = top - GAP - (len(lines) - number) * LINE
            pen.text((middle - font.getlength(line) / 2, y), line, fill=INK, font=font)
    for place, (row, lines) in enumerate(zip(rows, names, strict=True)):
        y = top + place * (height + GAP)
        for number, line in enumerate(lines):
            pen.text((GAP, y + (height - len(lines) * LINE) / 2 + number * LINE), line, fill=INK, font=font)
        for column, cell in enumerate(row.cells):
            if cell is not None:
                large = np.ascontiguousarray(cell.repeat(times, axis=0).repeat(times, axis=1))
                canvas.paste(Image.fromarray(large), (left + column * (width + GAP), y))
    return np.asarray(canvas)


def _fitted(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Lines that are no wider than `width`: broken at spaces, and what is still too long cut in its middle."""
    lines: list[str] = []
    for part in label.split("\n"):
        line = ""
        for word in part.split(" "):
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return [_shortened(line, font, width) for line in lines]


def _shortened(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    kept = len(line)
    shown = line
    while font.getlength(shown) > width and kept > 2:
        kept -= 1
        shown = f"{line[: (kept + 1) // 2]}...{line[len(line) - kept // 2 :]}"
    return shown
