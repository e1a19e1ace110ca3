"""A ranked table in the terminal."""

from __future__ import annotations

import sys

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from ghbench.leaderboard.render import cell, columns, explanation, find, remark
from ghbench.leaderboard.table import Table

_PIPE_WIDTH = 200


def print_table(table: Table) -> None:
    """Print a table on stdout, with the sentences that explain it; wide enough for everything where no one looks."""
    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH, no_color=True)
    names = columns(table)
    shown = RichTable(title=f"{table.task}: ranked by {table.main_metric}", box=box.SIMPLE_HEAD, title_justify="left")
    shown.add_column("rank", justify="right")
    shown.add_column("extractor", overflow="fold")
    for name in names:
        shown.add_column(name, no_wrap=name == table.main_metric)
    shown.add_column("images/s", justify="right")
    shown.add_column("remarks", overflow="fold")
    for row in table.rows:
        timing = row.entry.result.timing
        speed = f"{timing.images_per_second:,.0f}" if timing and timing.images_per_second else "-"
        values = [cell(find(row, name)) for name in names]
        mark = " (published)" if row.entry.published else ""
        shown.add_row(*map(escape, [str(row.rank), row.system + mark, *values, speed, remark(row)]))
    console.print(shown)
    for line in explanation(table):
        console.print(escape(line), highlight=False)
