"""One system against another: the difference with its interval over the task's units."""

from __future__ import annotations

from dataclasses import dataclass

from ghbench.errors import MissingError, UsageError
from ghbench.results import files, scoring, statistics
from ghbench.results.statistics import Difference
from ghbench.running.request import load_task, subject_request
from ghbench.tables.collect import Entry, align, collect, usual_align
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
    """

    task: str
    metric: str
    first: str
    second: str
    values: tuple[float, float]
    difference: Difference | None
    unit: str | None
    higher_is_better: bool


def compare(
    first: str, second: str, task: str | Task, metric: str | None = None, with_align: str | None = None
) -> Comparison:
    """Compare two finished results of one task.

    Args:
        first: Spec string of a subject.
        second: Spec string of another one.
        task: Spec string of the task, or the task.
        metric: Metric to compare, by default the one that ranks.
        with_align: Alignment of both; None: what each declares.

    Returns:
        The difference, first minus second.

    Raises:
        MissingError: One of them has not been run.
        UsageError: The results do not hold that metric.
    """
    loaded = load_task(task)
    metric = metric or loaded.metrics[0].name
    entries, _ = collect(loaded.name)
    chosen = [_find(entries, name, loaded, with_align) for name in (first, second)]
    values, draws, counts, which = [], [], [], set()
    unit: str | None = None
    for entry in chosen:
        point = scoring.find_value(entry.result.metrics, metric)
        if point is None or point.value is None:
            known = sorted({value.metric for value in entry.result.metrics if value.level is None})
            raise UsageError(
                f"{entry.path.name} has no metric {metric!r} to compare; it has {', '.join(known) or 'only levels'}"
            )
        values.append(point.value)
        records = files.load_records(entry.path, entry.result)
        found = scoring.replicates(loaded, records, metrics=[metric], stream=entry.result.digest)
        if (metric, None) in found:
            draws.append(found[metric, None])
        units = scoring.units_of(loaded, records)
        if units is not None:
            unit = f"{units.count:,} {units.kind}"
            counts.append(units.count)
            which.add(units.digest)
    kind = scoring.declared(loaded, metric)
    difference = None
    if len(draws) == 2:
        if kind.uncertainty == "units":
            if len(which) > 1:
                raise UsageError("the two results are over different units, so they cannot be paired", fix="run both")
            difference = statistics.paired_difference(values[0], values[1], draws[0], draws[1], counts[0])
        else:
            difference = statistics.independent_difference(values[0], values[1], draws[0], draws[1], *counts)
    names = [entry.result.subject.spec_string for entry in chosen]
    return Comparison(
        loaded.name, metric, names[0], names[1], (values[0], values[1]), difference, unit, kind.higher_is_better
    )


def _find(entries: list[Entry], subject: str, task: Task, with_align: str | None) -> Entry:
    # Rows of objects are named freely; everything else in its canonical form.
    known = {entry.result.subject.spec_string for entry in entries}
    name, _, digest = subject.partition(" #")  # as tables tell results of one name apart
    wanted = name if name in known else str(subject_request(name, task))
    fitting = [
        entry
        for entry in entries
        if entry.result.subject.spec_string == wanted
        and entry.result.digest.startswith(digest)
        and align(entry.result) == (with_align or usual_align(entry.result))
    ]
    if fitting:  # as it runs by default; one's own before a published one; the newest of several
        return max(
            fitting, key=lambda entry: (_is_default(entry), not entry.published, entry.result.provenance.created)
        )
    option = f" --align {with_align}" if with_align else ""
    raise MissingError(
        f"there is no result of {wanted!r} on {task.name!r}",
        fix=f"ghbench run --extractor {wanted} --task {task.name}{option}",
    )


def _is_default(entry: Entry) -> bool:
    features = entry.result.features
    return entry.result.provenance.seed == 0 and (features is None or features.dtype == "float32")
