"""Finding the results that belong in one table: published ones and one's own, of one protocol and one set of images."""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ghbench.digests import digest_json
from ghbench.errors import DataError, UserError
from ghbench.files import read_text
from ghbench.registry import OURS, without_defaults
from ghbench.results import files
from ghbench.results.schema import Result
from ghbench.running.pair import role_data
from ghbench.running.request import load_task
from ghbench.spec_string import at_any_path
from ghbench.task import Reference, Task

DIGESTS = "digests.toml"
"""Beside published results: the seal of each, by task and digest. Whoever changes a result cannot change this one."""


class Damage(str):
    """A note about a result that cannot be read or believed: the rest goes on, and the command exits with 1."""

    __slots__ = ()


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
    task: str,
    own: Path | None = None,
    *,
    published: bool = True,
    like: Entry | None = None,
    version: int | None = None,
) -> tuple[list[Entry], list[str]]:
    """Results of a task that can stand in one table; partial ones cannot.

    Args:
        task: Canonical name of the task.
        own: Folder of one's own results, by default the one in `GHBENCH_HOME`.
        published: Whether to include the published ones.
        like: Keep what is of the same protocol and images as this one; None: as the newest result.
        version: Version of the task; None: the newest that some result has.

    Returns:
        Entries, one's own first where both exist, and a note about each result left out; `Damage` where it is broken.
    """
    folders = [(own or files.results_folder(), False)]
    if published:
        folders.append((published_folder(), True))
    found: dict[str, Entry] = {}
    notes: list[str] = []
    for folder, is_published in folders:
        listed = published_seals(folder)
        for path in files.result_files(files.task_folder(task), folder):
            try:
                result = files.load(path)
                check_origin(result, task, listed)
            except DataError as error:
                notes.append(Damage(f"{path.name} left out: {error.message.partition(chr(10))[0]}"))
                continue
            if result.status != "partial":
                found.setdefault(result.digest, Entry(result, path, is_published))
    entries = list(found.values())
    conditions = _conditions(like) if like else _conditions_of_files(task, entries)
    return _of_one_kind(entries, notes, conditions, version)


def published_seals(folder: Path) -> Mapping[str, Mapping[str, str]] | None:
    """By task and digest the seals that a folder of published results lists; None for any other folder.

    Raises:
        DataError: The list cannot be read, or the published results that ship with ghbench have none.
    """
    path = folder / DIGESTS
    if not path.is_file():
        if folder.is_dir() and folder.resolve() == published_folder().resolve():
            raise DataError(f"{path} is gone; it lists what was published", fix="pip install --force-reinstall ghbench")
        return None
    try:
        seals: dict[str, dict[str, str]] = tomllib.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no list of published results: {str(error)[:200]}") from error
    if not all(isinstance(listed, dict) for listed in seals.values()):
        raise DataError(f"{path} is no list of published results: it has no table for each task")
    return seals


def check_origin(result: Result, task: str, listed: Mapping[str, Mapping[str, str]] | None) -> None:
    """Refuse what is of another task, made in the future, or published but not what its publisher listed."""
    if at_any_path(result.task.name) != at_any_path(task):
        raise DataError(f"it says that it is a result of {result.task.name!r}")
    try:
        made = datetime.fromisoformat(result.provenance.created)
    except ValueError:
        raise DataError(f"it says that it was made at {result.provenance.created[:40]!r}") from None
    if made.replace(tzinfo=made.tzinfo or UTC) > datetime.now(UTC) + timedelta(days=2):
        raise DataError(f"it says that it was made in the future, at {result.provenance.created}")
    if listed is not None and listed.get(task, {}).get(result.digest) != result.content_seal():
        raise DataError(f"it is not the result that was published: its seal is not in {DIGESTS}")


def entries_of(results: Iterable[Result], own: Path | None = None) -> list[Entry]:
    """Entries of results that were just made."""
    return [Entry(result, files.path_of(result, own), published=False) for result in results]


@dataclass(frozen=True, slots=True)
class Settings:
    """What `ghbench run` lets one change of all systems at once.

    Args:
        seed: Of evaluation.
        dtype: Of stored features.
        align: The alignment of all systems; None: each has its own.
    """

    seed: int = 0
    dtype: str = "float32"
    align: str | None = None

    @classmethod
    def common(cls, entries: Sequence[Entry]) -> Settings:
        """Those under which reference rows count among some results: the usual ones, unless all share others."""
        results = [entry.result for entry in entries]
        results = [result for result in results if result.features is not None] or results
        made = {(one.provenance.seed, one.features.dtype if one.features else "float32") for one in results}
        aligned = {align(result) for result in results}
        own = all(align(result) == usual_align(result) for result in results)
        if len(made) != 1 or (not own and len(aligned) != 1):
            return cls()
        return cls(*made.pop(), None if own else aligned.pop())

    def are_those_of(self, result: Result) -> bool:
        """Whether a result was made under them; a task's constants know the seed alone."""
        if result.features is None:
            return result.provenance.seed == self.seed
        wanted = usual_align(result) if self.align is None else self.align
        return (result.provenance.seed, result.features.dtype, align(result)) == (self.seed, self.dtype, wanted)


def reference_of(task: Task, entry: Entry, like: Settings) -> Reference | None:
    """The reference row that a result is, run under these settings as the task names it."""
    result = entry.result
    # An object of the user's may have any name, and comes from no package; our own tasks mean our own plugins.
    package = result.subject.package
    ours = result.subject.constant or (package == OURS if is_ours(task) else bool(package))
    name, base = name_of(result), result.subject.name
    alike = (row for row in task.references if row.name == name or row.name.partition(":")[0] == base)
    named = (row for row in alike if row.name == name or _usual(row.name) == _usual(name))
    return next(named, None) if like.are_those_of(result) and ours else None


def _usual(name: str) -> str:
    return without_defaults("extractor", name)


def is_ours(task: object) -> bool:
    """Whether a task is one of ghbench's own."""
    return type(task).__module__.partition(".")[0] in {"ghbench", "ghbench_tasks"}


def name_of(result: Result) -> str:
    """Spec string of a result's subject, the same whether or not the user wrote our package before it."""
    return result.subject.spec_string.removeprefix(f"{OURS}/")


def align(result: Result) -> str:
    """Name of the alignment that a result was made under; `none` where nothing was aligned."""
    return str(result.features.align.get("name", "none")) if result.features else "none"


def usual_align(result: Result) -> str:
    """The alignment without `--align`: the one that the task fixes for all, else the extractor's own."""
    own = result.features.preprocessing.get("align", "none") if result.features else "none"
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
    like = Settings.common(entries)
    finished, _ = collect(task.name, own, like=entries[0], version=entries[0].result.task.version)
    return [
        *entries,
        *(
            entry
            for entry in finished
            if entry.result.digest not in here and reference_of(task, entry, like) and _conditions(entry) == conditions
        ),
    ]


def _of_one_kind(
    entries: list[Entry], notes: list[str], conditions: str | None, version: int | None
) -> tuple[list[Entry], list[str]]:
    """Keep one task version, and of it the images and protocol asked for, else those of the newest result."""
    newest = version if version is not None else max((entry.result.task.version for entry in entries), default=0)
    current = [entry for entry in entries if entry.result.task.version == newest]
    others = (
        f"of an older version of the task than {newest}" if version is None else f"not of version {newest} of the task"
    )
    if not current:
        if entries:
            notes.append(f"{len(entries)} result{'s' if len(entries) > 1 else ''} left out: {others}")
        return current, notes
    conditions = conditions or _conditions(max(current, key=lambda entry: entry.result.provenance.created))
    kept = [entry for entry in current if _conditions(entry) == conditions]
    for count, reason in (
        (len(entries) - len(current), others),
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
