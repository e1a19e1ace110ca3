"""A table in the terminal: as many metrics as fit, remarks as notes below."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from ghbench.tables.render import LEVELS_TITLE, cell, columns, explanation, numbers, one_line, remark
from ghbench.tables.table import Row, Table

_PIPE_WIDTH = 200


def print_table(table: Table) -> None:
    """Print a table on stdout, with the sentences that explain it; nothing is left out where no terminal narrows it."""
    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH, no_color=True, force_terminal=False)
    verb = "ranked" if table.unranked is None else "sorted"
    # Not the table's own title, which would be broken at the table's width.
    _say(console, f"{table.task}: {verb} by {table.main.name}", soft_wrap=True)
    notes: dict[str, int] = {}
    hidden = _print_rows(console, table, table.rows, notes, ranked=True)
    if table.levels:
        _say(console, LEVELS_TITLE)
        hidden = list(dict.fromkeys([*hidden, *_print_rows(console, table, table.levels, notes, ranked=False)]))
    for text, number in notes.items():
        _say(console, f"({number}) {text}")
    for line in explanation(table):
        _say(console, line)
    if hidden:
        _say(console, f"Not shown here: {', '.join(hidden)}; a wider terminal or --format has them.")


def _say(console: Console, text: str, *, soft_wrap: bool = False) -> None:
    console.print(escape(one_line(text)), highlight=False, soft_wrap=soft_wrap)


def _print_rows(
    console: Console, table: Table, rows: Sequence[Row], notes: dict[str, int], *, ranked: bool
) -> list[str]:
    """Print rows with the metrics that fit, and return the names of those that do not."""
    names = columns(table, rows)
    before = dict(notes)
    hidden: list[str] = []
    shown = _rich_table(table, rows, names, notes, ranked=ranked)
    while len(names) > 1 and _width(console, shown) > console.width:
        hidden.insert(0, names.pop())
        notes.clear()
        notes.update(before)
        shown = _rich_table(table, rows, names, notes, ranked=ranked)
    console.print(shown)
    return hidden


def _width(console: Console, shown: RichTable) -> int:
    """Columns that the table would take if there were enough of them."""
    return console.measure(shown, options=console.options.update(max_width=10_000)).maximum


def _rich_table(
    table: Table, rows: Sequence[Row], names: list[str], notes: dict[str, int], *, ranked: bool
) -> RichTable:
    shown = RichTable(box=box.SIMPLE_HEAD)
    if ranked:
        shown.add_column("rank", justify="right")
    shown.add_column("extractor", overflow="fold", no_wrap=True)
    shown.add_column("numbers", justify="right", no_wrap=True)
    for name in names:
        shown.add_column(escape(one_line(name)), no_wrap=True)
    shown.add_column("images/s", justify="right", no_wrap=True)
    for row in rows:
        values = [cell(row.metric(name)) for name in names]
        rank = ["-" if row.rank is None else str(row.rank)] if ranked else []
        shown.add_row(*map(escape, [*rank, _name(row, table, notes), numbers(row), *values, _speed(row)]))
    return shown


def _name(row: Row, table: Table, notes: dict[str, int]) -> str:
    """The system's name, with the number of its note."""
    text = remark(row, table.floor)
    name = one_line(row.system) + (" (published)" if row.entry.published else "")
    return f"{name} ({notes.setdefault(text, len(notes) + 1)})" if text else name


def _speed(row: Row) -> str:
    timing = row.entry.result.timing
    return f"{timing.images_per_second:,.0f}" if timing and timing.images_per_second else "-"
