"""Finding the results that belong in one table: published ones and one's own, of one protocol and one set of images."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ghbench.digests import digest_json
from ghbench.errors import DataError, UserError
from ghbench.results import files
from ghbench.results.schema import Result
from ghbench.running.pair import role_data
from ghbench.running.request import load_task
from ghbench.spec_string import at_any_path
from ghbench.task import Reference, Task


@dataclass(frozen=True, slots=True)
class Entry:
    """A result and where it lies.

    Args:
        result: The result.
        path: Its JSON file; the records lie beside it.
        published: It ships with ghbench.
    """

    result: Result
    path: Path
    published: bool


def published_folder() -> Path:
    """The folder of results that ship with ghbench."""
    found = importlib.util.find_spec("ghbench_leaderboards")
    if found is None or not found.submodule_search_locations:
        raise DataError(
            "the package ghbench_leaderboards is not installed", fix="pip install --force-reinstall ghbench"
        )
    return Path(found.submodule_search_locations[0])


def collect(
    task: str, own: Path | None = None, *, published: bool = True, like: Entry | None = None
) -> tuple[list[Entry], list[str]]:
    """Results of a task that can stand in one table; partial ones cannot.

    Args:
        task: Canonical name of the task.
        own: Folder of one's own results, by default the one in `GHBENCH_HOME`.
        published: Whether to include the published ones.
        like: Keep what is of the same protocol and images as this one; None: as the newest result.

    Returns:
        Entries, one's own first where both exist, and a note about each result left out.
    """
    folders = [(own or files.results_folder(), False)]
    if published:
        folders.append((published_folder(), True))
    found: dict[str, Entry] = {}
    notes: list[str] = []
    for folder, is_published in folders:
        for path in files.result_files(files.task_folder(task), folder):
            try:
                result = files.load(path)
            except DataError as error:
                notes.append(f"{path.name} left out: {error.message.partition(chr(10))[0]}")
                continue
            if at_any_path(result.task.name) != at_any_path(task):
                notes.append(f"{path.name} left out: it says that it is a result of {result.task.name!r}")
            elif result.status != "partial":
                found.setdefault(result.digest, Entry(result, path, is_published))
    entries = list(found.values())
    return _of_one_kind(entries, notes, _conditions(like) if like else _conditions_of_files(task, entries))


def entries_of(results: Iterable[Result], own: Path | None = None) -> list[Entry]:
    """Entries of results that were just made."""
    return [Entry(result, files.path_of(result, own), published=False) for result in results]


def reference_of(task: Task, entry: Entry) -> Reference | None:
    """The reference row that a result is, run as the task names it: own alignment, usual seed."""
    result = entry.result
    dtype = result.features.dtype if result.features else "float32"
    usual = align(result) == usual_align(result) and result.provenance.seed == 0 and dtype == "float32"
    # An object of the user's may have any name; it comes from no package.
    ours = result.subject.constant or bool(result.subject.package)
    named = (row for row in task.references if row.name == result.subject.spec_string)
    return next(named, None) if usual and ours else None


def align(result: Result) -> str:
    """Name of the alignment that a result was made under; `none` where nothing was aligned."""
    return str(result.features.align.get("name", "none")) if result.features else "none"


def usual_align(result: Result) -> str:
    """The alignment without `--align`: the one that the task fixes for all, else the extractor's own."""
    own = result.features.preprocessing["align"] if result.features else "none"
    return str(result.task.protocol.get("align") or own) if result.features else "none"


def with_references(task: Task, entries: Sequence[Entry], own: Path | None = None) -> list[Entry]:
    """Results, and the task's reference rows of the same protocol on the same images where they are finished.

    Args:
        task: The task of all entries.
        entries: Results that are to stand in a table.
        own: Folder of one's own results, by default the one in `GHBENCH_HOME`.
    """
    if not entries:
        return []
    here, conditions = {entry.result.digest for entry in entries}, _conditions(entries[0])
    finished, _ = collect(task.name, own, like=entries[0])
    return [
        *entries,
        *(
            entry
            for entry in finished
            if entry.result.digest not in here and reference_of(task, entry) and _conditions(entry) == conditions
        ),
    ]


def _of_one_kind(entries: list[Entry], notes: list[str], conditions: str | None) -> tuple[list[Entry], list[str]]:
    """Keep the newest task version, and of it the images and protocol asked for, else those of the newest result."""
    if not entries:
        return entries, notes
    newest = max(entry.result.task.version for entry in entries)
    current = [entry for entry in entries if entry.result.task.version == newest]
    conditions = conditions or _conditions(max(current, key=lambda entry: entry.result.provenance.created))
    kept = [entry for entry in current if _conditions(entry) == conditions]
    for count, reason in (
        (len(entries) - len(current), f"of an older version of the task than {newest}"),
        (len(current) - len(kept), "on other images, or by another protocol, under the same name"),
    ):
        if count:
            notes.append(f"{count} result{'s' if count > 1 else ''} left out: {reason}")
    return kept, notes


def _conditions_of_files(task: str, entries: list[Entry]) -> str | None:
    """What the files and folders hold that the user's task names; None for other tasks.

    Where they are gone, the newest result under exactly this name tells what they held.
    """
    if not entries or at_any_path(task) == task:
        return None
    try:
        loaded = load_task(task)
        data = {name: role_data(name, role) for name, role in loaded.roles().items()}
    except UserError:
        named = [entry for entry in entries if entry.result.task.name == task]
        return _conditions(max(named, key=lambda entry: entry.result.provenance.created)) if named else None
    images = {name: (one.digest, one.role.annotations_digest) for name, one in data.items()}
    return digest_json([images, loaded.protocol()])


def _conditions(entry: Entry) -> str:
    images = {role: (data.content_digest, data.annotations_digest) for role, data in entry.result.datasets.items()}
    return digest_json([images, entry.result.task.protocol])
