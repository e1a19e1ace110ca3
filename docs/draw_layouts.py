"""Draw rooms with what is known of them: corners of the far wall, and the lines that meet there.

python docs/draw_layouts.py docs/figures/layouts.jpg
"""
# ruff: noqa: INP001 - a script beside the pages, no package

from __future__ import annotations

import sys

import numpy as np
from PIL import Image, ImageDraw

from ghbench.data.rooms.dataset import Rooms

SIDE, COLUMNS, ROWS = 192, 6, 2
REACH = 30  # pixels to either side of a corner
MEETING = ((0, 2, 4), (0, 3, 5), (1, 2, 6), (1, 3, 7))
"""Of each corner the lines that meet there, as `ghbench.data.rooms.ground_truth.LINES` counts them."""


def main(path: str) -> None:
    """Write the picture: bedrooms above, halls below."""
    sheet = Image.new("RGB", (SIDE * COLUMNS, SIDE * ROWS))
    for row, world in enumerate(("bedroom", "hall")):
        rooms = Rooms(world, 256, train=0, val=0, test=COLUMNS)
        for column, image in enumerate(rooms.pixels()):
            drawn = Image.fromarray(image)
            _draw(ImageDraw.Draw(drawn), rooms, column)
            sheet.paste(drawn.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (column * SIDE, row * SIDE))
    sheet.save(path, quality=88)


def _draw(pen: ImageDraw.ImageDraw, rooms: Rooms, row: int) -> None:
    known = {name: target.values[row] for name, target in rooms.targets.items()}
    for corner, visible, lines in zip(known["corners"], known["corners-visible"], MEETING, strict=True):
        if not visible:
            continue
        for line in lines:
            angle = known["lines"][line]
            way = REACH * np.array([np.cos(angle), -np.sin(angle)])
            pen.line([*(corner - way), *(corner + way)], fill="white", width=2)
        pen.ellipse([*(corner - 5), *(corner + 5)], outline="red", width=3)


if __name__ == "__main__":
    main(sys.argv[1])
