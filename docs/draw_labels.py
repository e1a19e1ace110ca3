"""Draw how much labels add: the published accuracy of a linear classifier against its number of training images.

python docs/draw_labels.py docs/figures/labels.svg
"""
# ruff: noqa: INP001 - a script beside the pages, no package

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ghbench.figures import save_figure
from ghbench.figures.style import line_styles, styled_figure
from ghbench.running.request import load_task
from ghbench.tables.select import Choice, chosen_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ghbench.tables import Row

DATA = {
    "mnist-10k": {100: ",training=100", 1_000: ",training=1000", 8_000: ""},
    "fashion-mnist": {count: f",test=2000,training={count}" for count in (100, 1_000, 10_000)},
}
"""Numbers of training images and options of the task, by dataset."""
METRIC = "top1"


def main(path: str) -> None:
    """Draw a panel for each dataset."""
    with styled_figure(8.6, 4.2 * len(DATA)) as figure:
        panels = figure.subplots(len(DATA), 1, squeeze=False)[:, 0]
        for axes, (data, options) in zip(panels, DATA.items(), strict=True):
            _draw(axes, data, options)
    save_figure(figure, Path(path))


def _draw(axes: Any, data: str, options: Mapping[int, str]) -> None:
    counts = list(options)
    found = [_rows(f"linear:dataset={data}{option}") for option in options.values()]
    shown = [name for name in found[-1] if all(name in rows for rows in found)]
    floors = [found[-1][name].standing == "floor" for name in shown]
    for name, (colour, dashes) in zip(shown, line_styles(floors), strict=True):
        values = [rows[name].metric(METRIC) for rows in found]
        axes.plot(counts, [one.value for one in values], color=colour, linestyle=dashes, linewidth=1.4, label=name)
        ends = [one.interval for one in values]
        axes.fill_between(
            counts, [low for low, _ in ends], [high for _, high in ends], color=colour, alpha=0.12, linewidth=0
        )
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.minorticks_off()
    axes.set_xlabel("training images")
    axes.set_ylabel(f"{METRIC}, 95 % over test images")
    axes.set_title(data)
    axes.grid(axis="y")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=7)


def _rows(task: str) -> dict[str, Row]:
    """Published rows of whole codes."""
    table = chosen_table(load_task(task), Choice(published=True))
    return {row.system: row for row in table.rows if row.level is None}


if __name__ == "__main__":
    main(sys.argv[1])
