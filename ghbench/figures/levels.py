"""A metric along an extractor's levels, with intervals, and reference lines of rows without levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ghbench.errors import DataError
from ghbench.figures.style import BLUE, COLOURS, DASHES, MUTED, styled_figure

FEWEST = 3
"""Fewest levels of a curve."""


@dataclass(frozen=True, slots=True)
class LevelPoint:
    """One level: its name, its value, and the ends of the 95 % interval."""

    level: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LevelCurve:
    """One extractor, level by level.

    Args:
        name: Name of the extractor.
        points: Levels in the extractor's order.
    """

    name: str
    points: tuple[LevelPoint, ...]


def level_figure(
    curve: LevelCurve, references: Sequence[tuple[str, float]], metric: str, title: str, unit: str = ""
) -> Any:
    """Draw a metric along an extractor's levels.

    Args:
        curve: The extractor.
        references: Names and values of rows without levels, drawn as dashed lines.
        metric: Name of the metric.
        title: Title.
        unit: Units that the bootstrap resamples, for instance `40 people`.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        DataError: There are fewer than three levels.
        MissingError: matplotlib is not installed.
    """
    points = curve.points
    if len(points) < FEWEST:
        raise DataError(f"{curve.name} has {len(points)} levels; a curve needs {FEWEST}")
    places = range(len(points))
    low, high = [point.low for point in points], [point.high for point in points]
    values = [point.value for point in points]
    with styled_figure(7.6, 3.8) as figure:
        axes = figure.add_subplot()
        axes.fill_between(places, low, high, color=BLUE, alpha=0.18, linewidth=0)
        axes.plot(places, values, color=BLUE, marker="o", markersize=4, linewidth=1.5, label=curve.name)
        styles = [(colour, dashes) for dashes in DASHES[1:] for colour in (*COLOURS[1:], MUTED)]
        for (name, value), (colour, dashes) in zip(sorted(references, key=lambda row: -row[1]), styles, strict=False):
            axes.axhline(value, color=colour, linestyle=dashes, linewidth=1.2, label=f"{name}  {value:.3f}")
        axes.set_xticks(
            list(places), [point.level for point in points], rotation=30, ha="right", rotation_mode="anchor"
        )
        axes.set_xlabel("level, in the extractor's order")
        axes.set_ylabel(f"{metric}, 95 % over {unit}" if unit else metric)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.set_title(title)
        figure.legend(loc="outside right upper", alignment="left")
    return figure
