"""A table in the terminal: rank, name and main metric always, the rest as it fits; remarks and long names below."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from ghbench.results.display import cell, one_line
from ghbench.tables.names import short_names
from ghbench.tables.render import LEVELS_TITLE, about, columns, explanation, rank, remark
from ghbench.tables.table import Row, Table

_PIPE_WIDTH = 200
_SHORTEST = 16
_NAME_SHARE = 0.35
"""Of the width, what a name may take before columns give way to it."""
_RIGHT = frozenset({"numbers", "parameters", "images/s", "memory"})
_BESIDE = _RIGHT | {"supervision"}


def print_table(table: Table) -> None:
    """Print a table on stdout, with the sentences that explain it; nothing is left out where no terminal narrows it."""
    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH, no_color=True, force_terminal=False)
    verb = "ranked" if table.unranked is None else "sorted"
    # Not the table's own title, which would be broken at the table's width.
    _say(console, f"{table.task}: {verb} by {table.main.name}", soft_wrap=True)
    notes: dict[str, int] = {}
    hidden = [] if table.levels and not table.rows else _print_rows(console, table, table.rows, notes, ranked=True)
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
    """Print rows with the columns that fit, and return the names of those that do not.

    Long names are shortened first; then columns go, from the right, until only rank, name and main metric stand.
    """
    names = columns(table, rows)
    before, after = table.beside("numbers", "images/s")
    shown = [*before, *names, *(name for name in after if name != "remarks")]  # which are notes below
    kept = list(shown)
    optional = [name for name in ("memory", "images/s", "supervision", "parameters", "numbers") if name in kept]
    can_go: list[str] = [*optional[:1], *reversed(names[1:]), *optional[1:]]
    marks = [_marks(row, table, notes) for row in rows]
    full = [one_line(row.system) for row in rows]
    called = full
    while True:
        drawn = _rich_table(table, rows, kept, called, marks, ranked=ranked)
        spare = console.width - _width(console, drawn)
        if spare >= 0:
            break
        longest = max(map(len, called))
        room = max(longest + spare, _SHORTEST, round(_NAME_SHARE * console.width))
        if called is full and room < longest:
            called = short_names(full, room)
        elif can_go:
            kept.remove(can_go.pop(0))
        elif len(shortest := short_names(full, max(longest + spare, 8))) and shortest != called:
            called = shortest
        else:
            break
    console.print(drawn)
    for short, name in dict(zip(called, full, strict=True)).items():
        if short != name:
            _say(console, f"{short}: {name}", soft_wrap=True)
    return [name for name in shown if name not in kept]


def _width(console: Console, shown: RichTable) -> int:
    """Columns that the table would take if there were enough of them."""
    return console.measure(shown, options=console.options.update(max_width=10_000)).maximum


def _rich_table(
    table: Table, rows: Sequence[Row], kept: Sequence[str], called: Sequence[str], marks: Sequence[str], *, ranked: bool
) -> RichTable:
    shown = RichTable(box=box.SIMPLE_HEAD)
    if ranked:
        shown.add_column("rank", justify="right", no_wrap=True)
    shown.add_column(table.called, overflow="fold", no_wrap=True)
    for name in kept:
        shown.add_column(escape(one_line(name)), justify="right" if name in _RIGHT else "left", no_wrap=True)
    for row, name, marked in zip(rows, called, marks, strict=True):
        values = [about(row, table, one) if one in _BESIDE else cell(row.metric(one)) for one in kept]
        shown.add_row(*map(escape, [*([rank(row)] if ranked else []), f"{name}{marked}", *values]))
    return shown


def _marks(row: Row, table: Table, notes: dict[str, int]) -> str:
    """What stands after a name: whether the row is published, and the number of its note."""
    text = remark(row, table.floor) if table.shows("remarks") else ""
    published = " (published)" if row.entry.published else ""
    return f"{published} ({notes.setdefault(text, len(notes) + 1)})" if text else published
