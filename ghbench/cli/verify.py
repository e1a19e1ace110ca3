"""`ghbench verify`: score the records of finished results again and compare with what their files say."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def verify(
    task: Annotated[str, typer.Option("--task", "-t", help="Spec string of the task.")],
    published: Annotated[bool, typer.Option("--published/--own", help="Which results.")] = True,
) -> None:
    """Check that every number of every result follows from its records."""
    from ghbench.leaderboard import collect, published_folder
    from ghbench.leaderboard.rescore import differences
    from ghbench.selection import load_task

    name = load_task(task).name
    entries, notes = collect(name, published_folder() if published else None, published=False)
    bad = len(notes)
    for note in notes:
        typer.echo(f"differs  {note}")
    for entry in entries:
        found = differences(entry)
        bad += bool(found)
        typer.echo(f"{'differs' if found else 'agrees '}  {entry.path.name}")
        for line in found:
            typer.echo(f"         {line}")
    sys.exit(1 if bad else 0)
