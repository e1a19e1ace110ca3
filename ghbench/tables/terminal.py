"""A ranked table in the terminal: as many metrics as fit, remarks as notes below."""

from __future__ import annotations

import sys

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from ghbench.tables.render import cell, columns, explanation, find, one_line, remark
from ghbench.tables.table import Row, Table

_PIPE_WIDTH = 200


def print_table(table: Table) -> None:
    """Print a table on stdout, with the sentences that explain it; nothing is left out where no terminal narrows it."""
    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH, no_color=True, force_terminal=False)
    names = columns(table)
    notes: dict[str, int] = {}
    shown = _drawn(table, names, notes)
    hidden: list[str] = []
    while len(names) > 1 and _width(console, shown) > console.width:
        hidden.insert(0, names.pop())
        notes.clear()
        shown = _drawn(table, names, notes)
    # Not the table's own title, which would be broken at the table's width.
    console.print(escape(one_line(f"{table.task}: ranked by {table.main_metric}")), highlight=False, soft_wrap=True)
    console.print(shown)
    for text, number in notes.items():
        console.print(f"({number}) {escape(text)}", highlight=False)
    for line in explanation(table):
        console.print(escape(one_line(line)), highlight=False)
    if hidden:
        console.print(
            f"Not shown here: {escape(', '.join(hidden))}; a wider terminal or --format has them.", highlight=False
        )


def _width(console: Console, shown: RichTable) -> int:
    """Columns that the table would take if there were enough of them."""
    return console.measure(shown, options=console.options.update(max_width=10_000)).maximum


def _drawn(table: Table, names: list[str], notes: dict[str, int]) -> RichTable:
    shown = RichTable(box=box.SIMPLE_HEAD)
    shown.add_column("rank", justify="right")
    shown.add_column("extractor", overflow="fold", no_wrap=True)
    for name in names:
        shown.add_column(escape(one_line(name)), no_wrap=True)
    shown.add_column("images/s", justify="right", no_wrap=True)
    for row in table.rows:
        values = [cell(find(row, name)) for name in names]
        shown.add_row(*map(escape, [str(row.rank), _marked(row, notes), *values, _speed(row)]))
    return shown


def _marked(row: Row, notes: dict[str, int]) -> str:
    """The system's name, with the numbers of its notes."""
    text = remark(row)
    name = one_line(row.system) + (" (published)" if row.entry.published else "")
    return f"{name} ({notes.setdefault(text, len(notes) + 1)})" if text else name


def _speed(row: Row) -> str:
    timing = row.entry.result.timing
    return f"{timing.images_per_second:,.0f}" if timing and timing.images_per_second else "-"
