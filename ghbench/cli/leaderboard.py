"""`ghbench leaderboard`: published rows and one's own, ranked."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ghbench.cli.first_run import command_for
from ghbench.cli.terminal import complain, print_document


def leaderboard(
    task: Annotated[str, typer.Option("--task", "-t", help="Spec string of the task.")],
    output: Annotated[
        Literal["terminal", "markdown", "csv", "json"], typer.Option("--format", help="How to print it.")
    ] = "terminal",
    own_only: Annotated[bool, typer.Option("--own", help="Leave published rows out.")] = False,
    published_only: Annotated[bool, typer.Option("--published", help="Leave one's own rows out.")] = False,
) -> None:
    """Rank all finished results of a task: 1 + the number of systems that are significantly better."""
    from ghbench.errors import UsageError
    from ghbench.running.request import load_task
    from ghbench.tables import collect, published_folder, rank_table, render

    if own_only and published_only:
        raise UsageError("--own and --published leave nothing; give one of them")
    loaded = load_task(task)
    name = loaded.name
    own = published_folder() if published_only else None
    entries, notes = collect(name, own, published=not own_only and not published_only)
    table = rank_table(loaded, entries, notes)
    if not table.rows and not table.levels:
        which = " among these" if own_only or published_only else ""
        complain(f"no results of {name}{which}\nmake some: {command_for(loaded, task)}")
    if output == "terminal":
        from ghbench.tables.terminal import print_table

        print_table(table)
        return
    writers = {"markdown": render.markdown, "csv": render.comma_separated, "json": render.as_json}
    print_document(writers[output](table))
