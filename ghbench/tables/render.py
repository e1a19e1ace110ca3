"""A table as text: Markdown, CSV and JSON; the terminal's version lies in `terminal.py`."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

from ghbench.results.schema import MetricValue
from ghbench.running.overlap import UNCHECKED
from ghbench.tables.table import Row, Table

AGAINST_UNTRAINED = {"same": "within noise of the best untrained row", "worse": "worse than the best untrained row"}


def columns(table: Table) -> list[str]:
    """Names of the metrics that have an interval, the main one first."""
    found = dict.fromkeys(
        metric.metric for row in table.rows for metric in row.metrics if metric.standard_error is None
    )
    return list(found)


def cell(metric: MetricValue | None, digits: int = 3) -> str:
    """A value with its interval: `.878 [.845, .907]`."""
    if metric is None or metric.value is None:
        return "-"
    text = _short(metric.value, digits)
    return text if metric.ci is None else f"{text} [{_short(metric.ci[0], digits)}, {_short(metric.ci[1], digits)}]"


def find(row: Row, name: str) -> MetricValue | None:
    """A row's metric of that name."""
    return next((metric for metric in row.metrics if metric.metric == name), None)


def remark(row: Row) -> str:
    """What a reader must know of a row."""
    result = row.entry.result
    remarks = []
    if row.standing in AGAINST_UNTRAINED:
        remarks.append(AGAINST_UNTRAINED[row.standing])
    if result.extractor.training["supervision"] == "not stated":
        remarks.append("training not stated")
    if result.overlap.startswith(UNCHECKED):
        remarks.append(f"training overlap {result.overlap}")
    if result.domain != "real":
        remarks.append(f"learned from {result.domain} images")
    if result.counts is not None and result.counts.fallback_boxes:
        remarks.append(f"{result.counts.fallback_boxes} faces not detected")
    if result.counts is not None and result.counts.invented_fraction >= 0.01:
        remarks.append(f"{result.counts.invented_fraction:.0%} of input pixels outside the picture")
    remarks += result.warnings
    return one_line("; ".join(remarks))


def one_line(text: str) -> str:
    """Text of a plugin without line breaks and control characters, which could forge lines or steer a terminal."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def markdown(table: Table) -> str:
    """A table for a README or a paper's repository, with the sentences that explain it."""
    names = columns(table)
    head = ["rank", "extractor", *map(_escaped, names), "supervision", "remarks"]
    lines = [f"| {' | '.join(head)} |", "|" + "|".join(["---:", "---", *["---"] * len(names), "---", "---"]) + "|"]
    for row in table.rows:
        values = [cell(find(row, name)) for name in names]
        supervision = str(row.entry.result.extractor.training.get("supervision", "not stated"))
        cells = [str(row.rank), _code(row.system), *values, _escaped(supervision), _escaped(_mark(row, table))]
        lines.append("| " + " | ".join(cells) + " |")
    reading, *notes = explanation(table)
    return "\n".join([*lines, "", reading, *map(_escaped, notes)]) + "\n"


def _mark(row: Row, table: Table) -> str:
    """The row's remark; where published and own rows stand together, it says which are published."""
    mixed = len({other.entry.published for other in table.rows}) == 2
    published = ["published"] if mixed and row.entry.published else []
    return "; ".join([*published, *filter(None, [remark(row)])])


def explanation(table: Table) -> list[str]:
    """How to read the table."""
    if not table.rows:
        return ["No results yet.", *table.notes]
    counts = table.rows[0].entry.result.counts
    unit = f"{counts.units} {counts.unit}" if counts else "units"
    reading = (
        f"Brackets: 95 % interval, percentile bootstrap over the {unit}. Rank: 1 + number of systems that are better "
        f"by `{table.main_metric}` at the 5 % level (paired differences, Holm over all pairs of the table); systems "
        "that cannot be told apart share a rank."
    )
    return [reading, *table.notes]


def comma_separated(table: Table) -> str:
    """One line a row, one column for each value and each end of its interval."""
    names = columns(table)
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    ends = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    writer.writerow(["rank", "extractor", *ends, "published", "digest", "remarks"])
    for row in table.rows:
        values: list[object] = []
        for name in names:
            metric = find(row, name)
            values += [None, None, None] if metric is None else [metric.value, *(metric.ci or (None, None))]
        result = row.entry.result
        writer.writerow([row.rank, row.system, *values, row.entry.published, result.digest, remark(row)])
    return content.getvalue()


def as_json(table: Table) -> str:
    """Everything, for programs."""
    rows: list[dict[str, Any]] = [
        {
            "rank": row.rank,
            "system": row.system,
            "level": row.level,
            "metrics": [metric.model_dump(mode="json") for metric in row.metrics],
            "against_untrained": row.standing,
            "published": row.entry.published,
            "result": row.entry.result.model_dump(mode="json", exclude={"metrics"}),
        }
        for row in table.rows
    ]
    content = {"task": table.task, "main_metric": table.main_metric, "rows": rows, "notes": list(table.notes)}
    return json.dumps(content, indent=1) + "\n"


def _short(value: float, digits: int) -> str:
    """`.878`; what is not 1 is never shown as 1."""
    text = f"{value:.{digits}f}"
    if value < 1 and float(text) == 1:
        return f">.{'9' * digits}"
    return text[1:] if text.startswith("0.") else text


def _escaped(text: str) -> str:
    """Names and warnings come from plugins: they may not break out of their cell, nor bring HTML, links or pictures."""
    marked = re.sub(r"([\\`*_\[\]|])", r"\\\1", one_line(text))
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(text: str) -> str:
    """A code span, inside which only backticks and pipes mean anything; a table takes pipes first."""
    inside = re.sub(r"(\\*)\|", lambda found: 2 * found[1] + "\\|", one_line(text).replace("`", "'"))
    return f"`{inside}`"
