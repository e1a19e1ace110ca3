"""Ranking: rank = 1 + number of systems that are significantly better, Holm-corrected over the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.errors import DataError, UsageError
from ghbench.results import files, statistics
from ghbench.results.schema import MetricValue, Result
from ghbench.running.selection import load_task
from ghbench.spec_string import parse
from ghbench.tables.collect import Entry, entries_of, is_untrained, usual_align, with_references
from ghbench.task import Task

Standing = Literal["better", "same", "worse", "untrained"]


@dataclass(frozen=True, slots=True)
class Row:
    """One system in a table.

    Args:
        rank: 1 + number of systems that are significantly better.
        system: Spec string, with the level under the policy `each`.
        entry: The result that it comes from.
        level: Level under the policy `each`, else None.
        metrics: Metrics of the row, the main one first.
        standing: Against the best of the task's untrained references: significantly better or worse, `same` where noise
            cannot tell, `untrained` for the references themselves, None where there are none.
    """

    rank: int
    system: str
    entry: Entry
    level: str | None
    metrics: tuple[MetricValue, ...]
    standing: Standing | None


@dataclass(frozen=True, slots=True)
class Table:
    """Ranked rows of one task, best first, and what a reader must know."""

    task: str
    main_metric: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def rank_table(task: str | Task, entries: Sequence[Entry], notes: Sequence[str] = (), seed: int = 0) -> Table:
    """Rank results by their task's main metric.

    Every system is scored on the same bootstrap draws, so differences are paired.

    Args:
        task: The task of all entries.
        entries: Results of the same protocol on the same images.
        notes: Notes to keep with the table.
        seed: Seed of the bootstrap draws.
    """
    task = load_task(task)
    systems: list[_System] = []
    notes = list(notes)
    once: dict[str, Entry] = {}
    for entry in entries:
        once.setdefault(entry.result.digest, entry)
    for entry in once.values():
        try:
            systems += _systems(task, entry, seed)
        except DataError as error:
            notes.append(f"{entry.result.extractor.spec_string} left out: {error.message}")
    systems = _distinctly_named(systems)
    if not systems:
        return Table(task.name, task.main_metric, (), tuple(notes))
    values = [system.value for system in systems]
    _check_same_draws(systems)
    higher = systems[0].metrics[0].higher_is_better
    better = statistics.significantly_better(values, [system.draws for system in systems], higher_is_better=higher)
    standings = _standings(task, systems, better, higher=higher)
    rows = [
        Row(rank, system.name, system.entry, system.level, system.metrics, standing)
        for rank, system, standing in zip(statistics.ranks(better), systems, standings, strict=True)
    ]
    sign = -1 if higher else 1
    rows.sort(key=lambda row: (row.rank, sign * (row.metrics[0].value or 0.0), row.system))
    return Table(task.name, task.main_metric, tuple(rows), tuple(notes))


def table_of_results(task: str | Task, results: Sequence[Result], own: Path | None = None) -> Table:
    """Rank results that were just made, beside the reference rows that the task names.

    Args:
        task: The task of all results.
        results: Results that lie in the folder `own`.
        own: Folder of one's own results, by default the one in `GHBENCH_HOME`.
    """
    task = load_task(task)
    entries = with_references(task, entries_of(results, own), own)
    notes = []
    if any(entry.result.status == "partial" for entry in entries):
        notes.append("Partial: only the first images were used.")
    present = {entry.result.extractor.spec_string for entry in entries}
    absent = [reference for reference in task.references if reference not in present]
    if absent:
        command = " ".join(["ghbench run", *(f"--extractor {name}" for name in absent), f"--task {task.name}"])
        notes.append(f"Reference rows that are not here: {command}")
    return rank_table(task, entries, notes)


@dataclass(frozen=True, slots=True)
class _System:
    name: str
    entry: Entry
    level: str | None
    metrics: tuple[MetricValue, ...]
    value: float
    draws: NDArray[np.float64]
    units: int


def _systems(task: Task, entry: Entry, seed: int) -> list[_System]:
    records = files.load_records(entry.path, entry.result)
    replicates = statistics.replicates(task, records, metrics=[task.main_metric], seed=seed)
    levels = list(dict.fromkeys(metric.level for metric in entry.result.metrics))
    return [_system(task, entry, level, replicates, records) for level in levels]


def _system(
    task: Task, entry: Entry, level: str | None, replicates: statistics.Replicates, records: pd.DataFrame
) -> _System:
    metrics = [metric for metric in entry.result.metrics if metric.level == level]
    main = next((metric for metric in metrics if metric.metric == task.main_metric), None)
    if main is None or main.value is None:
        raise DataError(f"its records do not define {task.main_metric}")
    others = [metric for metric in metrics if metric is not main]
    return _System(
        name=_system_name(entry, level),
        entry=entry,
        level=level,
        metrics=(main, *others),
        value=main.value,
        draws=replicates[task.main_metric, level],
        units=task.units(records).count,
    )


def _system_name(entry: Entry, level: str | None) -> str:
    extractor, align = entry.result.extractor, entry.result.align["name"]
    name = extractor.spec_string
    if level is not None:
        name = f"{_without_levels(name)} @ {level}"
    options = {"align": align, "seed": entry.result.provenance.seed, "dtype": entry.result.dtype}
    usual = {"align": usual_align(entry.result), "seed": 0, "dtype": "float32"}
    return " ".join([name, *(f"--{key} {value}" for key, value in options.items() if value != usual[key])])


def _without_levels(spec_string: str) -> str:
    try:
        return str(parse(spec_string).without("level", "policy"))
    except UsageError:  # the name of an object need not follow the grammar
        return spec_string


def _distinctly_named(systems: Sequence[_System]) -> list[_System]:
    """Results that differ in what a name does not say, for instance in weights, get their digest into it."""
    often = Counter(system.name for system in systems)
    return [
        system if often[system.name] == 1 else replace(system, name=f"{system.name} #{system.entry.result.digest[:8]}")
        for system in systems
    ]


def _check_same_draws(systems: Sequence[_System]) -> None:
    if len({system.units for system in systems}) > 1:
        raise DataError("the results were computed over different units; their differences cannot be paired")


def _standings(
    task: Task, systems: Sequence[_System], better: NDArray[np.bool_], *, higher: bool
) -> list[Standing | None]:
    """Each row against the best untrained one, which is the hardest of them to beat."""
    references = [index for index, system in enumerate(systems) if is_untrained(task, system.entry)]
    if not references:
        return [None] * len(systems)
    best = (max if higher else min)(references, key=lambda index: systems[index].value)
    return [
        "untrained"
        if index in references
        else "better"
        if better[index, best]
        else "worse"
        if better[best, index]
        else "same"
        for index in range(len(systems))
    ]
