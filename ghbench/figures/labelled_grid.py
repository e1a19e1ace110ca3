"""Grids of images with labelled rows and columns, drawn without matplotlib, so that equal images give equal pixels."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ghbench.figures.style import INK

GAP = 4
SMALLEST = 128
"""Smaller images are enlarged by repeating pixels, to at least this side."""
LETTERS = 12
LINE = 15
_WIDEST = 132


@dataclass(frozen=True)
class Row:
    """One row of a grid.

    Args:
        label: Its label; line breaks are kept.
        cells: uint8 [H, W, 3] each, all of one size; None leaves a cell empty.
    """

    label: str
    cells: Sequence[NDArray[np.uint8] | None]


def labelled_grid(columns: Sequence[str], rows: Sequence[Row]) -> NDArray[np.uint8]:
    """Draw a grid.

    Args:
        columns: Labels of the columns; line breaks are kept.
        rows: Each with at most as many cells as there are columns.

    Returns:
        uint8 [H, W, 3].

    Raises:
        ValueError: No image, or more cells than columns.
    """
    images = [cell for row in rows for cell in row.cells if cell is not None]
    if not images or any(len(row.cells) > len(columns) for row in rows):
        raise ValueError(f"a grid needs images, and at most {len(columns)} of them in a row")
    height, width = images[0].shape[:2]
    times = max(1, -(-SMALLEST // width))
    height, width = height * times, width * times
    font = ImageFont.load_default(LETTERS)
    heads = [_wrap(label, font, width) for label in columns]
    names = [_wrap(row.label, font, _WIDEST) for row in rows]
    left = round(max(font.getlength(line) for lines in names for line in lines)) + 2 * GAP
    top = max(map(len, heads)) * LINE + 2 * GAP
    size = left + len(columns) * (width + GAP), top + len(rows) * (height + GAP)
    canvas = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(canvas)
    for place, lines in enumerate(heads):
        middle = left + place * (width + GAP) + width / 2
        for number, line in enumerate(lines):
            # Labels are aligned at the bottom, next to the images.
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


def _wrap(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Break a label at spaces into lines of at most `width` pixels, and shorten lines that are still too long.

    The font has ASCII alone: letters lose their accents, and others become question marks.
    """
    lines: list[str] = []
    plain = "".join(one for one in unicodedata.normalize("NFKD", label) if not unicodedata.combining(one))
    for part in plain.encode("ascii", "replace").decode().split("\n"):
        line = ""
        for word in part.split(" "):
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return [_shorten(line, font, width) for line in lines]


def _shorten(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    kept = len(line)
    shown = line
    while font.getlength(shown) > width and kept > 2:
        kept -= 1
        shown = f"{line[: (kept + 1) // 2]}...{line[len(line) - kept // 2 :]}"
    return shown
