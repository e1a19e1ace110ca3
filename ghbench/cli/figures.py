"""`ghbench figures`: plots of a task's table, values by level, and ROC curves."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ghbench.cli.completion import complete_extractors, complete_tasks

if TYPE_CHECKING:
    from ghbench.figures import IntervalRow, LevelCurve, RocCurve
    from ghbench.tables import Row, Table

_MOST_CURVES = 8
_LONGEST_LABEL = 36


def figures(
    task: Annotated[str, typer.Option("--task", "-t", help="Spec string of the task.", autocompletion=complete_tasks)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")],
    kind: Annotated[Literal["png", "svg"], typer.Option("--format", help="File format.")] = "png",
    own_only: Annotated[bool, typer.Option("--own", help="Leave published rows out.")] = False,
    published_only: Annotated[bool, typer.Option("--published", help="Leave out your own rows.")] = False,
    extractor: Annotated[
        list[str] | None,
        typer.Option(
            "--extractor", "-e", help="Only rows that fit, 'ghfeat*'; repeatable.", autocompletion=complete_extractors
        ),
    ] = None,
    label: Annotated[list[str] | None, typer.Option("--as", help="SPEC=NAME: what a row is called.")] = None,
) -> None:
    """Draw a task's ranked table with intervals, curves over levels and ROC curves, and print the files' paths."""
    from ghbench.cli.terminal import complain, say
    from ghbench.figures import interval_figure, level_figure, roc_figure, save_figure
    from ghbench.results.files import slug
    from ghbench.running.request import load_task
    from ghbench.tables.select import Choice, chosen_table

    task_loaded = load_task(task)
    name = task_loaded.name
    table = chosen_table(task_loaded, Choice(own_only, published_only, extractor or (), label or ()))
    for note in table.notes:
        complain(note)
    table, full = _short_labels(table)
    for short, long in full.items():
        complain(f"{short}: {long}")
    curves_of = _level_curves(table)
    rows = [interval for row in table.rows if (interval := _interval(row, table)) is not None]
    drawn = interval_figure(
        rows,
        table.main.name,
        f"{table.task}: by {table.main.name}",
        table.unit or "",
        higher_is_better=table.main.higher_is_better,
    )
    say(str(save_figure(drawn, out / f"{slug(name)}-intervals.{kind}")))
    values = {row.system: row.metric(table.main.name) for row in _unsupervised_rows(table)}
    beside = [(name, value.value) for name, value in values.items() if value is not None and value.value is not None]
    for curve in curves_of.values():
        title = f"{table.task}: {table.main.name} by level"
        drawn = level_figure(curve, beside[:_MOST_CURVES], table.main.name, title, table.unit or "")
        say(str(save_figure(drawn, out / f"{slug(name)}-levels-{slug(curve.name)}.{kind}")))
    curves = _curves(table)
    if curves:
        drawn = roc_figure(curves, f"{table.task}: ROC")
        say(str(save_figure(drawn, out / f"{slug(name)}-roc.{kind}")))
    sys.exit(1 if table.damage else 0)


def _short_labels(table: Table) -> tuple[Table, dict[str, str]]:
    """The table with names that a figure has room for, and what each shortened one stands for."""
    from ghbench.results.display import one_line
    from ghbench.tables.names import short_names

    rows = (*table.rows, *table.levels)
    full = [one_line(row.system) for row in rows]
    short = short_names(full, _LONGEST_LABEL)
    renamed = [replace(row, system=name) for row, name in zip(rows, short, strict=True)]
    changed = {name: long for name, long in zip(short, full, strict=True) if name != long}
    kept = len(table.rows)
    return replace(table, rows=tuple(renamed[:kept]), levels=tuple(renamed[kept:])), changed


def _interval(row: Row, table: Table) -> IntervalRow | None:
    from ghbench.figures import IntervalRow

    main = row.metric(table.main.name)
    if main is None or main.value is None or main.interval is None:
        return None
    return IntervalRow(row.rank, row.system, main.value, *main.interval, row.standing)


def _unsupervised_rows(table: Table) -> list[Row]:
    """Rows trained without labels or codes, and the best untrained row: what a level has to beat."""
    plain = [
        row for row in table.rows if row.entry.result.subject.training.get("supervision") in {"none", "unsupervised"}
    ]
    untrained = [row for row in plain if row.standing == "floor"]
    return [row for row in plain if row.level is None and row not in untrained[1:]]


def _level_curves(table: Table) -> dict[Path, LevelCurve]:
    """Curves of results that were evaluated level by level, by the result's file."""
    from ghbench.figures import LevelCurve, LevelPoint
    from ghbench.figures.levels import FEWEST

    curves: dict[Path, LevelCurve] = {}
    for row in table.levels:
        entry = row.entry
        if row.level is None or entry.path in curves:
            continue
        found = [metric for metric in entry.result.metrics if metric.metric == table.main.name]
        points = [
            LevelPoint(one.level, one.value, *one.interval)
            for one in found
            if one.level is not None and one.value is not None and one.interval is not None
        ]
        if len(points) >= FEWEST:
            curves[entry.path] = LevelCurve(row.system.rpartition(" @ ")[0] or row.system, tuple(points))
    return curves


def _curves(table: Table) -> list[RocCurve]:
    """Curves of the best rows and of the best row to beat: more than a few cannot be told apart."""
    from ghbench.figures import roc_curve
    from ghbench.metrics.verification import impostor_couples
    from ghbench.results import files

    untrained = [row for row in table.rows if row.standing == "floor"][:1]
    others = [row for row in table.rows if row.standing != "floor"][: _MOST_CURVES - len(untrained)]
    curves = []
    for row in [*others, *untrained]:
        records = files.load_records(row.entry.path, row.entry.result)
        if not {"similarity", "same", "draws"} <= set(records.columns):
            return []
        if records["similarity"].isna().any():  # policies that learn on folds have a similarity for each draw
            continue
        similarity, draws = (records[column].to_numpy(dtype="float64") for column in ("similarity", "draws"))
        same = records["same"].to_numpy(dtype="bool")
        left, right = (records[f"{side}_person"].to_numpy() for side in ("left", "right"))
        couples = impostor_couples(left, right, same)
        floor = row.standing == "floor"
        curves.append(roc_curve(row.system, similarity, same, draws, couples=couples, floor=floor))
    return curves
