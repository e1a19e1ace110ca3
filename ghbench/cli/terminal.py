"""What the terminal shows: plain columns on stdout, bars on stderr that are silent where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from ghbench.assets.progress import Progress, reporting, silent

if TYPE_CHECKING:
    from rich.progress import Task, TaskID


def print_columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns on stdout, no decoration, so that other programs can read them."""
    table = [tuple(name.upper() for name in head), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@contextmanager
def watched() -> Iterator[Progress]:
    """Show progress on stderr while the block runs, with speed and time left: downloads in bytes, the rest in images.

    Downloads report by themselves. Nothing at all is shown where stderr is no terminal.

    Yields:
        A callback for images: (done, total, label).
    """
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    told = TextColumn("{task.fields[told]}", justify="right")
    columns = TextColumn("{task.description}"), BarColumn(16), TaskProgressColumn(), told, TimeRemainingColumn()
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def draw(done: int, total: int | None, label: str, unit: str) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=total, told="")
            bars.update(tasks[label], completed=done, total=total)
            found = next(task for task in bars.tasks if task.id == tasks[label])
            bars.update(tasks[label], told=_told(found, unit))
            if total is not None and done >= total:
                bars.remove_task(tasks.pop(label))

        with reporting(lambda done, total, label: draw(done, total, label, "bytes")):
            yield lambda done, total, label: draw(done, total, label, "images")


def _told(task: Task, unit: str) -> str:
    """How far, and how fast: `12.3/37.6 MB, 8.1 MB/s` or `128/400, 42 images/s`."""
    total = "?" if task.total is None else f"{task.total / 1e6:.1f}" if unit == "bytes" else f"{task.total:.0f}"
    if unit == "bytes":
        speed = "" if task.speed is None else f", {task.speed / 1e6:.1f} MB/s"
        return f"{task.completed / 1e6:.1f}/{total} MB{speed}"
    return f"{task.completed:.0f}/{total}" + ("" if task.speed is None else f", {task.speed:,.0f} images/s")
