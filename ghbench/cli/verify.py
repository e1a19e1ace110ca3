"""`ghbench verify`: score the records of finished results again and compare with what their files say."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghbench.cli.completion import complete_tasks
from ghbench.cli.first_run import command_for
from ghbench.cli.terminal import complain, print_json, say
from ghbench.errors import MissingError

if TYPE_CHECKING:
    from ghbench.task import Task


def verify(
    paths: Annotated[list[Path] | None, typer.Argument(help="Results' JSON files, or folders of them.")] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", "-t", help="Spec string; without one each file's own.", autocompletion=complete_tasks),
    ] = None,
    published: Annotated[bool, typer.Option("--published/--own", help="Which results, without a PATH.")] = True,
    images: Annotated[
        bool, typer.Option("--images", help="Compare this machine's images too; fetches or draws them.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that every number follows from its records, by the task's protocol, and that every result is what it says.

    Exit code 1 where something differs, 3 where there is no result, or one whose task has to be named.

    ghbench verify leaderboards/orl
    """
    from dataclasses import asdict

    from ghbench.running.request import load_task
    from ghbench.tables.verified import results_below
    from ghbench.tables.verified import verify as verify_results

    loaded = None if task is None else load_task(task)
    found = list(verify_results(results_below(paths or _folder(loaded, task, published)), loaded, images=images))
    if not found:
        raise MissingError(f"there are no results in {', '.join(map(str, paths or ()))}", fix="ghbench verify")
    code = 1 if any(one.differences for one in found) else 3 if any(one.skipped for one in found) else 0
    if as_json:
        agree = [not one.differences and one.skipped is None for one in found]
        print_json({"results": [{**asdict(one), "agrees": fine} for one, fine in zip(found, agree, strict=True)]})
        sys.exit(code)
    for one in found:
        say(f"{'differs' if one.differences else 'skipped' if one.skipped else 'agrees '}  {one.file}")
        for line in (*one.differences, *([one.skipped] if one.skipped else ())):
            say(f"         {line}")
    unchecked = [f"{one.file} ({one.unchecked})" for one in found if one.unchecked]
    if unchecked:
        say(f"numbers only, the rest not compared: {'; '.join(unchecked)}")
    if code == 1 and not published:
        complain(
            "what an older ghbench made: `ghbench run` with --overwrite scores it again, from features that are kept"
        )
    sys.exit(code)


def _folder(loaded: Task | None, task: str | None, published: bool) -> list[Path]:
    """The folder of all results, or of those of a task.

    Raises:
        MissingError: There is none in it.
    """
    from ghbench.results import files
    from ghbench.tables import published_folder
    from ghbench.tables.verified import results_below

    whole = published_folder() if published else files.results_folder()
    folder = whole if loaded is None else whole / files.task_folder(loaded.name)
    if folder.is_dir() and results_below([folder]):
        return [folder]
    what = f"{'published' if published else 'own'} result{f' of {loaded.name}' if loaded else ''}"
    # Of what ships with ghbench the user can make nothing; of one's own results, the first.
    own = f"ghbench verify{'' if task is None else f' -t {shlex.quote(task)}'} --own"
    first = "ghbench run --extractor pixels --task orl" if loaded is None else command_for(loaded, task or loaded.name)
    raise MissingError(f"there is no {what} to verify", fix=own if published else first)
