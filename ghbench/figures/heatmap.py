"""Heat maps of a measure between the levels of two encoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.figures.style import styled_figure

_CELL, _MARGIN = 0.62, 1.9  # inches
_MOST_NUMBERED = 15
"""Levels up to which the numbers fit into their cells."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """One measure.

    Args:
        title: What it is.
        values: float64 [A, B], NaN where it is not defined.
    """

    title: str
    values: NDArray[np.float64]


def heatmap_figure(
    maps: Sequence[HeatMap],
    rows: tuple[str, Sequence[str]],
    columns: tuple[str, Sequence[str]],
    cell: float = _CELL,
) -> Any:
    """Draw a heat map a measure, side by side, all on the scale from 0 to 1.

    Args:
        maps: The measures.
        rows: Name of the first encoder, and of its A levels.
        columns: Name of the second one, and of its B levels.
        cell: Side of a cell in inches.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        MissingError: matplotlib is not installed.
    """
    down, across = len(rows[1]), len(columns[1])
    width = len(maps) * (max(1.6, cell * across) + 0.5) + _MARGIN
    with styled_figure(width, max(1.2, cell * down) + _MARGIN) as figure:
        places = figure.subplots(1, len(maps), squeeze=False, sharey=True)[0]
        for axes, one in zip(places, maps, strict=True):
            image = axes.imshow(one.values, vmin=0, vmax=1, cmap="viridis", aspect="auto")
            axes.set_title(one.title)
            axes.set_xticks(range(across), columns[1], rotation=30, ha="right", rotation_mode="anchor")
            axes.set_yticks(range(down), rows[1])
            axes.set_xlabel(columns[0])
            if max(down, across) <= _MOST_NUMBERED:
                for (row, column), value in np.ndenumerate(one.values):
                    text = "-" if np.isnan(value) else f"{value:.2f}"
                    colour = "black" if value > 0.6 else "white"
                    axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
        places[0].set_ylabel(rows[0])
        figure.colorbar(image, ax=list(places), shrink=0.8)
    return figure
