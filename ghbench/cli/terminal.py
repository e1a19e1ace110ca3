"""Terminal output: text without control characters, and progress bars on stderr if it is a terminal.

Names, licences and error messages come from plugins and files. All verbs print them through this module.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import typer

from ghbench.progress import Progress, reporting

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from rich.progress import Task, TaskID


def visible(text: str) -> str:
    r"""Text with control characters escaped, for instance as `\x1b`; line breaks stay.

    Invisible characters are escaped too: direction marks, unusual spaces, lone surrogates.
    """
    return "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode_escape").decode()
        for letter in text
    )


def say(message: object, *, indent: str = "", err: bool = False) -> None:
    """Print a message; later lines are indented by at least two spaces, so that they cannot imitate our own.

    Args:
        message: The message.
        indent: Prefix of all lines.
        err: Print to stderr instead of stdout.
    """
    first, *later = visible(str(message)).split("\n")
    lines = [first, *(line if line.startswith("  ") else f"  {line}" for line in later)]
    typer.echo("\n".join((indent + line).rstrip() for line in lines), err=err)


def complain(message: object) -> None:
    """Print a message to stderr, after `ghbench: `."""
    say(f"ghbench: {message}", err=True)


def print_document(text: str) -> None:
    """Print a text for other programs to stdout, with its own line breaks."""
    typer.echo(visible(text), nl=False)


def print_json(content: object) -> None:
    """Print JSON to stdout."""
    print_document(json.dumps(content, indent=1) + "\n")


def print_record(record: DataclassInstance) -> None:
    """Print a dataclass as JSON to stdout; arrays become lists, and NaN, which JSON does not know, null."""
    text = json.dumps(asdict(record), default=lambda values: values.tolist())
    print_json(json.loads(text, parse_constant=lambda _: None))


def print_csv(head: Sequence[str], rows: Sequence[Sequence[str | float]]) -> None:
    """Print CSV to stdout; text that a spreadsheet would take for a formula is preceded by an apostrophe."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    for row in (head, *rows):
        writer.writerow(
            [f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@")) else cell for cell in row]
        )
    print_document(content.getvalue())


def print_columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns to stdout, one line per row, so that other programs can read them."""
    table = [tuple(_one_line(cell) for cell in row) for row in ([name.upper() for name in head], *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@dataclass(frozen=True, slots=True)
class Watch:
    """Callbacks for progress.

    Args:
        images: Called with (images done, total images, label).
        pair: Called with a line about the current pair.
    """

    images: Progress
    pair: Callable[[str], None]


@contextmanager
def progress_bars() -> Iterator[Watch]:
    """Show progress on stderr while the block runs: downloads in bytes, all else in images, with speed and time left.

    Downloads report by themselves. Where stderr is no terminal, long work prints a line a minute. What will take more
    than a minute says so once a batch has been timed.

    Yields:
        Callbacks for images and pairs.
    """
    from ghbench.cli.pace import Pace

    if not sys.stderr.isatty():
        pace = Pace(lambda line: say(_one_line(line), err=True), lines=True)
        with reporting(lambda done, total, label: pace.report(done, total, label, "bytes")):
            yield Watch(lambda done, total, label: pace.report(done, total, label, "images"), lambda _line: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from ghbench.cli.bars import Bars

    # Labels are names of plugins and files, not markup.
    label, amount = (TextColumn(f"{{task.{name}}}", markup=False) for name in ("description", "fields[amount]"))
    columns = label, BarColumn(16), TaskProgressColumn(), amount, TimeRemainingColumn()
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        pace = Pace(lambda line: bars.console.print(_one_line(line), markup=False), lines=False)

        def draw(done: int, total: int | None, label: str, unit: str) -> None:
            pace.report(done, total, label, unit)
            if label not in tasks:
                tasks[label] = bars.add_task(_one_line(label), total=total, amount="")
            bars.update(tasks[label], completed=done, total=total)
            found = next(task for task in bars.tasks if task.id == tasks[label])
            bars.update(tasks[label], amount=_amount(found, unit))
            if total is not None and done >= total:
                bars.remove_task(tasks.pop(label))

        with reporting(lambda done, total, label: draw(done, total, label, "bytes")):
            yield Watch(
                lambda done, total, label: draw(done, total, label, "images"), lambda line: bars.head(_one_line(line))
            )


def _one_line(text: str) -> str:
    return visible(text).replace("\n", "\\n")


def _amount(task: Task, unit: str) -> str:
    """Progress and speed: `12.3/37.6 MB, 8.1 MB/s` or `128/400, 42 images/s`."""
    total = "?" if task.total is None else f"{task.total / 1e6:.1f}" if unit == "bytes" else f"{task.total:.0f}"
    if unit == "bytes":
        speed = "" if task.speed is None else f", {task.speed / 1e6:.1f} MB/s"
        return f"{task.completed / 1e6:.1f}/{total} MB{speed}"
    return f"{task.completed:.0f}/{total}" + ("" if task.speed is None else f", {task.speed:,.0f} images/s")
