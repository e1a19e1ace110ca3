"""Ranking: one row a system, rank = 1 + number of systems that are significantly better; levels stand apart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError, UsageError, UserError
from ghbench.results import files, scoring, slow_scores, statistics
from ghbench.results.display import cell, one_line
from ghbench.results.schema import MetricValue, Result
from ghbench.running.request import load_task
from ghbench.tables.collect import Damage, Entry, Settings, entries_of, name_of, reference_of, with_references
from ghbench.tables.names import distinct_names, system_name, without_levels
from ghbench.task import Metric, Task

if TYPE_CHECKING:
    import pandas as pd

Standing = Literal["better", "same", "worse", "floor"]
_NAMED_REFERENCES = 4
_SHOWN = 12
_COLUMNS = ("numbers", "parameters", "images/s", "memory", "supervision", "remarks")


@dataclass(frozen=True, slots=True)
class Row:
    """One system in a table.

    Args:
        rank: 1 + number of systems that are significantly better; None where nothing is ranked.
        system: Spec string, with the level under the policy `each`.
        entry: The result that it comes from.
        level: Level under the policy `each`, else None.
        metrics: Metrics of the row.
        standing: Against the best of the task's floor rows: significantly better or worse, `same` where noise cannot
            tell, `floor` for those rows themselves, None where there are none or nothing is ranked.
        what: What the task says of it where it is one of its reference rows.
    """

    rank: int | None
    system: str
    entry: Entry
    level: str | None
    metrics: tuple[MetricValue, ...]
    standing: Standing | None = None
    what: str = ""

    def metric(self, name: str) -> MetricValue | None:
        """The row's metric of that name, None where it has none."""
        return scoring.find_value(self.metrics, name, self.level)

    @property
    def numbers(self) -> int | None:
        """Numbers that the features of one image hold, None for a subject without features."""
        features = self.entry.result.features
        if features is None:
            return None
        dims = dict(zip(features.levels, features.dims, strict=True))
        return sum(dims.values()) if self.level is None else dims.get(self.level)


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """Rows of one task, best first, and what a reader must know.

    Args:
        task: Name of the task.
        metrics: What the task reports, the one that ranks first.
        rows: One a system.
        levels: Single levels, and systems of which another row stands in `rows` with its default levels; not ranked.
        unit: What was resampled, with their number: `40 people`; None where nothing was.
        unranked: Why there are no ranks; None where there are.
        floor: What the best floor row is; None without one.
        notes: Sentences for the reader.
        chosen: Names of the columns asked for beside rank and name; None: all of them.
    """

    task: str
    metrics: tuple[Metric, ...]
    rows: tuple[Row, ...]
    levels: tuple[Row, ...] = ()
    unit: str | None = None
    unranked: str | None = None
    floor: str | None = None
    notes: tuple[str, ...] = ()
    chosen: tuple[str, ...] | None = None
    called: ClassVar[str] = "extractor"

    def __repr__(self) -> str:
        """A few lines; `to_frame()` has all of it."""
        verb = "ranked" if self.unranked is None else "sorted"
        over = f" over {self.unit}" if self.unit else ""
        lines = [f"{self.task}: {len(self.rows)} systems, {verb} by {self.main.name}{over}"]
        for row in self.rows[:_SHOWN]:
            place = "-" if row.rank is None else str(row.rank)
            lines.append(f"  {place:>3} {row.system[:60]}  {cell(row.metric(self.main.name))}")
        if len(self.rows) > _SHOWN:
            lines.append(f"  and {len(self.rows) - _SHOWN} more in .rows or .to_frame()")
        return "\n".join([one_line(lines[0]), *(f"  {one_line(line)}" for line in lines[1:])])

    def _repr_html_(self) -> str:
        """For notebooks."""
        from ghbench.tables import formats

        return formats.html(self)

    def to_frame(self) -> pd.DataFrame:
        """One row a system: rank, name, numbers, each metric with the ends of its interval, digest, remarks."""
        from ghbench.tables import formats

        return formats.frame(self)

    def shows(self, column: str) -> bool:
        """Whether a column was asked for."""
        return self.chosen is None or column in self.chosen

    def beside(self, *usual: str) -> tuple[list[str], list[str]]:
        """Columns before the metrics and behind them: a format's usual ones, or those that were asked for."""
        wanted = usual if self.chosen is None else self.chosen
        before, after = [name for name in wanted if name == "numbers"], [name for name in _COLUMNS if name != "numbers"]
        return before, [name for name in after if name in wanted]

    def with_columns(self, names: Sequence[str]) -> Table:
        """The same table with these columns beside rank and name.

        Raises:
            UsageError: There is no such column.
        """
        known = [*(metric.name for metric in self.metrics), *_COLUMNS]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise UsageError(f"there is no column {', '.join(map(repr, unknown))}; choose from {', '.join(known)}")
        return replace(self, chosen=tuple(names))

    @property
    def main(self) -> Metric:
        """The metric that ranks."""
        return self.metrics[0]

    @property
    def damage(self) -> list[str]:
        """Notes on results that could not be read or believed."""
        return [note for note in self.notes if isinstance(note, Damage)]


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
    notes = list(notes)
    systems: list[_System] = []
    like = Settings.common(entries)
    for entry in {entry.result.digest: entry for entry in reversed(entries)}.values():
        try:
            systems += _systems(task, entry, seed, like)
        except Exception as error:  # noqa: BLE001 - whoever wrote the records chose what the task's code meets in them
            reason = error.message if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            notes.append(Damage(f"{name_of(entry.result)} left out: {reason[:300]} ({entry.path.name})"))
    systems = _distinctly_named(systems)
    ranked, others = _apart(systems)
    others += [system for system in ranked if not math.isfinite(system.value)]
    ranked = [system for system in ranked if math.isfinite(system.value)]
    direction = task.metrics[0].higher_is_better
    sign = 1 if direction is False else -1
    unranked = _reason_not_to_rank(task, ranked)
    better = np.zeros((len(ranked), len(ranked)), dtype=np.bool_)
    if unranked is None:
        better = statistics.significantly_better(
            [system.value for system in ranked],
            [system.draws for system in ranked],
            [system.units for system in ranked],
            higher_is_better=direction is not False,
            paired=task.metrics[0].uncertainty == "units",
        )
    floor = [index for index, system in enumerate(ranked) if system.floor]
    best = min(floor, key=lambda index: sign * ranked[index].value, default=None)
    standings = _standings(len(ranked), floor, best if unranked is None else None, better)
    ranks: Sequence[int | None] = statistics.ranks(better) if unranked is None else [None] * len(ranked)
    rows = [system.row(rank, standing) for system, rank, standing in zip(ranked, ranks, standings, strict=True)]
    values = {row.system: system.value for row, system in zip(rows, ranked, strict=True)}
    rows.sort(key=lambda row: (row.rank or 0, sign * values[row.system], row.system))
    units = {(system.entry.result.counts.units, system.entry.result.counts.unit) for system in ranked
             if system.entry.result.counts is not None and system.entry.result.counts.unit}  # fmt: skip
    return Table(
        task.name,
        task.metrics,
        tuple(rows),
        tuple(system.row(None, None) for system in others),
        " and ".join(f"{count:,} {kind}" for count, kind in sorted(units)) or None,
        unranked,
        None if best is None else ranked[best].what,
        tuple(notes),
    )


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
    present = {name_of(entry.result) for entry in entries}
    absent = [row.name for row in task.references if row.name not in present]
    if absent:
        which = ", ".join(absent) if len(absent) <= _NAMED_REFERENCES else f"{len(absent)} of them"
        notes.append(f"Reference rows not run yet ({which}): add --references")
    return rank_table(task, entries, notes)


@dataclass(frozen=True, slots=True)
class _System:
    name: str
    base: str
    entry: Entry
    level: str | None
    metrics: tuple[MetricValue, ...]
    value: float
    draws: NDArray[np.float64]
    units: int
    units_digest: str | None
    floor: bool
    what: str

    def row(self, rank: int | None, standing: Standing | None) -> Row:
        return Row(rank, self.name, self.entry, self.level, self.metrics, standing, self.what)


def _systems(task: Task, entry: Entry, seed: int, like: Settings) -> list[_System]:
    result, main = entry.result, task.metrics[0]
    _check_bounds(task, result)
    records = files.load_records(entry.path, result)
    fewer: dict[str | None, int | None] = {}
    # Without units the check alone needs scores, and what is listed as published was checked then.
    listed = entry.published and main.uncertainty not in scoring.RESAMPLED
    for score in [] if listed else slow_scores.scores(task, records, result.records_sha256):
        if score.metric == main.name:
            check_value(score.value, scoring.find_value(result.metrics, main.name, score.level), main.name)
            fewer[score.level] = score.units
    draws: scoring.Replicates = {}
    if main.uncertainty in scoring.RESAMPLED:
        draws = scoring.main_draws(task, records, result.records_sha256, seed, result.digest)
    units = scoring.units_of(task, records)
    reference = reference_of(task, entry, like)
    each = result.features is not None and result.features.policy == "each"
    # Under other policies, too, a metric may be about one level: how well the code of that level is predicted.
    levels = dict.fromkeys(value.level for value in result.metrics)
    present = dict(scoring.levels_of(records))
    if each and levels.keys() - present.keys():
        raise DataError("its metrics are of levels that its records do not have")
    found = []
    for level in levels if each else {None: None, **levels}:
        metrics = tuple(value for value in result.metrics if value.level == level)
        value = scoring.find_value(metrics, main.name, level)
        found.append(
            _System(
                name=system_name(result, level),
                base=without_levels(name_of(result)),
                entry=entry,
                level=level,
                metrics=metrics,
                value=float("nan") if value is None or value.value is None else value.value,
                draws=draws.get((main.name, level), np.empty(0)),
                units=0 if units is None else fewer.get(level) or units.count,
                units_digest=None if units is None else units.digest,
                floor=reference is not None and reference.floor,
                what="" if reference is None else reference.what,
            )
        )
    return found


def _check_bounds(task: Task, result: Result) -> None:
    bounds = {metric.name: metric.bounds for metric in task.metrics}
    for value in result.metrics:
        low, high = bounds.get(value.metric) or (None, None)
        least, most = -math.inf if low is None else low, math.inf if high is None else high
        for number in (value.value, *(value.interval or ())):
            if number is not None and not least - 1e-9 <= number <= most + 1e-9:
                raise DataError(f"its {value.metric} of {number:.6g} lies outside {least:g} to {most:g}")


def check_value(now: float, then: MetricValue | None, metric: str) -> None:
    """The number that ranks must follow from the records, whose draws rank it; `verify` checks all the others."""
    recorded = None if then is None else then.value
    if recorded is None if math.isfinite(now) else recorded is not None:
        raise DataError(f"its {metric} and its records disagree on whether there is one")
    if recorded is not None and not math.isclose(now, recorded, rel_tol=1e-6, abs_tol=1e-6):
        raise DataError(f"its {metric} is {recorded:.6g}, but {now:.6g} by its records")


def _apart(systems: Sequence[_System]) -> tuple[list[_System], list[_System]]:
    """Systems that rank, and what stands below: single levels, and other levels or policies of a system that ranks."""
    ranked = [system for system in systems if system.level is None]
    default = {system.base for system in ranked if name_of(system.entry.result) == system.base}
    below = [system for system in ranked if system.base in default and name_of(system.entry.result) != system.base]
    kept = [system for system in ranked if system not in below]
    return kept, [*below, *(system for system in systems if system.level is not None)]


def _reason_not_to_rank(task: Task, systems: Sequence[_System]) -> str | None:
    main = task.metrics[0]
    if main.higher_is_better is None or main.uncertainty not in scoring.RESAMPLED:
        unsure = f"the task states no uncertainty of {main.name} that systems could be compared by"
        return f"neither more nor less of {main.name} is better" if main.higher_is_better is None else unsure
    if not systems:
        return "there are no results"
    digests = Counter(system.units_digest for system in systems)
    if main.uncertainty == "units" and len(digests) > 1:
        (usual, most), (_, next_most) = digests.most_common(2)
        odd = [f"`{system.name}`" for system in systems if system.units_digest != usual] if most > next_most else []
        over = f" ({', '.join(odd)} over others than the rest)" if odd else ""
        return f"the results were computed over different units{over}, so their differences cannot be paired"
    fewest = min(system.units for system in systems)
    if fewest < statistics.FEWEST_UNITS_TO_RANK:
        return f"{fewest} units are too few; at least {statistics.FEWEST_UNITS_TO_RANK} are needed to compare systems"
    fixed = not any(np.nanstd(system.draws) > 0 for system in systems)
    if fixed and all(main.bounds is None or system.value not in main.bounds for system in systems):
        return f"{main.name} does not change with the units that are drawn"
    return None


def _distinctly_named(systems: Sequence[_System]) -> list[_System]:
    names = distinct_names([system.name for system in systems], [system.entry.result.digest for system in systems])
    return [replace(system, name=name) for system, name in zip(systems, names, strict=True)]


def _standings(count: int, floor: Sequence[int], best: int | None, better: NDArray[np.bool_]) -> list[Standing | None]:
    """Each row against the best floor row, which is the hardest of them to beat."""
    standings: list[Standing | None] = [None] * count
    for index in range(count):
        if index in floor:
            standings[index] = "floor"
        elif best is not None:
            standings[index] = "better" if better[index, best] else "worse" if better[best, index] else "same"
    return standings
