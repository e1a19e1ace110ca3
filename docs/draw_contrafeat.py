"""Draws ContraFeat's figures: attention of the shipped navigators, and faces along their named directions.

`python docs/draw_contrafeat.py docs/figures`
"""
# ruff: noqa: INP001 - a script beside the pages, no package

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from ghbench.contrafeat.navigators import SHIPPED, Contrafeat
from ghbench.contrafeat.sheet import TraversalInput, traversal_sheet
from ghbench.contrafeat.traversal import Traversal, find_direction
from ghbench.figures.heatmap import HeatMap, heatmap_figure

SEED, PSI, SIZE, MOST = 4_900_003, 0.6, 128, 10
STEPS = (-1.0, -0.5, 0.0, 0.5, 1.0)
SHOWN = {"binary": 1.0, "prototype": 1.0}
"""Navigators, and by how much the steps are multiplied for each."""


def main() -> None:
    """Write the figures."""
    folder = Path(sys.argv[1])
    maps, numbers = [], []
    for kind, factor in SHOWN.items():
        navigator = Contrafeat(kind)
        attention = navigator.attention()
        names = {number: name for name, (number, _) in navigator.names.items()}
        # Coarse ones first: by the mean row.
        order = np.argsort((attention * np.arange(attention.shape[1])).sum(axis=1) / attention.sum(axis=1))
        maps.append(HeatMap(SHIPPED[kind], attention[order].astype(np.float64)))
        numbers.append([f"{number} {names.get(int(number), '')}".strip() for number in order])
        traversal = Traversal(navigator, navigator.spec(), SIZE)
        named = [find_direction(navigator, name) for name in list(navigator.names)[:MOST]]
        if named:
            sheet = traversal_sheet(
                traversal, [TraversalInput("", seed=(SEED, PSI))], named, [factor * step for step in STEPS]
            )
            Image.fromarray(sheet.grid()).save(folder / f"contrafeat-{kind}.jpg", quality=88)
    for one, labels in zip(maps, numbers, strict=True):
        rows = [f"row {row}" for row in range(one.values.shape[1])]
        figure = heatmap_figure([one], ("direction", labels), ("", rows))
        figure.savefig(folder / f"attention-{one.title}.svg")


if __name__ == "__main__":
    main()
