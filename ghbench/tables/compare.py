"""One system against another: the paired difference with its interval over the task's units."""

from __future__ import annotations

from dataclasses import dataclass

from ghbench.errors import MissingError, UsageError
from ghbench.results import files, statistics
from ghbench.results.statistics import Difference
from ghbench.running.selection import extractor_request, load_task
from ghbench.tables.collect import Entry, collect, usual_align


@dataclass(frozen=True, slots=True)
class Comparison:
    """First minus second.

    Args:
        task: Task name.
        metric: Metric compared.
        first: Spec string of the first system.
        second: Spec string of the second system.
        values: Point values of both.
        difference: Their paired difference, 95 % interval and p-value.
        unit: What was resampled.
        higher_is_better: Direction of the metric.
    """

    task: str
    metric: str
    first: str
    second: str
    values: tuple[float, float]
    difference: Difference
    unit: str
    higher_is_better: bool


def compare(first: str, second: str, task: str, metric: str | None = None, align: str | None = None) -> Comparison:
    """Compare two finished results of one task.

    Args:
        first: Spec string of an extractor.
        second: Spec string of another one.
        task: Spec string of the task.
        metric: Metric to compare, by default the one that ranks.
        align: Alignment of both; None: what each declares.

    Returns:
        The paired difference, first minus second.

    Raises:
        MissingError: One of them has not been run.
        UsageError: The results do not hold that metric.
    """
    loaded = load_task(task)
    metric = metric or loaded.main_metric
    entries, _ = collect(loaded.name)
    chosen = [_find(entries, name, loaded.name, align) for name in (first, second)]
    points, draws, unit = [], [], ""
    for entry in chosen:
        records = files.load_records(entry.path, entry.result)
        replicates = statistics.replicates(loaded, records, metrics=[metric])
        unit = loaded.units(records).kind
        try:
            point = entry.result.metric(metric)
            draws.append(replicates[metric, None])
        except KeyError:
            known = sorted({value.metric for value in entry.result.metrics if value.ci and value.level is None})
            raise UsageError(
                f"{entry.path.name} has no metric {metric!r} to compare; it has {', '.join(known) or 'only levels'}"
            ) from None
        points.append(point)
    values = [point.value if point.value is not None else float("nan") for point in points]
    difference = statistics.paired_difference(values[0], values[1], draws[0], draws[1])
    names = [entry.result.extractor.spec_string for entry in chosen]
    return Comparison(
        task=loaded.name,
        metric=metric,
        first=names[0],
        second=names[1],
        values=(values[0], values[1]),
        difference=difference,
        unit=unit,
        higher_is_better=points[0].higher_is_better,
    )


def _find(entries: list[Entry], extractor: str, task: str, align: str | None) -> Entry:
    # Rows of objects are named freely; everything else in its canonical form.
    known = {entry.result.extractor.spec_string for entry in entries}
    wanted = extractor if extractor in known else str(extractor_request(extractor))
    fitting = [
        entry
        for entry in entries
        if entry.result.extractor.spec_string == wanted
        and entry.result.align["name"] == (align or usual_align(entry.result))
    ]
    if fitting:  # as it runs by default; one's own before a published one; the newest of several
        return max(
            fitting, key=lambda entry: (_is_default(entry), not entry.published, entry.result.provenance.created)
        )
    option = f" --align {align}" if align else ""
    raise MissingError(
        f"there is no result of {wanted!r} on {task!r}", fix=f"ghbench run --extractor {wanted} --task {task}{option}"
    )


def _is_default(entry: Entry) -> bool:
    return entry.result.provenance.seed == 0 and entry.result.dtype == "float32"
