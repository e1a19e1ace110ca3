"""A table as text: Markdown, CSV and JSON; the terminal's version lies in `terminal.py`."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ghbench.results.display import cell, inert, one_line
from ghbench.running.overlap import UNCHECKED
from ghbench.tables.table import Row, Table

AGAINST_FLOOR = {"same": "within noise of the best {floor}", "worse": "worse than the best {floor}"}


def columns(table: Table, rows: Sequence[Row]) -> list[str]:
    """Names of the metrics that some row has, in the order in which the task declares them."""
    present = {metric.metric for row in rows for metric in row.metrics}
    return [metric.name for metric in table.metrics if metric.name in present and table.shows(metric.name)]


def remark(row: Row, floor: str | None) -> str:
    """What a reader must know of a row.

    Args:
        row: The row.
        floor: What the best floor row of its table is.
    """
    result = row.entry.result
    remarks = [row.what] if row.what and row.what != result.subject.name else []
    if row.standing in AGAINST_FLOOR:
        remarks.append(AGAINST_FLOOR[row.standing].format(floor=floor))
    if result.subject.supervision == "not stated":
        remarks.append("training not stated")
    if result.overlap.startswith(UNCHECKED):
        remarks.append(f"training overlap {result.overlap}")
    elif not result.overlap.startswith("none"):
        remarks.append(result.overlap)
    if result.subject.domain not in {"real", "not stated"}:
        remarks.append(f"learned from {result.subject.domain} images")
    judged = [data for data in result.datasets.values() if data.judged]
    undetected, padded = sum(data.faces_not_detected for data in judged), max((d.padded for d in judged), default=0.0)
    if undetected:
        remarks.append(f"{undetected} faces not detected")
    if padded >= 0.01:
        remarks.append(f"{padded:.0%} of input pixels are padding")
    remarks += [f"incomplete: no {missing.what} ({missing.why}; fix: {missing.fix})" for missing in result.missing]
    remarks += [said.removeprefix(f"level {row.level}: ") for said in result.warnings if _concerns(said, row.level)]
    return one_line("; ".join(remarks))


def _concerns(warning: str, level: str | None) -> bool:
    """Whether a warning may be of a row's level; those of one level name it."""
    found = re.search(r"(?:^|, )level ([^\s:]+): ", warning)
    return level is None or found is None or found[1] == level


def markdown(table: Table) -> str:
    """A table for a README or a paper's repository, with the sentences that explain it."""
    reading, *notes = explanation(table)
    parts = [_markdown_rows(table, table.rows, ranked=True), "", reading, *map(_escape, notes)]
    if table.levels:
        parts += ["", LEVELS_TITLE, "", _markdown_rows(table, table.levels, ranked=False)]
    return "\n".join(parts) + "\n"


def _markdown_rows(table: Table, rows: Sequence[Row], *, ranked: bool) -> str:
    names, (counted, extra) = columns(table, rows), table.beside("numbers", "supervision", "remarks")
    head = [*(["rank"] if ranked else []), table.called, *counted, *map(_escape, names), *extra]
    rule = [*(["---:"] if ranked else []), "---", *["---:"] * len(counted), *["---"] * (len(names) + len(extra))]
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(rule)}|"]
    for row in rows:
        cells = [_code(row.system), *(about(row, table, name) for name in counted)]
        cells += [cell(row.metric(name)) for name in names]
        cells += [_escape(about(row, table, name)) for name in extra]
        lines.append("| " + " | ".join([*([rank(row)] if ranked else []), *cells]) + " |")
    return "\n".join(lines)


def about(row: Row, table: Table, column: str) -> str:
    """What stands in a column beside the metrics."""
    if column == "remarks":
        return mark(row, table)
    timing = row.entry.result.timing
    if column == "images/s":
        return f"{timing.images_per_second:,.0f}" if timing and timing.images_per_second else "-"
    if column == "memory":
        return f"{timing.encoding_memory_mb:,.0f} MB" if timing and timing.encoding_memory_mb else "-"
    if column == "parameters":
        return parameters(row)
    return numbers(row) if column == "numbers" else row.entry.result.subject.supervision


LEVELS_TITLE = "Not ranked: single levels, other levels and policies of a system above, rows without the main metric."


def numbers(row: Row) -> str:
    """Numbers that the features of one image hold, as text."""
    return "-" if row.numbers is None else f"{row.numbers:,}"


def parameters(row: Row) -> str:
    """Numbers that training set, as text: `11.2 M`, `48 k`; a dash where nobody counted."""
    count = row.entry.result.subject.parameters
    if count is None or count < 1_000:
        return "-" if count is None else str(count)
    return f"{count / 1e6:,.1f} M" if count >= 1e6 else f"{count / 1e3:,.0f} k"


def rank(row: Row) -> str:
    """A row's rank as text."""
    return "-" if row.rank is None else str(row.rank)


def mark(row: Row, table: Table) -> str:
    """The row's remark; where published and own rows stand together, it says which are published."""
    mixed = len({other.entry.published for other in (*table.rows, *table.levels)}) == 2
    published = ["published"] if mixed and row.entry.published else []
    return "; ".join([*published, *filter(None, [remark(row, table.floor)])])


def explanation(table: Table) -> list[str]:
    """How to read the table."""
    if not table.rows and not table.levels:
        return ["No results yet.", *table.notes]
    shown = [metric for metric in table.metrics if metric.name in columns(table, (*table.rows, *table.levels))]
    sentences = []
    if table.unit is not None and any(metric.uncertainty in {"units", "runs"} for metric in shown):
        sentences.append(f"Brackets: 95 % interval over {table.unit}.")
    errors = dict.fromkeys(metric.error for metric in shown if metric.uncertainty == "error")
    sentences += [f"After ±: standard error {error}." for error in errors]
    less = [f"`{metric.name}`" for metric in shown if metric.higher_is_better is False]
    if less:
        sentences.append(f"Lower is better: {', '.join(less)}.")
    if table.unranked is None:
        sentences.append(
            f"Rank: 1 + the number of systems that are significantly better by `{table.main.name}` at the 5 % level "
            f"({'paired differences' if table.main.uncertainty == 'units' else 'differences of independent runs'}, "
            "Holm over all pairs of the table); two systems of different rank need not differ "
            "significantly from each other."
        )
    elif table.rows:
        sentences.append(f"Sorted by `{table.main.name}`, not ranked: {table.unranked}.")
    return [*([" ".join(sentences)] if sentences else []), *table.notes]


def comma_separated(table: Table) -> str:
    """One line a row, one column for each value and each end of its interval."""
    head, rows = values(table)
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerows([list(map(inert, head)), *(list(map(inert, row)) for row in rows)])
    return content.getvalue()


def values(table: Table) -> tuple[list[str], list[list[object]]]:
    """Names of columns, and unrounded values of ranked rows and levels: what CSV and data frames hold."""
    names = columns(table, (*table.rows, *table.levels))
    parts = ("", "_low", "_high", "_standard_error")
    counted, extra = table.beside("numbers", "supervision", "remarks")
    head = ["rank", table.called, *counted, *(name + part for name in names for part in parts)]
    head += ["published", "digest", *extra]
    rows: list[list[object]] = []
    for row in (*table.rows, *table.levels):
        found: list[object] = []
        for name in names:
            metric = row.metric(name)
            found += (
                [None] * 4
                if metric is None
                else [metric.value, *(metric.interval or (None, None)), metric.standard_error]
            )
        told = [remark(row, table.floor) if name == "remarks" else about(row, table, name) for name in extra]
        identified = [row.entry.published, row.entry.result.digest]
        rows.append([row.rank, row.system, *[row.numbers] * len(counted), *found, *identified, *told])
    return head, rows


def as_json(table: Table) -> str:
    """Everything, for programs."""

    def content(row: Row) -> dict[str, Any]:
        return {
            "rank": row.rank,
            "system": row.system,
            "level": row.level,
            "numbers": row.numbers,
            "metrics": [metric.model_dump(mode="json") for metric in row.metrics if table.shows(metric.metric)],
            "against_floor": row.standing,
            "what": row.what,
            "published": row.entry.published,
            "result": row.entry.result.model_dump(mode="json", exclude={"metrics"}),
        }

    whole = {
        "task": table.task,
        "metrics": [asdict(metric) for metric in table.metrics if table.shows(metric.name)],
        "unit": table.unit,
        "unranked": table.unranked,
        "rows": [content(row) for row in table.rows],
        "levels": [content(row) for row in table.levels],
        "notes": list(table.notes),
    }
    return json.dumps(whole, indent=1) + "\n"


def _escape(text: str) -> str:
    """Names and warnings come from plugins: they may not break out of their cell, nor bring HTML, links or pictures."""
    marked = re.sub(r"([\\`*_\[\]|])", r"\\\1", one_line(text))
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(text: str) -> str:
    """A code span, inside which only backticks and pipes mean anything; a table takes pipes first."""
    inside = re.sub(r"(\\*)\|", lambda found: 2 * found[1] + "\\|", one_line(text).replace("`", "'"))
    return f"`{inside}`"
