"""`ghbench verify`: score the records of finished results again and compare with what their files say."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer

from ghbench.cli.first_run import command_for
from ghbench.cli.terminal import say
from ghbench.errors import MissingError


def verify(
    task: Annotated[str, typer.Option("--task", "-t", help="Spec string of the task.")],
    published: Annotated[bool, typer.Option("--published/--own", help="Which results.")] = True,
) -> None:
    """Check that every number of every result follows from its records; exit code 3 where there is no result."""
    from ghbench.running.request import load_task
    from ghbench.tables import collect, published_folder
    from ghbench.tables.rescore import differences

    loaded = load_task(task)
    name = loaded.name
    entries, notes = collect(name, published_folder() if published else None, published=False)
    if not entries and not notes:
        # Of what ships with ghbench the user can make nothing; of one's own results, the first.
        fix = f"ghbench verify -t {shlex.quote(task)} --own" if published else command_for(loaded, task)
        raise MissingError(f"there is no {'published' if published else 'own'} result of {name} to verify", fix=fix)
    bad = len(notes)
    for note in notes:
        say(f"differs  {note}")
    for entry in entries:
        found = differences(entry, loaded)
        bad += bool(found)
        say(f"{'differs' if found else 'agrees '}  {entry.path.name}")
        for line in found:
            say(f"         {line}")
    sys.exit(1 if bad else 0)
