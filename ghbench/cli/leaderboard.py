"""`ghbench leaderboard`: published rows and one's own, ranked."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from ghbench.cli.completion import complete_extractors, complete_tasks
from ghbench.cli.first_run import command_for
from ghbench.cli.terminal import complain, print_document

Format = Literal["terminal", "markdown", "csv", "latex", "json", "html"]


def leaderboard(
    task: Annotated[str, typer.Option("--task", "-t", help="Spec string of the task.", autocompletion=complete_tasks)],
    output: Annotated[Format, typer.Option("--format", help="How to print it.")] = "terminal",
    own_only: Annotated[bool, typer.Option("--own", help="Leave published rows out.")] = False,
    published_only: Annotated[bool, typer.Option("--published", help="Leave one's own rows out.")] = False,
    extractor: Annotated[
        list[str] | None,
        typer.Option(
            "--extractor", "-e", help="Only rows that fit, 'ghfeat*'; repeatable.", autocompletion=complete_extractors
        ),
    ] = None,
    columns: Annotated[str | None, typer.Option(help="Columns beside rank and name: accuracy,auc,remarks.")] = None,
    label: Annotated[list[str] | None, typer.Option("--as", help="SPEC=NAME: what a row is called.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As --format json.")] = False,
) -> None:
    """Rank all finished results of a task: 1 + the number of systems that are significantly better.

    Exit code 1 where a result could not be read or believed; the table is made of the others.
    """
    from ghbench.errors import UsageError
    from ghbench.running.request import load_task
    from ghbench.tables import formats, render
    from ghbench.tables.select import Choice, chosen_table

    if as_json and output not in {"terminal", "json"}:
        raise UsageError(f"--json and --format {output} are two formats; give one of them")
    loaded = load_task(task)
    wanted = tuple(name.strip() for name in columns.split(",") if name.strip()) if columns else ()
    table = chosen_table(loaded, Choice(own_only, published_only, extractor or (), label or (), wanted))
    if not table.rows and not table.levels:
        which = " among these" if own_only or published_only else ""
        complain(f"no results of {loaded.name}{which}\nmake some: {command_for(loaded, task)}")
    for line in table.damage:
        complain(line)
    if as_json:
        output = "json"
    if output == "terminal":
        from ghbench.tables.terminal import print_table

        print_table(table)
    else:
        writers = {
            "markdown": render.markdown,
            "csv": render.comma_separated,
            "latex": formats.latex,
            "json": render.as_json,
            "html": formats.html,
        }
        print_document(writers[output](table))
    sys.exit(1 if table.damage else 0)
