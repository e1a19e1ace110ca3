"""`ghbench verify`: score the records of finished results again and compare with what their files say."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer

from ghbench.cli.completion import complete_tasks
from ghbench.cli.first_run import command_for
from ghbench.cli.terminal import print_json, say
from ghbench.errors import MissingError


def verify(
    task: Annotated[str, typer.Option("--task", "-t", help="Spec string of the task.", autocompletion=complete_tasks)],
    published: Annotated[bool, typer.Option("--published/--own", help="Which results.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that every number follows from its records, and that every result is of what it says.

    Exit code 1 where something differs, 3 where there is no result.
    """
    from ghbench.running.request import load_task
    from ghbench.tables import Damage, collect, published_folder
    from ghbench.tables.rescore import check

    loaded = load_task(task)
    name = loaded.name
    entries, notes = collect(name, published_folder() if published else None, published=False, version=loaded.version)
    if not entries and not notes:
        # Of what ships with ghbench the user can make nothing; of one's own results, the first.
        fix = f"ghbench verify -t {shlex.quote(task)} --own" if published else command_for(loaded, task)
        raise MissingError(f"there is no {'published' if published else 'own'} result of {name} to verify", fix=fix)
    checks = [check(entry, loaded) for entry in entries]
    bad = sum(isinstance(note, Damage) for note in notes) + sum(bool(found.differences) for found in checks)
    if as_json:
        rows = [
            {"file": entry.path.name, "subject": entry.result.subject.spec_string, "agrees": not found.differences,
             "differences": list(found.differences), "identity_unchecked": found.unchecked}
            for entry, found in zip(entries, checks, strict=True)
        ]  # fmt: skip
        print_json({"task": name, "results": rows, "notes": list(notes)})
        sys.exit(1 if bad else 0)
    for note in notes:
        say(f"{'differs ' if isinstance(note, Damage) else 'left out'} {note}")
    for entry, found in zip(entries, checks, strict=True):
        say(f"{'differs' if found.differences else 'agrees '}  {entry.path.name}")
        for line in found.differences:
            say(f"         {line}")
    unchecked = [f"{entry.path.name} ({found.unchecked})" for entry, found in zip(entries, checks, strict=True)
                 if found.unchecked]  # fmt: skip
    if unchecked:
        say(f"numbers only, subject not compared with an installed plugin: {'; '.join(unchecked)}")
    sys.exit(1 if bad else 0)
