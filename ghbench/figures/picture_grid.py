"""Pictures side by side, and as a file."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ghbench.atomic import write_bytes
from ghbench.errors import UsageError

GAP = 2
WHITE = 255


def picture_grid(pictures: NDArray[np.uint8], columns: int | None = None) -> NDArray[np.uint8]:
    """Place pictures row by row, with a white gap between them.

    Args:
        pictures: uint8 [N, H, W, 3], N at least 1.
        columns: Pictures in a row; None for `even_columns`.

    Returns:
        uint8 [H', W', 3]; empty places are white.

    Raises:
        ValueError: No pictures.
    """
    count, height, width, colours = pictures.shape
    if not count:
        raise ValueError("a grid needs at least one picture")
    columns = min(columns, count) if columns else even_columns(count)
    rows = math.ceil(count / columns)
    cells = np.full((rows * columns, height + GAP, width + GAP, colours), WHITE, dtype=np.uint8)
    cells[:count, :height, :width] = pictures
    placed = cells.reshape(rows, columns, height + GAP, width + GAP, colours).transpose(0, 2, 1, 3, 4)
    whole = placed.reshape(rows * (height + GAP), columns * (width + GAP), colours)
    return np.ascontiguousarray(whole[:-GAP, :-GAP])


def even_columns(count: int) -> int:
    """Columns of the most nearly square grid that `count` pictures fill, or else of the smallest square they fit in."""
    side = math.ceil(math.sqrt(count))
    return next((columns for columns in range(side, 2 * side + 1) if count % columns == 0), side)


def check_png(path: Path) -> None:
    """Check, before the work, that a picture can be written there.

    Raises:
        UsageError: The name does not end in `.png`, or is that of a folder.
    """
    if path.suffix.lower() != ".png" or path.is_dir():
        raise UsageError(f"pictures are written as .png, not as {path.name!r}", fix=f"--out {path.stem or 'grid'}.png")


def save_png(picture: NDArray[np.uint8], path: Path) -> Path:
    """Write a picture uint8 [H, W, 3] whole or not at all; equal pictures, equal bytes.

    Raises:
        UsageError: See `check_png`.
    """
    check_png(path)
    content = io.BytesIO()
    Image.fromarray(picture).save(content, format="PNG")
    write_bytes(path, content.getvalue())
    return path
