"""All tasks that have results, side by side: the best of each, who stands where, and what has not been run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ghbench import registry
from ghbench.errors import DataError, UsageError, UserError
from ghbench.results import files
from ghbench.results.display import cell
from ghbench.tables.collect import published_folder
from ghbench.tables.names import usual_name
from ghbench.tables.select import Choice, chosen_table
from ghbench.tables.table import Table
from ghbench.task import Task


@dataclass(frozen=True, slots=True)
class Overview:
    """The tables of all tasks.

    Args:
        tables: One a task with results, by name of the task.
        notes: Why a task or a result is left out.
        damaged: Whether a result could not be read or believed.
    """

    tables: Sequence[Table]
    notes: Sequence[str]
    damaged: bool = False

    def best(self) -> list[list[str]]:
        """Rows of task, main metric, systems, the first system with its value, and how many share its rank."""
        rows = []
        for table in self.tables:
            first = table.rows[0]
            value = first.metric(table.main.name)
            shared = sum(row.rank is not None and row.rank == first.rank for row in table.rows) - 1
            tied = "not ranked" if first.rank is None else f"{shared} more" if shared else "alone"
            told = [first.system, "-" if value is None else cell(value)]
            told = ["-", "-"] if table.main.higher_is_better is None else told
            rows.append([table.task, table.main.name, str(len(table.rows)), *told, tied])
        return rows

    def ranks(self) -> list[list[str]]:
        """Rows of a system and its rank in each ranked task, `-` where it has not been run; most tasks first."""
        ranked = self.ranked()
        places: dict[str, dict[str, str]] = {}
        called: dict[str, set[str]] = {}
        for table in ranked:
            for row in table.rows:
                name = usual_name(row.system)
                called.setdefault(name, set()).add(row.system)
                places.setdefault(name, {}).setdefault(table.task, f"{row.rank}/{len(table.rows)}")
        order = sorted(places, key=lambda system: (-len(places[system]), system))
        # Where all rows of a system have one name, that is it, the choice of levels included.
        names = {system: called[system].pop() if len(called[system]) == 1 else system for system in order}
        return [[names[system], *(places[system].get(table.task, "-") for table in ranked)] for system in order]

    def ranked(self) -> list[Table]:
        """The tables that rank."""
        return [table for table in self.tables if table.unranked is None]


def overview(choice: Choice) -> Overview:
    """Collect the tables of all tasks that have results.

    Args:
        choice: Whose results, and of which extractors.

    Raises:
        UsageError: The choice leaves nothing.
    """
    if choice.own and choice.published:
        raise UsageError("--own and --published leave nothing; give one of them")
    tables: list[Table] = []
    names, notes = tasks_with_results(choice)
    damaged = bool(notes)
    for name in sorted(names):
        try:
            table = chosen_table(cast("Task", registry.build_recorded("task", name)), choice)
        except UserError as error:
            notes.append(f"{name} left out: {error.message.partition(chr(10))[0]}")
            continue
        if table.rows:
            tables.append(table)
        notes += [line for line in table.damage if line not in notes]
        damaged = damaged or bool(table.damage)
    return Overview(tables, notes, damaged)


def tasks_with_results(choice: Choice) -> tuple[set[str], list[str]]:
    """Names of the tasks that have results, and sentences on folders none of whose files can be read."""
    folders = [*([] if choice.published else [files.results_folder()]), *([] if choice.own else [published_folder()])]
    names, unread = set(), []
    for inner in (inner for folder in folders if folder.is_dir() for inner in sorted(folder.iterdir())):
        listed = [path for path in sorted(inner.glob("*.json")) if not path.name.endswith(".failed.json")]
        name = next(filter(None, (_task_in(path) for path in listed)), None)
        if name is not None:
            names.add(name)
        elif listed:
            unread.append(f"{inner.name} left out: none of its results can be read")
    return names, unread


def _task_in(path: Path) -> str | None:
    """The task of a result that lies in the folder of that task."""
    try:
        name = files.load(path).task.name
    except DataError:
        return None
    return name if files.task_folder(name) == path.parent.name else None
