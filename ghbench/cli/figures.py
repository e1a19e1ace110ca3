"""`ghbench figures`: plots of a task's table, values by level, and ROC curves."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ghbench.cli.completion import complete_extractors, complete_tasks

if TYPE_CHECKING:
    from pandas import DataFrame

    from ghbench.figures import IntervalRow, LevelCurve, RocCurve
    from ghbench.tables import Row, Table
    from ghbench.task import Task

    Records = list[tuple[Row, DataFrame]]

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
    force: Annotated[bool, typer.Option("--force", help="Replace files that ghbench did not make.")] = False,
) -> None:
    """Draw a task's ranked table with intervals, curves over levels, and what its records show; print the files' paths.

    Records of pairs give ROC curves, those of landmarks cumulative errors, those of classes a confusion matrix, and
    those of interventions the profiles of all rows.
    """
    from ghbench.cli.terminal import complain, say
    from ghbench.figures import interval_figure, level_figure, save_figure
    from ghbench.figures.style import check_figure
    from ghbench.results.files import slug
    from ghbench.running.request import load_task
    from ghbench.tables.select import Choice, chosen_table

    task_loaded = load_task(task)
    name = task_loaded.name

    drawings = 0

    def save(drawn: Any, what: str) -> None:
        nonlocal drawings
        drawings += 1
        path = out / f"{slug(name)}-{what}.{kind}"
        check_figure(path, force=force)
        say(str(save_figure(drawn, path)))

    table = chosen_table(task_loaded, Choice(own_only, published_only, extractor or (), label or ()))
    for note in table.notes:
        complain(note)
    table, full = _short_labels(table)
    for short, long in full.items():
        complain(f"{short}: {long}")
    curves_of = _level_curves(table)
    rows = [interval for row in table.rows if (interval := _interval(row, table)) is not None]
    if rows or not table.rows:
        drawn = interval_figure(
            rows,
            table.main.name,
            f"{table.task}: by {table.main.name}",
            table.unit or "",
            higher_is_better=table.main.higher_is_better,
        )
        save(drawn, "intervals")
    values = {row.system: row.metric(table.main.name) for row in _unsupervised_rows(table)}
    beside = [(name, value.value) for name, value in values.items() if value is not None and value.value is not None]
    for curve in curves_of.values():
        title = f"{table.task}: {table.main.name} by level"
        drawn = level_figure(curve, beside[:_MOST_CURVES], table.main.name, title, table.unit or "")
        save(drawn, f"levels-{slug(curve.name)}")
    for what, drawn in _of_records(table, task_loaded).items():
        save(drawn, what)
    if not drawings:
        complain(f"{name}: nothing to draw, no row has an interval, levels one by one, or records that are drawn")
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
            curves[entry.path] = LevelCurve(re.sub(r" @ \S+", "", row.system, count=1), tuple(points))
    return curves


def _of_records(table: Table, task: Task) -> dict[str, Any]:
    """Figures of the records of the best rows and of the best row to beat: more than a few cannot be told apart."""
    from ghbench.figures import CedCurve, ced_figure, roc_figure
    from ghbench.results import files
    from ghbench.task import LEVEL

    untrained = [row for row in table.rows if row.standing == "floor"][:1]
    others = [row for row in table.rows if row.standing != "floor"][: _MOST_CURVES - len(untrained)]
    loaded = [(row, files.load_records(row.entry.path, row.entry.result)) for row in [*others, *untrained]]
    records = [(row, found) for row, found in loaded if LEVEL not in found.columns]
    columns = set.intersection(*(set(found.columns) for _, found in records)) if records else set()
    if {"similarity", "same", "draws"} <= columns:
        curves = _roc_curves(records)
        return {"roc": roc_figure(curves, f"{table.task}: ROC")} if curves else {}
    if "error" in columns and "metric" not in columns:  # where there is one, an error is that of a set's number
        errors = [
            CedCurve(row.system, found["error"].to_numpy("float64"), row.standing == "floor") for row, found in records
        ]
        return {"ced": ced_figure(errors, f"{table.task}: cumulative errors")}
    if {"row", "picture", "other", "distance"} <= columns:
        return {"profiles": _profiles(table)}
    matrix = _confusion(records, task)
    return {} if matrix is None else {"confusion": matrix}


def _profiles(table: Table) -> Any:
    """What each row sees of what was drawn anew, a heat map of all rows; those whose first shares are largest first."""
    import numpy as np

    from ghbench.figures.heatmap import HeatMap, heatmap_figure

    shares = [metric.name for metric in table.metrics if metric.unit == table.metrics[-1].unit]
    found = [[row.metric(name) for name in shares] for row in table.rows]
    values = np.array([[np.nan if one is None or one.value is None else one.value for one in row] for row in found])
    centre = np.nansum(values * np.arange(len(shares)), axis=1) / np.nansum(values, axis=1)
    order = np.argsort(centre, kind="stable")
    systems = [table.rows[place].system for place in order]
    return heatmap_figure([HeatMap(table.task, values[order])], ("", systems), ("drawn anew", shares))


def _confusion(records: Records, task: Task) -> Any:
    """Confusion matrix of the best row, None for a task without classes or with too many."""
    from ghbench.cli.terminal import complain
    from ghbench.dataset import labels
    from ghbench.errors import MissingError
    from ghbench.figures.confusion import MOST_CLASSES, confusion_figure

    for row, found in records:
        column = next((name for name in ("predicted", "k5") if name in found.columns), None)
        if column is None or "class" not in found.columns:
            return None
        truth, answers = (found[name].to_numpy("int64") for name in ("class", column))
        try:
            names = labels(next(iter(task.roles().values())).dataset).names
        except MissingError as error:
            complain(f"classes by their numbers: {error.message}")
            names = tuple(map(str, range(int(max(truth.max(), answers.max())) + 1)))
        if len(names) > MOST_CLASSES:
            return None
        return confusion_figure(truth, answers, names, f"{task.name}: {row.system}")
    return None


def _roc_curves(all_records: Records) -> list[RocCurve]:
    from ghbench.figures import roc_curve
    from ghbench.metrics.verification import impostor_couples

    curves = []
    for row, records in all_records:
        if records["similarity"].isna().any():  # policies that learn on folds have a similarity for each draw
            continue
        similarity, draws = (records[column].to_numpy(dtype="float64") for column in ("similarity", "draws"))
        same = records["same"].to_numpy(dtype="bool")
        left, right = (records[f"{side}_person"].to_numpy() for side in ("left", "right"))
        couples = impostor_couples(left, right, same)
        floor = row.standing == "floor"
        curves.append(roc_curve(row.system, similarity, same, draws, couples=couples, floor=floor))
    return curves
