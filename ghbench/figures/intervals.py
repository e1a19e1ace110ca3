"""A ranked table as a picture: one row a system, its value and its 95 % interval, beside the best row to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ghbench.errors import DataError
from ghbench.figures.style import BAND, BLUE, INK, MUTED, styled_figure

Standing = Literal["better", "same", "worse", "floor"]
_LABELS: dict[Standing, str] = {
    "better": "better than the best row to beat",
    "same": "within noise of it",
    "worse": "worse",
    "floor": "a row to beat",
}


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One row of a ranked table.

    Args:
        rank: Rank, None where nothing is ranked.
        name: What the row is called.
        value: Point value.
        low: Lower end of its 95 % interval.
        high: Upper end.
        standing: Against the best row to beat, by the paired test, never by looking at overlaps; None without one.
    """

    rank: int | None
    name: str
    value: float
    low: float
    high: float
    standing: Standing | None


def interval_figure(
    rows: Sequence[IntervalRow], metric: str, title: str, unit: str = "", *, higher_is_better: bool | None = True
) -> Any:
    """Draw a forest plot with the rows from top to bottom.

    Args:
        rows: Rows of a table, best first.
        metric: Name of the metric.
        title: Title.
        unit: Units that the bootstrap resamples, for instance `40 people`.
        higher_is_better: Direction of the metric.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        DataError: There are no rows.
        MissingError: matplotlib is not installed.
    """
    if not rows:
        raise DataError("there are no rows to draw", fix="ghbench run --extractor pixels --task orl")
    with styled_figure(7.6, 1.6 + 0.27 * len(rows)) as figure:
        axes, text = figure.subplots(1, 2, sharey=True, width_ratios=(2.6, 1))
        _band(axes, rows, higher_is_better=higher_is_better)
        for place, row in enumerate(rows):
            _draw(axes, place, row)
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        over = f" over the {unit}" if unit else ""
        better = {True: " (higher is better)", False: " (lower is better)", None: ""}[higher_is_better]
        axes.set_xlabel(f"{metric}{better}\n95 % bootstrap interval{over}")
        _numbers_beside(text, rows)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
        _legend(figure, axes, rows)
    return figure


def _band(axes: Any, rows: Sequence[IntervalRow], *, higher_is_better: bool | None) -> None:
    floor = [row for row in rows if row.standing == "floor"]
    if floor and higher_is_better is not None:
        best = (max if higher_is_better else min)(floor, key=lambda row: row.value)
        axes.axvspan(best.low, best.high, color=BAND, linewidth=0, zorder=0, label="interval of the best row to beat")
        axes.axvline(best.value, color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)), zorder=1)


def _draw(axes: Any, place: int, row: IntervalRow) -> None:
    colour = MUTED if row.standing == "floor" else BLUE
    axes.plot([row.low, row.high], [place, place], color=colour, linewidth=1.6, solid_capstyle="butt", zorder=2)
    axes.plot(row.value, place, zorder=3, **_marker(row.standing))


def _marker(standing: Standing | None) -> dict[str, Any]:
    """Shape and filling say the same as the colour, for readers and printers without it."""
    colour = MUTED if standing == "floor" else BLUE
    return {
        "marker": {"floor": "D", "worse": "v"}.get(standing or "better", "o"),
        "markersize": 5 if standing == "floor" else 6,
        "markerfacecolor": colour if standing in {"better", None} else "white",
        "markeredgecolor": colour,
        "markeredgewidth": 1.4,
        "linestyle": "none",
    }


def _numbers_beside(axes: Any, rows: Sequence[IntervalRow]) -> None:
    """Columns of text aligned with the rows: rank, value, interval."""
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    columns = [(0.10, "rank"), (0.36, "value"), (1.0, "interval")]
    for x, head in columns:
        axes.text(x, -0.9, head, color=MUTED, ha="right", va="center", fontsize=8)
    for place, row in enumerate(rows):
        cells = ("-" if row.rank is None else str(row.rank), f"{row.value:.3f}", f"[{row.low:.3f}, {row.high:.3f}]")
        for (x, _), cell in zip(columns, cells, strict=True):
            axes.text(x, place, cell, color=INK, ha="right", va="center", fontsize=8)


def _legend(figure: Any, axes: Any, rows: Sequence[IntervalRow]) -> None:
    for standing, label in _LABELS.items():
        if any(row.standing == standing for row in rows):
            axes.plot([], [], label=label, **_marker(standing))
    if any(row.standing == "floor" for row in rows):
        figure.legend(loc="outside lower left", ncols=2, columnspacing=1.5, handletextpad=0.5)
