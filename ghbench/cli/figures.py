"""`ghbench figures`: plots of a task's table, values by level, and ROC curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ghbench.figures import IntervalRow, LevelCurve, RocCurve
    from ghbench.tables import Row, Table

_MOST_CURVES = 8


def figures(
    task: Annotated[str, typer.Option("--task", "-t", help="Spec string of the task.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")],
    kind: Annotated[Literal["png", "svg"], typer.Option("--format", help="File format.")] = "png",
    published_only: Annotated[bool, typer.Option("--published", help="Leave out your own rows.")] = False,
) -> None:
    """Draw a task's ranked table with intervals, curves over levels and ROC curves, and print the files' paths."""
    from ghbench.cli.terminal import complain, say
    from ghbench.figures import interval_figure, level_figure, roc_figure, save_figure
    from ghbench.results.files import slug
    from ghbench.running.selection import load_task
    from ghbench.tables import collect, published_folder, rank_table

    name = load_task(task).name
    own = published_folder() if published_only else None
    entries, notes = collect(name, own, published=not published_only)
    table = rank_table(name, entries, notes)
    for note in table.notes:
        complain(note)
    curves_of = _level_curves(table)
    # Levels with a figure of their own are left out, unless there are no other rows.
    single = [row for row in table.rows if row.level is None or row.entry.path not in curves_of]
    rows = [interval for row in single or table.rows if (interval := _interval(row)) is not None]
    drawn = interval_figure(
        rows,
        table.main_metric,
        f"{table.task}: ranked by {table.main_metric}",
        _unit(table),
        higher_is_better=_higher_is_better(table),
    )
    say(str(save_figure(drawn, out / f"{slug(name)}-intervals.{kind}")))
    beside = [
        (row.system, row.metrics[0].value) for row in _unsupervised_rows(table) if row.metrics[0].value is not None
    ]
    for curve in curves_of.values():
        title = f"{table.task}: {table.main_metric} by level"
        drawn = level_figure(curve, beside[:_MOST_CURVES], table.main_metric, title, _unit(table))
        say(str(save_figure(drawn, out / f"{slug(name)}-levels-{slug(curve.name)}.{kind}")))
    curves = _curves(table)
    if curves:
        drawn = roc_figure(curves, f"{table.task}: ROC")
        say(str(save_figure(drawn, out / f"{slug(name)}-roc.{kind}")))


def _interval(row: Row) -> IntervalRow | None:
    from ghbench.figures import IntervalRow

    main = row.metrics[0]
    if main.value is None or main.ci is None:
        return None
    return IntervalRow(row.rank, row.system, main.value, *main.ci, row.standing)


def _unsupervised_rows(table: Table) -> list[Row]:
    """Rows trained without labels or codes, and the best untrained row: what a level has to beat."""
    plain = [
        row for row in table.rows if row.entry.result.extractor.training.get("supervision") in {"none", "unsupervised"}
    ]
    untrained = [row for row in plain if row.standing == "untrained"]
    return [row for row in plain if row.level is None and row not in untrained[1:]]


def _level_curves(table: Table) -> dict[Path, LevelCurve]:
    """Curves of results that were evaluated level by level, by the result's file."""
    from ghbench.figures import LevelCurve, LevelPoint
    from ghbench.figures.levels import FEWEST

    curves: dict[Path, LevelCurve] = {}
    for row in table.rows:
        entry = row.entry
        if row.level is None or entry.path in curves:
            continue
        found = [metric for metric in entry.result.metrics if metric.metric == table.main_metric]
        points = [
            LevelPoint(one.level, one.value, *one.ci)
            for one in found
            if one.level is not None and one.value is not None and one.ci is not None
        ]
        if len(points) >= FEWEST:
            curves[entry.path] = LevelCurve(row.system.rpartition(" @ ")[0] or row.system, tuple(points))
    return curves


def _curves(table: Table) -> list[RocCurve]:
    """Curves of the best rows and of the best untrained one: more than a few are unreadable."""
    from ghbench.figures import roc_curve
    from ghbench.results import files

    untrained = [row for row in table.rows if row.standing == "untrained"][:1]
    others = [row for row in table.rows if row.standing != "untrained"][: _MOST_CURVES - len(untrained)]
    curves = []
    for row in [*others, *untrained]:
        records = files.load_records(row.entry.path, row.entry.result)
        if not {"similarity", "same", "draws"} <= set(records.columns):
            return []
        if row.level is not None:
            records = records[records["level"] == row.level]
        if records["similarity"].isna().any():  # policies trained on folds have a similarity per draw
            continue
        similarity, draws = (records[column].to_numpy(dtype="float64") for column in ("similarity", "draws"))
        same = records["same"].to_numpy(dtype="bool")
        curves.append(roc_curve(row.system, similarity, same, draws, untrained=row.standing == "untrained"))
    return curves


def _unit(table: Table) -> str:
    counts = table.rows[0].entry.result.counts if table.rows else None
    return "" if counts is None else f"{counts.units} {counts.unit}"


def _higher_is_better(table: Table) -> bool:
    return table.rows[0].metrics[0].higher_is_better if table.rows else True
