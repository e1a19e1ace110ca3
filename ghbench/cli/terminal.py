"""What the terminal shows: text that cannot steer it, and bars on stderr that are silent where nobody watches.

Names, licences and error messages come from plugins and files. All verbs print them through here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from ghbench.progress import Progress, reporting, silent

if TYPE_CHECKING:
    from rich.progress import Task, TaskID


def visible(text: str) -> str:
    r"""Text whose control characters are spelled out, an escape as `\x1b`; line breaks stay.

    What has no shape of its own is spelled out too: marks that turn the direction of reading, odd spaces, lone
    surrogates.
    """
    return "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode_escape").decode()
        for letter in text
    )


def say(message: object, *, indent: str = "", err: bool = False) -> None:
    """Print a message; its later lines are indented by two spaces or more, so that none of them looks like our own.

    Args:
        message: Its text.
        indent: What all lines begin with.
        err: On stderr instead of stdout.
    """
    first, *later = visible(str(message)).split("\n")
    lines = [first, *(line if line.startswith("  ") else f"  {line}" for line in later)]
    typer.echo("\n".join((indent + line).rstrip() for line in lines), err=err)


def complain(message: object) -> None:
    """Print `ghbench: ` and a message on stderr."""
    say(f"ghbench: {message}", err=True)


def print_document(text: str) -> None:
    """Print a finished text for other programs on stdout, with its own line breaks."""
    typer.echo(visible(text), nl=False)


def print_json(content: object) -> None:
    """Print JSON on stdout."""
    print_document(json.dumps(content, indent=1) + "\n")


def print_columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns on stdout, one line a row, no decoration, so that other programs can read them."""
    table = [tuple(_one_line(cell) for cell in row) for row in ([name.upper() for name in head], *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@dataclass(frozen=True, slots=True)
class Watch:
    """Whom to tell how far the work is.

    Args:
        images: Takes (images done, images in all, label).
        pair: Takes a line about the pair that is worked on now.
    """

    images: Progress
    pair: Callable[[str], None]


@contextmanager
def watched() -> Iterator[Watch]:
    """Show progress on stderr while the block runs, with speed and time left: downloads in bytes, the rest in images.

    Downloads report by themselves. Nothing at all is shown where stderr is no terminal.

    Yields:
        Callbacks for images and for pairs.
    """
    if not sys.stderr.isatty():
        yield Watch(silent, lambda _line: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from ghbench.cli.bars import Bars

    # Labels are names of plugins and files: no markup in them.
    label, told = (TextColumn(f"{{task.{name}}}", markup=False) for name in ("description", "fields[told]"))
    columns = label, BarColumn(16), TaskProgressColumn(), told, TimeRemainingColumn()
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def draw(done: int, total: int | None, label: str, unit: str) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(_one_line(label), total=total, told="")
            bars.update(tasks[label], completed=done, total=total)
            found = next(task for task in bars.tasks if task.id == tasks[label])
            bars.update(tasks[label], told=_told(found, unit))
            if total is not None and done >= total:
                bars.remove_task(tasks.pop(label))

        with reporting(lambda done, total, label: draw(done, total, label, "bytes")):
            yield Watch(
                lambda done, total, label: draw(done, total, label, "images"), lambda line: bars.head(_one_line(line))
            )


def _one_line(text: str) -> str:
    return visible(text).replace("\n", "\\n")


def _told(task: Task, unit: str) -> str:
    """How far, and how fast: `12.3/37.6 MB, 8.1 MB/s` or `128/400, 42 images/s`."""
    total = "?" if task.total is None else f"{task.total / 1e6:.1f}" if unit == "bytes" else f"{task.total:.0f}"
    if unit == "bytes":
        speed = "" if task.speed is None else f", {task.speed / 1e6:.1f} MB/s"
        return f"{task.completed / 1e6:.1f}/{total} MB{speed}"
    return f"{task.completed:.0f}/{total}" + ("" if task.speed is None else f", {task.speed:,.0f} images/s")
