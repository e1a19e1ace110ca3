"""Which results are verified: files and folders that somebody names, or all of a task, each against its own task."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ghbench import registry
from ghbench.errors import DataError, UsageError, UserError
from ghbench.results import files
from ghbench.results.schema import Result
from ghbench.spec_string import parse_recorded
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
        skipped: Why nothing was compared; None where something was.
    """

    file: str
    subject: str
    differences: tuple[str, ...] = ()
    unchecked: str | None = None
    skipped: str | None = None


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
            seals = published_seals(path.parent.parent)
            own = task or _task_of(result, known)
            if own is None:
                yield _without_task(file, result, published=seals is not None)
                continue
            check_origin(result, own.name, seals)
            if result.status == "partial" and seals is not None:
                raise DataError("it is of the first images only, and enters no table")
        except UserError as error:
            yield Verified(file, "", (error.message.partition("\n")[0],))
            continue
        found = check(Entry(result, path, published=False), own, images=images, listed=seals is not None)
        yield Verified(file, subject, found.differences, found.unchecked)
    for root in {folder.parent: None for folder in there}:
        try:
            seals = published_seals(root)
        except DataError:  # said of each of its results
            continue
        whole = bool(seals) and set(results_below([root])) <= set(paths)
        for name, listed in (seals or {}).items():
            folder = root / files.task_folder(name)
            if not (whole or (folder in there and _whole(folder, paths))):
                continue  # only some of its results were asked for
            for digest in sorted(set(listed) - {one for _, one in there.get(folder, ())}):
                gone = f"listed in {DIGESTS}, but no result is of this digest"
                yield Verified(f"{folder.name}/*-{digest[:8]}.json", "", (gone,))


def _task_of(result: Result, known: dict[str, Task]) -> Task | None:
    """The task that a file names; None where that is a module, or has a path among its options: neither is reached.

    Raises:
        UserError: There is none of that name, or it does not start here.
    """
    name = result.task.name
    if name not in known:
        try:
            parse_recorded(name)
        except UsageError:
            return None
        known[name] = cast("Task", registry.build_recorded("task", name))
    return known[name]


def _without_task(file: str, result: Result, *, published: bool) -> Verified:
    """What is said of a result whose task the user has to name; what is published never needs that."""
    why = f"its task names files or code, which verify takes from you only: -t {shlex.quote(result.task.name)}"
    subject = result.subject.spec_string
    return Verified(file, subject, (why,)) if published else Verified(file, subject, skipped=why)


def _whole(folder: Path, paths: Sequence[Path]) -> bool:
    """Whether all results of a folder were verified."""
    return set(files.result_files(folder.name, folder.parent)) <= set(paths)
