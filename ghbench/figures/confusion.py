"""Confusion matrices: which class is taken for which."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.figures.style import styled_figure

_CELL, _MARGIN = 0.42, 1.6  # inches
MOST_CLASSES = 40
"""Classes up to which a matrix can be read."""


def confusion_figure(
    truth: NDArray[np.integer[Any]], answers: NDArray[np.integer[Any]], names: Sequence[str], title: str
) -> Any:
    """Draw a confusion matrix, each row as shares of its class.

    Args:
        truth: int [N] true classes.
        answers: int [N] predicted ones.
        names: Of the classes, at most `MOST_CLASSES`.
        title: Title.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        MissingError: matplotlib is not installed.
    """
    count = len(names)
    counts = np.zeros((count, count))
    np.add.at(counts, (truth, answers), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = _CELL * count + _MARGIN
    with styled_figure(side + 1, side) as figure:
        axes = figure.add_subplot()
        image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
        axes.set_xticks(range(count), names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(count), names)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.set_title(textwrap.fill(title, 7 * count + 10, break_long_words=True), fontsize=8)
        if count <= MOST_CLASSES // 2:
            for (row, column), share in np.ndenumerate(shares):
                if share >= 0.01:
                    colour = "white" if share > 0.6 else "black"
                    axes.text(
                        column, row, f"{share:.2f}".lstrip("0"), ha="center", va="center", color=colour, fontsize=7
                    )
        figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class")
    return figure
