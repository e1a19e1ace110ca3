"""Which results are verified: files and folders that somebody names, or all of a task, each against its own task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ghbench import registry
from ghbench.errors import DataError, UserError
from ghbench.results import files
from ghbench.results.schema import Result
from ghbench.tables.collect import DIGESTS, Entry, check_origin, published_seals
from ghbench.tables.rescore import check
from ghbench.task import Task


@dataclass(frozen=True, slots=True)
class Verified:
    """What verifying a file gave.

    Args:
        file: The file within its folder of results: `orl/pixels-796cd905.json`.
        subject: Spec string of its subject, empty where it cannot be read.
        differences: Why it is refused, a line each; empty where it agrees.
        unchecked: What could not be compared; None where all was.
    """

    file: str
    subject: str
    differences: tuple[str, ...] = ()
    unchecked: str | None = None


def results_below(places: Sequence[Path]) -> list[Path]:
    """The results among files and below folders, sorted.

    Raises:
        DataError: There is no such file or folder, or a file is no JSON.
    """
    found: set[Path] = set()
    for place in places:
        if place.is_dir():
            found |= {path for path in place.rglob("*.json") if not path.name.endswith(".failed.json")}
        elif place.is_file() and place.suffix == ".json":
            found.add(place)
        else:
            raise DataError(
                f"{place} is neither a folder nor the JSON file of a result", fix="ghbench verify FILE.json"
            )
    return sorted(path.resolve() for path in found)


def verify(paths: Sequence[Path], task: Task | None = None, *, images: bool = False) -> Iterator[Verified]:
    """Verify results, and that each folder of published ones still holds what its list says.

    Args:
        paths: Their JSON files.
        task: The task of all of them; None: the one that each file names, where it is a registered one.
        images: See `rescore.check`.

    Yields:
        One for each file, then one for each result that is listed beside them and is not there.
    """
    known: dict[str, Task] = {}
    there: dict[Path, set[tuple[str, str]]] = {}
    for path in paths:
        file = f"{path.parent.name}/{path.name}"
        try:
            result = files.load(path)
            subject = result.subject.spec_string
            there.setdefault(path.parent, set()).add((result.task.name, result.digest))
            own = task or _task_of(result, known)
            seals = published_seals(path.parent.parent)
            check_origin(result, own.name, seals)
            if result.status == "partial" and seals is not None:
                raise DataError("it is of the first images only, and enters no table")
        except UserError as error:
            yield Verified(file, "", (error.message.partition("\n")[0],))
            continue
        found = check(Entry(result, path, published=False), own, images=images)
        yield Verified(file, subject, found.differences, found.unchecked)
    for folder, seen in there.items():
        for name, listed in (published_seals(folder.parent) or {}).items():
            if files.task_folder(name) == folder.name:
                for digest in sorted(set(listed) - {one for _, one in seen} if _whole(folder, paths) else ()):
                    yield Verified(
                        f"{folder.name}/*-{digest[:8]}.json",
                        "",
                        (f"listed in {DIGESTS}, but no result is of this digest",),
                    )


def _task_of(result: Result, known: dict[str, Task]) -> Task:
    """The task that a file names; registered names only are reached, never a module or a path.

    Raises:
        UserError: There is none, or it does not start here.
    """
    name = result.task.name
    if name not in known:
        known[name] = cast("Task", registry.build_recorded("task", name))
    return known[name]


def _whole(folder: Path, paths: Sequence[Path]) -> bool:
    """Whether all results of a folder were verified."""
    return set(files.result_files(folder.name, folder.parent)) <= set(paths)
