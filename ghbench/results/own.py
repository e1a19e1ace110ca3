"""One's own results as a collection: find, look at, call otherwise, remove."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ghbench.errors import DataError, MissingError, UsageError
from ghbench.results import files
from ghbench.results.schema import Result


@dataclass(frozen=True, slots=True)
class Kept:
    """A result file of one's own: its path, and what is in it or why that cannot be read."""

    path: Path
    result: Result | None
    reason: str = ""

    @property
    def file(self) -> str:
        """`TASK/EXTRACTOR-DIGEST8`, by which the file is named on the command line."""
        return f"{self.path.parent.name}/{self.path.stem}"


def kept_results(folder: Path | None = None) -> Iterator[Kept]:
    """All result files of a folder, readable or not, sorted by task and name; published ones lie elsewhere."""
    root = folder or files.results_folder()
    for task in sorted(path for path in root.glob("*") if path.is_dir()):
        for path in files.result_files(task.name, root):
            try:
                yield Kept(path, files.load(path))
            except DataError as error:
                yield Kept(path, None, error.message)


def find_results(patterns: list[str], folder: Path | None = None) -> list[Kept]:
    """Results that some pattern names: by file, digest, spec string, name or label, as a shell matches names.

    Raises:
        MissingError: A pattern names none.
    """
    everything = list(kept_results(folder))
    found: dict[Path, Kept] = {}
    for pattern in patterns:
        fitting = [one for one in everything if any(fnmatchcase(name, pattern) for name in _names(one))]
        if not fitting:
            raise MissingError(f"none of your results is called {pattern!r}", fix="ghbench results list")
        found.update((one.path, one) for one in fitting)
    return list(found.values())


def find_one(pattern: str, folder: Path | None = None) -> tuple[Path, Result]:
    """The one readable result that a pattern names.

    Raises:
        UsageError: Several are.
        MissingError: None is.
        DataError: It cannot be read.
    """
    found = find_results([pattern], folder)
    if len(found) > 1:
        files_of = ", ".join(one.file for one in found)
        raise UsageError(f"{pattern!r} names {len(found)} results: {files_of}", fix=f"name one: {found[0].file}")
    if found[0].result is None:
        raise DataError(found[0].reason, fix=f"ghbench results remove {found[0].file}")
    return found[0].path, found[0].result


def remove(kept: Kept) -> None:
    """Remove a result and its records; the JSON, which says that both are there, goes first."""
    kept.path.unlink(missing_ok=True)
    kept.path.with_suffix(".parquet").unlink(missing_ok=True)


def rename(path: Path, result: Result, label: str | None) -> Result:
    """Change what a result's row is called in tables; its identity stays. None: its spec string again."""
    if label is not None and (not label.strip() or not label.isprintable() or len(label) > 200):
        raise UsageError(f"{label!a} cannot be the name of a row; expected up to 200 printable letters")
    return files.save_sealed(result.model_copy(update={"label": label}), path)


def _names(kept: Kept) -> set[str]:
    names = {kept.file, kept.path.stem, kept.path.name}
    if kept.result is not None:
        result = kept.result
        names |= {result.digest, result.digest[:8], result.subject.spec_string, result.subject.name}
        names |= {result.label} if result.label else set()
    return names
