"""Grids of images, and PNG files."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ghbench.atomic import write_bytes
from ghbench.errors import UsageError
from ghbench.outputs import MADE_BY

GAP = 2
WHITE = 255


def picture_grid(images: NDArray[np.uint8], columns: int | None = None) -> NDArray[np.uint8]:
    """Place images row by row, with a white gap between them.

    Args:
        images: uint8 [N, H, W, 3], N at least 1.
        columns: Images in a row; None for `even_columns`.

    Returns:
        uint8 [H', W', 3]; empty places are white.

    Raises:
        ValueError: No images.
    """
    count, height, width, colours = images.shape
    if not count:
        raise ValueError("a grid needs at least one image")
    columns = min(columns, count) if columns else even_columns(count)
    rows = math.ceil(count / columns)
    cells = np.full((rows * columns, height + GAP, width + GAP, colours), WHITE, dtype=np.uint8)
    cells[:count, :height, :width] = images
    placed = cells.reshape(rows, columns, height + GAP, width + GAP, colours).transpose(0, 2, 1, 3, 4)
    whole = placed.reshape(rows * (height + GAP), columns * (width + GAP), colours)
    return np.ascontiguousarray(whole[:-GAP, :-GAP])


def even_columns(count: int) -> int:
    """Columns of the most nearly square grid that `count` images fill, else of the smallest square that holds them."""
    side = math.ceil(math.sqrt(count))
    return next((columns for columns in range(side, 2 * side + 1) if count % columns == 0), side)


def check_png(path: Path) -> None:
    """Check a file name before the work starts.

    Raises:
        UsageError: The name does not end in `.png`, or is a folder's.
    """
    if path.suffix.lower() != ".png" or path.is_dir():
        raise UsageError(f"cannot write an image to {path.name!r}", fix=f"--out {path.stem or 'grid'}.png")


def save_png(image: NDArray[np.uint8], path: Path, about: str = "") -> Path:
    """Write an image uint8 [H, W, 3] atomically; equal images give equal bytes.

    Args:
        image: The image.
        path: Where to write it.
        about: Description in the file's metadata, such as the seeds of a grid.

    Raises:
        UsageError: See `check_png`.
    """
    check_png(path)
    content, metadata = io.BytesIO(), PngInfo()
    metadata.add_text("Software", MADE_BY)
    if about:
        metadata.add_text("Description", about)
    Image.fromarray(image).save(content, format="PNG", pnginfo=metadata)
    write_bytes(path, content.getvalue())
    return path
