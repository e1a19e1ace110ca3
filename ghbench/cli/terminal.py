"""What the terminal shows: plain columns on stdout, bars on stderr that are silent where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from ghbench.assets.progress import Progress, silent


def print_columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns on stdout, no decoration, so that other programs can read them."""
    table = [tuple(name.upper() for name in head), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@contextmanager
def bar(unit: str = "images") -> Iterator[Progress]:
    """A progress bar on stderr with speed and time left; nothing at all where stderr is not a terminal.

    Yields:
        A callback (done, total, label); a new label starts a new bar.
    """
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    with RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as display:
        tasks: dict[str, int] = {}

        def show(done: int, total: int | None, label: str) -> None:
            if label not in tasks:
                tasks[label] = display.add_task(label, total=total, speed="")
            speed = display.tasks[-1].speed
            told = "" if speed is None else f"{speed:,.1f} {unit}/s"
            display.update(tasks[label], completed=done, total=total, speed=told)  # type: ignore[arg-type]

        yield show
