"""Which results a table is made of, and what its rows are called: the same choice for leaderboard and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ghbench.errors import UsageError
from ghbench.tables.collect import Entry, collect, name_of, published_folder
from ghbench.tables.names import find_system, systems_of
from ghbench.tables.table import Table, rank_table
from ghbench.task import Task


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user wants in a table.

    Args:
        own: Only one's own results.
        published: Only published ones.
        extractors: Patterns as of a shell, `ghfeat*`; a row that fits one of them stays. Empty: all.
        labels: `SPEC=NAME`: what a row is called.
        columns: Columns beside rank and name; empty: all.
    """

    own: bool = False
    published: bool = False
    extractors: Sequence[str] = ()
    labels: Sequence[str] = ()
    columns: Sequence[str] = ()


def chosen_table(task: Task, choice: Choice) -> Table:
    """The ranked table of what was chosen; ranks are among these rows.

    Raises:
        UsageError: The choice leaves nothing, or names what is not there.
    """
    if choice.own and choice.published:
        raise UsageError("--own and --published leave nothing; give one of them")
    folder = published_folder() if choice.published else None
    entries, notes = collect(task.name, folder, published=not choice.own and not choice.published, version=task.version)
    if choice.published:
        entries = [replace(entry, published=True) for entry in entries]
    if choice.extractors and entries:
        kept = [entry for entry in entries if _fits(entry, choice.extractors)]
        if not kept:
            known = sorted({name_of(entry.result) for entry in entries})
            raise UsageError(
                f"no result of {task.name} fits {', '.join(choice.extractors)}; there are {', '.join(known)}"
            )
        if len(kept) < len(entries):
            notes.append(f"Ranked among the {len(kept)} results that were asked for, of {len(entries)}.")
        entries = kept
    table = rank_table(task, _with_labels(entries, choice.labels, task), notes)
    return table.with_columns(choice.columns) if choice.columns else table


def _fits(entry: Entry, patterns: Sequence[str]) -> bool:
    names = {name_of(entry.result), entry.result.subject.name, *(named.name for named in systems_of(entry))}
    return any(fnmatchcase(name, pattern.removeprefix("ghbench/")) for name in names for pattern in patterns)


def _with_labels(entries: Sequence[Entry], labels: Sequence[str], task: Task) -> list[Entry]:
    called: dict[str, str] = {}
    for label in labels:
        spec, equals, name = label.rpartition("=")
        if not equals or not spec.strip() or not name.strip():
            raise UsageError(f"--as {label!r} is not SPEC=NAME", fix="for instance --as ghfeat=GH-Feat")
        entry, level = find_system(entries, spec, task)
        if level is not None:
            raise UsageError(
                f"--as names whole results; {spec} is a level of one", fix=f"--as {name_of(entry.result)}=..."
            )
        called[entry.result.digest] = name.strip()
    return [
        replace(entry, result=entry.result.model_copy(update={"label": called[entry.result.digest]}))
        if entry.result.digest in called
        else entry
        for entry in entries
    ]
