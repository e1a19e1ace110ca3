"""What the pages show, worked out from tables: rows, whiskers, curves, facts. No HTML is made here."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ghbench.digests import digest_lines
from ghbench.results import files
from ghbench.results.display import cell, short_number
from ghbench.results.schema import MetricValue, Result
from ghbench.tables.collect import name_of
from ghbench.tables.names import usual_name, without_levels
from ghbench.tables.render import about, columns, explanation, mark, numbers, parameters, rank
from ghbench.tables.table import Row, Table

LONGEST = 60
"""Letters of a file's name."""
COST = ("numbers", "parameters", "images/s", "memory")


@dataclass(frozen=True, slots=True)
class Whisker:
    """A value and its interval as shares of the width of a column, from 0 to 100.

    Args:
        low: Start of the interval.
        value: The value.
        high: End of the interval.
    """

    low: float
    value: float
    high: float


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table.

    Args:
        text: What is read.
        key: What it is sorted by; empty for what has no value.
        whisker: How it is drawn, None for no drawing.
    """

    text: str
    key: str = ""
    whisker: Whisker | None = None


@dataclass(frozen=True, slots=True)
class System:
    """What rows of several tasks have in common: equal weights under an equal name.

    Args:
        name: Spec string less levels and policy.
        weights: Digest of its weights.
    """

    name: str
    weights: str

    @property
    def page(self) -> str:
        """Path of its page."""
        return page_of("systems", f"{self.name} {self.weights}", self.name)


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a task's page.

    Args:
        system: Name of the system.
        page: Path of its page.
        result: Path of the result's page.
        cells: Cells after the name.
        standing: `better`, `same`, `worse`, `floor` or empty.
    """

    system: str
    page: str
    result: str
    cells: Sequence[Cell]
    standing: str


@dataclass(frozen=True, slots=True)
class Curve:
    """Values by level as points of a drawing of 100 by 40.

    Args:
        task: Name of the task.
        metric: Name of the metric.
        better: `higher` or `lower`.
        low: The lowest value, as text.
        high: The highest one.
        points: x and y of each level, and what it says.
    """

    task: str
    metric: str
    better: str
    low: str
    high: str
    points: Sequence[tuple[float, float, str]]

    @property
    def line(self) -> str:
        """The points as SVG has them."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in self.points)


def page_of(kind: str, key: str, name: str = "") -> str:
    """Path of the page of a task, a system or a result; two keys never share one.

    Args:
        kind: Folder.
        key: What the page is of.
        name: What its file is called; the key by default.
    """
    return f"{kind}/{files.slug(name or key)[:LONGEST].strip('-') or 'page'}-{digest_lines([key])[:8]}.html"


def result_page(result: Result) -> str:
    """Path of a result's page."""
    return page_of("results", f"{result.task.name} {result.digest}")


def system_of(row: Row) -> System:
    """The system that a row belongs to, whatever its owner calls the row."""
    result = row.entry.result
    return System(usual_name(name_of(result)), result.subject.weights_digest)


def command_of(task: str, result: Result | None = None) -> str:
    """The command that runs a task, on the subject of a result or on one that the reader names."""
    extractor = "NAME" if result is None else without_levels(name_of(result))
    return shlex.join(["ghbench", "run", "--extractor", extractor, "--task", task, "--references"])


def head_of(table: Table) -> list[str]:
    """Names of the columns of a task's page after the system's."""
    return ["rank", *columns(table, (*table.rows, *table.levels)), *COST, "remarks"]


def lines_of(table: Table, rows: Sequence[Row]) -> list[Line]:
    """Rows of a task's page."""
    names = columns(table, (*table.rows, *table.levels))
    found = {name: [row.metric(name) for row in rows] for name in names}
    drawn = _whiskers(found[table.main.name]) if table.main.name in found else [None] * len(rows)
    lines = []
    for place, row in enumerate(rows):
        cells = [Cell(rank(row), rank(row))]
        for name in names:
            metric = found[name][place]
            value = None if metric is None else metric.value
            key = "" if value is None else repr(float(value))
            cells.append(Cell(cell(metric), key, drawn[place] if name == table.main.name else None))
        timing, learned = row.entry.result.timing, row.entry.result.subject.parameters
        speed, memory = (None, None) if timing is None else (timing.images_per_second, timing.encoding_memory_mb)
        cells += [
            Cell(numbers(row), str(row.numbers or "")),
            Cell(parameters(row), "" if learned is None else str(learned)),
            Cell(about(row, table, "images/s"), str(speed or "")),
            Cell(about(row, table, "memory"), str(memory or "")),
            Cell(remarks := mark(row, table), remarks),
        ]
        lines.append(Line(row.system, system_of(row).page, result_page(row.entry.result), cells, row.standing or ""))
    return lines


def curves_of(rows: Iterable[tuple[Table, Row]]) -> list[Curve]:
    """Main metrics by level, of results that were evaluated level by level."""
    found: dict[str, tuple[Table, list[MetricValue]]] = {}
    for table, row in rows:
        value = row.metric(table.main.name)
        if row.level is not None and value is not None and value.value is not None:
            found.setdefault(row.entry.result.digest, (table, []))[1].append(value)
    curves = []
    for table, values in found.values():
        numbers_of = [float(value.value or 0.0) for value in values]
        low, high = min(numbers_of), max(numbers_of)
        if len(values) < 2:
            continue
        reach = (high - low) or 1.0
        points = [
            (100 * place / (len(values) - 1), 36 - 32 * (number - low) / reach, f"{value.level}: {cell(value)}")
            for place, (number, value) in enumerate(zip(numbers_of, values, strict=True))
        ]
        better = {True: "higher", False: "lower", None: "neither"}[table.main.higher_is_better]
        curves.append(Curve(table.task, table.main.name, better, short_number(low), short_number(high), points))
    return curves


def facts_of(result: Result) -> Mapping[str, str]:
    """What a result says of its subject, for a reader."""
    subject, features = result.subject, result.features
    listed = subject.training.get("datasets")
    learned = ", ".join(map(str, listed)) if isinstance(listed, list) else ""
    facts = {
        "package": f"{subject.package} {subject.package_version or ''}".strip(), "version": subject.version,
        "weights digest": subject.weights_digest, "licence": subject.licence, "supervision": subject.supervision,
        "learned from": learned or ("nothing" if subject.supervision == "none" else "not stated"),
        "kind of images": subject.domain,
    }  # fmt: skip
    if features is not None:
        facts |= {
            "levels": ", ".join(features.levels), "numbers": f"{sum(features.dims):,}",
            "compared by": features.similarity, "alignment": str(features.align.get("name", "none")),
        }  # fmt: skip
    return facts


def made_by(result: Result) -> Mapping[str, str]:
    """How and on what a result was made."""
    made = result.provenance
    commit = "not known" if made.git_commit is None else made.git_commit + (", with changes" if made.git_dirty else "")
    return {
        "command": made.command, "seed": str(made.seed), "on": made.created, "ghbench": made.ghbench, "commit": commit,
        "Python": made.python, "packages": ", ".join(f"{name} {version}" for name, version in made.packages.items()),
        "machine": ", ".join(f"{name} {value}" for name, value in made.hardware.items() if value),
    }  # fmt: skip


def reading_of(table: Table) -> list[str]:
    """How to read a table, without Markdown's marks."""
    drawn = (
        f"Dot and line: {table.main.name} and its interval. In italics: rows that every system has to beat. Numbers: "
        "of the features of one image; parameters: that training has set; images/s and memory: of the process that "
        "made the features, on whatever machine; a dash where an older version did not look."
    )
    return [*(sentence.replace("`", "") for sentence in explanation(table)), drawn]


def flat(values: Mapping[str, Any]) -> dict[str, str]:
    """A protocol as names and texts."""
    return {
        name: ", ".join(map(str, value)) if isinstance(value, list) else str(value) for name, value in values.items()
    }


def _whiskers(values: Sequence[MetricValue | None]) -> list[Whisker | None]:
    """Values and intervals on one scale, that of all rows of a column."""
    ends: list[tuple[float, float, float] | None] = []
    for value in values:
        if value is None or value.value is None or not math.isfinite(value.value):
            ends.append(None)
            continue
        reach = 2 * (value.standard_error or 0.0)
        low, high = value.interval or (value.value - reach, value.value + reach)
        ends.append((low, value.value, high))
    known = [end for end in ends if end is not None]
    if not known:
        return [None] * len(ends)
    start, stop = min(end[0] for end in known), max(end[2] for end in known)
    width = (stop - start) or 1.0
    return [None if end is None else Whisker(*(100 * (part - start) / width for part in end)) for end in ends]
