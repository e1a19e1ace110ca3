"""`ghbench leaderboard`: published rows and one's own, ranked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from ghbench.cli.completion import complete_extractors, complete_tasks
from ghbench.cli.first_run import command_for
from ghbench.cli.terminal import complain, print_columns, print_document, print_json, say

if TYPE_CHECKING:
    from ghbench.tables.select import Choice

_LONGEST = 40  # letters of a name in the overview
Format = Literal["terminal", "markdown", "csv", "latex", "json", "html"]


app = typer.Typer(invoke_without_command=True)


@app.callback()
def leaderboard(
    context: typer.Context,
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task", "-t", help="Spec string; without one all tasks; repeatable.", autocompletion=complete_tasks
        ),
    ] = None,
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

    Without a task: the best of every task that has results, and each system's rank where it was run.

    Exit code 1 where a result could not be read or believed; the table is made of the others.
    """
    from ghbench.errors import UsageError
    from ghbench.tables.select import Choice

    if context.invoked_subcommand is not None:
        if task or own_only or published_only or extractor or columns or label or as_json or output != "terminal":
            verb = context.invoked_subcommand
            raise UsageError(f"options stand after {verb}", fix=f"ghbench leaderboard {verb} --help")
        return
    if as_json and output not in {"terminal", "json"}:
        raise UsageError(f"--json and --format {output} are two formats; give one of them")
    if not task:
        if columns or label or output not in {"terminal", "json"}:
            raise UsageError("without a task there are no columns, names or other formats", fix="--task NAME")
        _print_overview(Choice(own_only, published_only, extractor or ()), as_json=as_json or output == "json")
    if len(task) > 1 and (columns or as_json or output != "terminal"):
        raise UsageError("columns and formats are of one task", fix="--task NAME, once")
    wanted = tuple(name.strip() for name in columns.split(",") if name.strip()) if columns else ()
    choice = Choice(own_only, published_only, extractor or (), label or (), wanted)
    damaged = [_print_one(one, choice, "json" if as_json else output) for one in task]
    sys.exit(int(any(damaged)))


def _print_one(task: str, choice: Choice, output: Format) -> bool:
    """Print a task's table; whether a result of it could not be read or believed."""
    from ghbench.running.request import load_task
    from ghbench.tables import formats, render
    from ghbench.tables.overview import tasks_with_results
    from ghbench.tables.select import chosen_table

    loaded = load_task(task)
    table = chosen_table(loaded, choice)
    empty = not table.rows and not table.levels
    if empty:
        which = " among these" if choice.own or choice.published else ""
        complain(f"no results of {loaded.name}{which}\n  fix: {command_for(loaded, task)}")
        kind = loaded.name.partition(":")[0]
        if others := [name for name in sorted(tasks_with_results(choice)[0]) if name.partition(":")[0] == kind]:
            complain(f"there are results of {', '.join(others)}")
    for line in table.damage:
        complain(line)
    if output == "terminal":
        from ghbench.tables.terminal import print_table

        if not empty:
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
    return bool(table.damage)


@app.command("build")
def build(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder: a new one, or that of an earlier site.")],
    own_only: Annotated[bool, typer.Option("--own", help="Leave published rows out.")] = False,
    published_only: Annotated[bool, typer.Option("--published", help="Leave one's own rows out.")] = False,
) -> None:
    """Write all leaderboards as a static site: no server, no network; opens from a file.

    ghbench leaderboard build --out site
    """
    from ghbench.site import build_site
    from ghbench.tables.select import Choice

    say(str(build_site(out, Choice(own_only, published_only))))


def _print_overview(choice: Choice, *, as_json: bool) -> NoReturn:
    from ghbench.tables.overview import overview

    found = overview(choice)
    head = ["task", "metric", "systems", "best", "value", "first"]
    ranked = found.ranked()
    if as_json:
        best = [dict(zip(head, row, strict=True)) for row in found.best()]
        ranks = {row[0]: dict(zip([table.task for table in ranked], row[1:], strict=True)) for row in found.ranks()}
        print_json({"tasks": best, "ranks": ranks, "notes": list(found.notes)})
        sys.exit(int(found.damaged))
    for note in found.notes:
        complain(note)
    if not found.tables:
        complain("no results\n  fix: ghbench run --extractor pixels --task orl")
        sys.exit(0)
    print_columns(head, _shortened(found.best(), 3))
    several = [row for row in found.ranks() if len(row) - row.count("-") > 2]
    if several:
        say("")
        numbers = [f"({number})" for number in range(1, len(ranked) + 1)]
        print_columns(["rank of", *numbers], _shortened(several, 0))
        say("; ".join(f"({number}) {table.task}" for number, table in enumerate(ranked, 1)))
        say("Ranks are 1 + the number of systems that are significantly better, of so many; -: not run. Systems of one")
        say("task are not shown. One table: ghbench leaderboard --task NAME")
    sys.exit(int(found.damaged))


def _shortened(rows: list[list[str]], column: int) -> list[list[str]]:
    """Rows with the names in a column at a length that a terminal has room for."""
    from ghbench.tables.names import short_names

    names = short_names([row[column] for row in rows], _LONGEST)
    return [[*row[:column], name, *row[column + 1 :]] for row, name in zip(rows, names, strict=True)]
