"""A suite's matrix in the terminal, with the reasons of blank cells below."""

from __future__ import annotations

import sys

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ghbench.results.display import cell as value_text
from ghbench.results.display import one_line
from ghbench.results.schema import MetricValue
from ghbench.suites.matrix import Cell, Matrix

_PIPE_WIDTH = 200


def print_matrix(matrix: Matrix) -> None:
    """Print a matrix on stdout."""
    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH, no_color=True, force_terminal=False)
    notes: dict[str, int] = {}
    shown = Table(box=box.SIMPLE_HEAD)
    shown.add_column("extractor", overflow="fold")
    for task, metric in matrix.columns.items():
        shown.add_column(escape(one_line(f"{task}\n{metric}")), overflow="fold")
    if matrix.aggregate is not None:
        shown.add_column(matrix.aggregate)
    for row, cells in matrix.rows.items():
        texts = [_text(cell, notes) for cell in cells.values()]
        texts += [_text(matrix.aggregates[row], notes)] if matrix.aggregate is not None else []
        shown.add_row(*(escape(one_line(text)) for text in (row, *texts)))
    console.print(f"suite {matrix.suite}, version {matrix.version}, digest {matrix.digest[:8]}", highlight=False)
    console.print(shown)
    lines = [f"({number}) {one_line(reason)}" for reason, number in notes.items()]
    for line in [*lines, "Each column: the task's first metric with its 95 % interval."]:
        console.print(escape(line), highlight=False, soft_wrap=True)


def _text(cell: Cell, notes: dict[str, int]) -> str:
    mark = f" ({notes.setdefault(cell.reason, len(notes) + 1)})" if cell.reason else ""
    return value_text(MetricValue(metric="", value=cell.value, interval=cell.interval)) + mark
