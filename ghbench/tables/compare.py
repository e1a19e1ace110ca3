"""One system against another: the difference with its interval over the task's units."""

from __future__ import annotations

from dataclasses import dataclass

from ghbench.errors import UsageError
from ghbench.results import files, scoring, slow_scores, statistics
from ghbench.results.statistics import Difference
from ghbench.running.request import load_task
from ghbench.tables.collect import Damage, Entry, collect
from ghbench.tables.names import find_system, system_name
from ghbench.tables.table import check_value
from ghbench.task import Task


@dataclass(frozen=True, slots=True)
class Comparison:
    """First minus second.

    Args:
        task: Task name.
        metric: Metric compared.
        first: Spec string of the first system.
        second: Spec string of the second system.
        values: Point values of both.
        difference: Their difference, 95 % interval and p-value; None where the metric states no uncertainty.
        unit: What was resampled, with their number; None where nothing was.
        higher_is_better: Direction of the metric.
        damage: Results of the task that could not be read or believed.
    """

    task: str
    metric: str
    first: str
    second: str
    values: tuple[float, float]
    difference: Difference | None
    unit: str | None
    higher_is_better: bool | None
    damage: tuple[str, ...] = ()


def two_systems(
    first: str, second: str, task: Task, with_align: str | None = None
) -> tuple[list[tuple[Entry, str | None]], list[str]]:
    """The results that two names mean, each with its level, and notes on results that were left out; see `compare`."""
    entries, notes = collect(task.name, version=task.version)
    return [find_system(entries, name, task, with_align) for name in (first, second)], notes


def compare(
    first: str, second: str, task: str | Task, metric: str | None = None, with_align: str | None = None
) -> Comparison:
    """Compare two finished results of one task.

    Args:
        first: Spec string of a subject, or any name that a table prints.
        second: Another one.
        task: Spec string of the task, or the task.
        metric: Metric to compare, by default the one that ranks.
        with_align: Alignment of both; None: what each declares.

    Returns:
        The difference, first minus second.

    Raises:
        MissingError: One of them has not been run.
        UsageError: The results do not hold that metric, or a name can mean several rows.
        DataError: What a file says of the metric does not follow from its records.
    """
    loaded = load_task(task)
    metric = metric or loaded.metrics[0].name
    chosen, notes = two_systems(first, second, loaded, with_align)
    values, draws, counts, which = [], [], [], set()
    unit: str | None = None
    for entry, level in chosen:
        point = scoring.find_value(entry.result.metrics, metric, level)
        if point is None or point.value is None:
            known = sorted({value.metric for value in entry.result.metrics if value.level == level})
            raise UsageError(
                f"{entry.path.name} has no metric {metric!r} to compare; it has {', '.join(known) or 'only levels'}"
            )
        values.append(point.value)
        records = files.load_records(entry.path, entry.result)
        for score in slow_scores.scores(loaded, records, entry.result.records_sha256):
            if (score.metric, score.level) == (metric, level):
                check_value(score.value, point, metric)
        found = scoring.replicates(loaded, records, metrics=[metric], stream=entry.result.digest)
        if (metric, level) in found:
            draws.append(found[metric, level])
        units = scoring.units_of(loaded, records)
        if units is not None and (metric, level) in found:
            counts.append(scoring.units_behind(loaded, records, metric, level))
            unit = f"{min(counts):,} {units.kind}"
            which.add(units.digest)
    kind = scoring.declared(loaded, metric)
    difference = None
    if len(draws) == 2:
        if kind.uncertainty == "units":
            if len(which) > 1:
                raise UsageError("the two results are over different units, so they cannot be paired", fix="run both")
            difference = statistics.paired_difference(values[0], values[1], draws[0], draws[1], min(counts))
        else:
            difference = statistics.independent_difference(values[0], values[1], draws[0], draws[1], *counts)
    names = [system_name(entry.result, level) for entry, level in chosen]
    return Comparison(
        loaded.name,
        metric,
        names[0],
        names[1],
        (values[0], values[1]),
        difference,
        unit,
        kind.higher_is_better,
        tuple(note for note in notes if isinstance(note, Damage)),
    )
