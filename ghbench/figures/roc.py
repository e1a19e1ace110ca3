"""ROC curves of several systems, with the false accept rate on a log axis, shaded where there are too few impostors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError
from ghbench.figures.style import BAND, MUTED, line_styles, styled_figure
from ghbench.metrics.verification import COUPLES_A_FAR_NEEDS, Floats, auc, roc


@dataclass(frozen=True, slots=True)
class RocCurve:
    """The curve of one system.

    Args:
        name: Name of the system.
        far: float64 [T] false accept rates, ascending.
        tar: float64 [T] true accept rates.
        area: Area under the curve.
        impostors: Impostor pairs that one assignment of folds decides.
        couples: Couples of people among the impostor pairs.
        floor: It is a row to beat.
    """

    name: str
    far: Floats
    tar: Floats
    area: float
    impostors: float
    couples: int
    floor: bool = False


def roc_curve(
    name: str,
    similarity: Floats,
    same: NDArray[np.bool_],
    draws: Floats | None = None,
    *,
    couples: int,
    floor: bool = False,
) -> RocCurve:
    """The curve of one system's records.

    Args:
        name: Name of the system.
        similarity: float64 [N].
        same: bool [N].
        draws: float64 [N] in how many assignments of folds each pair is decided; None: once each.
        couples: Couples of people among the impostor pairs.
        floor: It is a row to beat.
    """
    weight = np.ones(len(same)) if draws is None else draws
    curve = roc(similarity, same, weight)
    impostors = float(weight[~same].sum() / weight.max())
    return RocCurve(name, curve.far, curve.tar, auc(curve), impostors, couples, floor)


def roc_figure(curves: Sequence[RocCurve], title: str) -> Any:
    """Draw ROC curves; rows to beat are grey.

    Args:
        curves: At most 28 curves, of the same pairs.
        title: Title.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        DataError: There are no curves.
        MissingError: matplotlib is not installed.
    """
    if not curves:
        raise DataError("there are no curves to draw", fix="ghbench run --extractor pixels --task orl")
    impostors = min(curve.impostors for curve in curves)
    couples = min(curve.couples for curve in curves)
    resolvable, floor = COUPLES_A_FAR_NEEDS / couples, 1 / impostors
    with styled_figure(7.6, 4.4) as figure:
        axes = figure.add_subplot()
        few = f"fewer than {COUPLES_A_FAR_NEEDS} of the\n{couples:,} couples of people"
        axes.axvspan(floor, resolvable, color=BAND, linewidth=0, zorder=0, label=few)
        ordered = sorted(curves, key=lambda each: -each.area)
        styles = line_styles(curve.floor for curve in ordered)
        for curve, (colour, dashes) in zip(ordered, styles, strict=True):
            far, tar = _steps(curve, floor)
            axes.plot(far, tar, color=colour, linestyle=dashes, linewidth=1.5, label=f"{curve.name}  {curve.area:.3f}")
        chance = np.geomspace(floor, 1, 200)
        axes.plot(chance, chance, color=MUTED, linewidth=0.8, label="chance  0.500")
        axes.set_xscale("log")
        axes.set_xlim(floor, 1)
        axes.set_ylim(0, 1.01)
        axes.set_xlabel("false accept rate (log)")
        axes.set_ylabel("true accept rate")
        axes.grid(which="major")
        axes.set_axisbelow(True)
        axes.set_title(title)
        handles, labels = axes.get_legend_handles_labels()
        handles, labels = [*handles[1:], handles[0]], [*labels[1:], labels[0]]  # the shaded range comes last
        figure.legend(
            handles, labels, loc="outside right upper", title="system, area under the curve", alignment="left"
        )
    return figure


def _steps(curve: RocCurve, floor: float) -> tuple[Floats, Floats]:
    """The curve from the left edge of a log axis, which has no place for FAR = 0."""
    far = np.maximum(curve.far, floor)
    last = np.flatnonzero(curve.far <= floor)[-1]
    return far[last:], curve.tar[last:]
