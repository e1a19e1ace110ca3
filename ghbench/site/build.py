"""Writes the site: what was on the pages before is replaced, and no other folder."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ghbench import locations, registry
from ghbench.atomic import abandoned_files, write_bytes, write_text
from ghbench.dataset import DatasetCard
from ghbench.errors import UsageError, UserError
from ghbench.extractor import Subject, WithCard
from ghbench.extras import require
from ghbench.results.display import cell, one_line
from ghbench.results.schema import Result
from ghbench.running.request import subject_request
from ghbench.site.gallery import Picture, gallery
from ghbench.site.pages import (
    Line,
    System,
    command_of,
    curves_of,
    facts_of,
    flat,
    head_of,
    lines_of,
    made_by,
    page_of,
    reading_of,
    result_page,
    system_of,
)
from ghbench.site.worst import WorstCases
from ghbench.spec_string import parse_recorded
from ghbench.tables.collect import Entry
from ghbench.tables.names import short_names
from ghbench.tables.overview import Overview, overview
from ghbench.tables.select import Choice
from ghbench.tables.table import Row, Table
from ghbench.version import __version__

MARK = ".ghbench-site"
"""Stands in a folder that was written here: only such a folder is replaced."""
TEMPLATES = Path(__file__).parent / "templates"
ASSETS = ("style.css", "table.js")
PARTS = ("tasks", "systems", "results", "gallery")
SHORT = 40


def build_site(out: Path, choice: Choice | None = None) -> Path:
    """Write the site of all results.

    Args:
        out: Folder to write to: a new one, an empty one, or an earlier site.
        choice: Whose results, and of which extractors.

    Returns:
        Path of its first page.

    Raises:
        UsageError: The folder holds something else, or there are no results.
        MissingError: jinja2 is not installed.
    """
    jinja = require("jinja2", "report")
    if out.exists() and (not out.is_dir() or (not (out / MARK).is_file() and _of_others(out))):
        raise UsageError(f"{out} holds something else", fix="--out NEW_FOLDER")
    if locations.home().resolve().is_relative_to(out.resolve()):
        raise UsageError(f"{out} holds ghbench's own folder", fix="--out NEW_FOLDER")
    found = overview(choice or Choice())
    if not found.tables:
        raise UsageError("there are no results to show", fix="ghbench run --extractor pixels --task orl")
    environment = jinja.Environment(
        loader=jinja.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja.StrictUndefined,
    )  # fmt: skip
    environment.filters |= {"line": one_line, "breakable": _breakable}
    # Everything is made before anything that was there goes.
    texts = {name: (TEMPLATES / name).read_text(encoding="utf-8") for name in ASSETS}
    common = {
        "version": __version__, "made": datetime.now(UTC).strftime("%Y-%m-%d"), "page_of": page_of,
        "command_of": command_of,
    }  # fmt: skip
    pages = _pages(found)
    pages["gallery.html"], pictures = _gallery()
    for path, (template, values) in pages.items():
        root = "../" * path.count("/")
        texts[path] = environment.get_template(template).render(root=root, **common, **values)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / MARK, "")
    contents = {path: text.encode() for path, text in texts.items()} | pictures
    for path, content in contents.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(out / path, content)
    # Old pages go last: until then the site is whole, and another process may be writing the same one.
    for part in PARTS:
        if (out / part).is_symlink():
            continue
        for page in (out / part).rglob("[!.]*"):
            if page.is_file() and page.relative_to(out).as_posix() not in contents:
                page.unlink(missing_ok=True)
    return out / "index.html"


def _of_others(folder: Path) -> bool:
    """Whether a folder holds more than what a process left that was killed before it wrote the mark."""
    return not set(folder.iterdir()) <= set(abandoned_files(folder))


def _pages(found: Overview) -> dict[str, tuple[str, dict[str, Any]]]:
    """Template and values of each page by its path."""
    pages: dict[str, tuple[str, dict[str, Any]]] = {"index.html": ("index.html", _matrix(found))}
    drawn: dict[int, Line] = {}
    for table in found.tables:
        ranked, levels = (lines_of(table, part) for part in (table.rows, table.levels))
        drawn |= dict(zip(map(id, (*table.rows, *table.levels)), (*ranked, *levels), strict=True))
        pages[page_of("tasks", table.task)] = "task.html", {"ranked": ranked, "levels": levels, **_task(table)}
    for system, rows in _by_system(found).items():
        lines = [(table, drawn[id(row)]) for table, row in rows if row.level is None]
        pages[system.page] = "system.html", {"lines": lines, **_system(system, rows)}
    for table in found.tables:
        worst = WorstCases(registry.build_recorded("task", table.task))
        entries = {row.entry.result.digest: row.entry for row in (*table.rows, *table.levels)}
        for entry in entries.values():
            pages[result_page(entry.result)] = "result.html", {"worst": worst.of(entry), **_result(entry)}
    return pages


def _breakable(name: str) -> Any:
    """A spec string as HTML that may be broken after its marks, and not within words."""
    from markupsafe import Markup, escape

    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[:,=])", name))


def _gallery() -> tuple[tuple[str, dict[str, Any]], dict[str, bytes]]:
    """Template and values of the gallery, and its pictures by path."""
    sections: dict[str, list[tuple[Picture, str]]] = {}
    files: dict[str, bytes] = {}
    for name, pictures in gallery().items():
        drawn = [(picture, picture.content()) for picture in pictures]
        sections[name] = [(picture, path) for picture, (path, _) in drawn]
        files |= dict(content for _, content in drawn)
    return ("gallery.html", {"sections": sections}), files


def _rows(found: Overview) -> list[tuple[Table, Row]]:
    return [(table, row) for table in found.tables for row in (*table.rows, *table.levels)]


def _by_system(found: Overview) -> dict[System, list[tuple[Table, Row]]]:
    systems: dict[System, list[tuple[Table, Row]]] = {}
    for table, row in _rows(found):
        systems.setdefault(system_of(row), []).append((table, row))
    return systems


def _matrix(found: Overview) -> dict[str, Any]:
    """Systems by tasks: rank and value, of rows in the tables' first part."""
    cells: dict[System, dict[str, dict[str, Any]]] = {}
    for table in found.tables:
        for row in table.rows:
            value = row.metric(table.main.name)
            share = 0.0 if row.rank is None else 1 - (row.rank - 1) / max(len(table.rows) - 1, 1)
            shown = {
                "rank": row.rank, "of": len(table.rows), "text": cell(value).partition(" ")[0],
                "shade": round(4 * share), "result": result_page(row.entry.result),
                "key": row.rank or (value and value.value) or "",
            }  # fmt: skip
            cells.setdefault(system_of(row), {}).setdefault(table.task, shown)
    order = sorted(cells, key=lambda system: (-len(cells[system]), system.name, system.weights))
    short = dict(zip(order, short_names([system.name for system in order], SHORT), strict=True))
    return {"tables": found.tables, "systems": order, "short": short, "cells": cells, "notes": found.notes}


def _task(table: Table) -> dict[str, Any]:
    record = table.rows[0].entry.result
    return {
        "table": table, "head": head_of(table), "reading": reading_of(table), "protocol": flat(record.task.protocol),
        "datasets": record.datasets, "metrics": record.task.metrics,
        "cards": {role: _card(data.name) for role, data in record.datasets.items()},
    }  # fmt: skip


def _card(name: str) -> DatasetCard | None:
    """What a dataset of ours says of itself; None for others, and where it is not on this machine."""
    if name not in {plugin.name for plugin in registry.plugins("dataset") if plugin.package == registry.OURS}:
        return None
    try:
        with locations.without_network():
            card: DatasetCard = registry.build("dataset", name).card()
    except UserError:
        return None
    return card


def _system(system: System, rows: Sequence[tuple[Table, Row]]) -> dict[str, Any]:
    first = rows[0][1].entry.result
    return {
        "system": system.name, "first": first, "facts": facts_of(first), "curves": curves_of(rows),
        "card": _model_card(first),
    }  # fmt: skip


def _model_card(result: Result) -> str:
    """Model card of the weights that made a result; empty where they are not here, or are others by now."""
    # Code of others may raise anything; a missing card must not stop the site.
    with locations.without_network(), contextlib.suppress(Exception):
        name = registry.ours_first("extractor", parse_recorded(result.subject.spec_string))
        subject: Subject = registry.build("extractor", subject_request(str(name)).spec_string)
        if isinstance(subject, WithCard):
            same = subject.spec().weights_digest == result.subject.weights_digest
            return subject.card() if same else ""
    return ""


def _result(entry: Entry) -> dict[str, Any]:
    result, file = entry.result, f"{entry.path.parent.name}/{entry.path.name}"
    declared = {metric.name: metric for metric in result.task.metrics}
    values = [(value, declared.get(value.metric), cell(value, 4)) for value in result.metrics]
    return {
        "result": result, "values": values, "facts": facts_of(result), "protocol": flat(result.task.protocol),
        "origin": made_by(result), "file": f"leaderboards/{file}" if entry.published else file,
    }  # fmt: skip
