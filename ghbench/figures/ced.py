"""Cumulative error distributions: which share of the faces has at most which error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError
from ghbench.figures.style import line_styles, styled_figure


@dataclass(frozen=True, slots=True)
class CedCurve:
    """The errors of one system.

    Args:
        name: Name of the system.
        errors: float64 [N], as shares of the normaliser.
        floor: It is a row to beat.
    """

    name: str
    errors: NDArray[np.float64]
    floor: bool = False


def ced_figure(curves: Sequence[CedCurve], title: str, most: float = 0.15) -> Any:
    """Draw cumulative error distributions; rows to beat are grey.

    Args:
        curves: At most 28 curves.
        title: Title.
        most: Largest error shown.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        DataError: There are no curves.
        MissingError: matplotlib is not installed.
    """
    if not curves:
        raise DataError("there are no curves to draw", fix="ghbench run --extractor pixels --task landmarks")
    with styled_figure(7.6, 4.0) as figure:
        axes = figure.add_subplot()
        ordered = sorted(curves, key=lambda each: float(each.errors.mean()))
        styles = line_styles(curve.floor for curve in ordered)
        for curve, (colour, dashes) in zip(ordered, styles, strict=True):
            errors = np.sort(curve.errors)
            share = np.arange(1, len(errors) + 1) / len(errors)
            label = f"{curve.name}  {100 * errors.mean():.2f}"
            axes.step(100 * errors, share, where="post", color=colour, linestyle=dashes, linewidth=1.5, label=label)
        axes.set_xlim(0, 100 * most)
        axes.set_ylim(0, 1.01)
        axes.set_xlabel("normalised mean error, %")
        axes.set_ylabel("share of faces")
        axes.grid(which="major")
        axes.set_axisbelow(True)
        axes.set_title(title)
        figure.legend(loc="outside right upper", title="system, mean error in %", alignment="left")
    return figure
