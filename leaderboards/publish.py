"""Make published pages: evaluate what `published.toml` lists, drop what it no longer lists, write the table, verify it.

python leaderboards/publish.py [PAGE...]           for instance `orl`; without a page all of them
python leaderboards/publish.py --keep [PAGE...]    evaluate what has no result yet, such as a system that was added
python leaderboards/publish.py --score [PAGE...]   evaluate nothing: score the stored records as this version does
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ghbench.results.schema import Result
    from ghbench.tables import Table
    from ghbench.task import Task

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Page:
    """A published page.

    Args:
        file: Its Markdown file in the folder of leaderboards.
        task: Spec string of the task.
        systems: Spec strings of what stands in its table.
        references: Whether the task's reference rows are run too.
    """

    file: str
    task: str
    systems: tuple[str, ...]
    references: bool

    @property
    def name(self) -> str:
        """What the page is called on the command line."""
        return Path(self.file).stem


def published_pages(manifest: Path = FOLDER / "published.toml") -> Mapping[str, Page]:
    """The pages of a manifest by name, in its order."""
    pages = [
        Page(**{**page, "systems": tuple(page["systems"])}) for page in tomllib.loads(manifest.read_text())["page"]
    ]
    return {page.name: page for page in pages}


def publish(page: Page, folder: Path = FOLDER, *, keep: bool = False, score: bool = False) -> None:
    """Write the results and the table of a page.

    Args:
        page: What to publish.
        folder: Where results and page go.
        keep: Evaluate only what has no result.
        score: Evaluate nothing; score the records that lie there again.

    Raises:
        SystemExit: A system failed, and nothing was removed; or a number does not follow from its records.
    """
    from ghbench import atomic
    from ghbench.running.request import load_task
    from ghbench.tables import collect, rank_table
    from ghbench.tables.rescore import check

    task = load_task(page.task)
    if score:
        score_again(task, folder)
    else:
        evaluate(page, task, folder, keep=keep)
    with listed_only_if_right(folder):
        list_seals(folder)
        entries, notes = collect(task.name, folder, published=False)
        found = {entry.path.name: check(entry, task, images=True, listed=True).differences for entry in entries}
        wrong = [f"{name}: {line}" for name, lines in found.items() for line in lines]
        if wrong or notes:
            sys.exit("\n".join([*notes, *wrong]))
    atomic.write_text(folder / page.file, page_text(rank_table(task, entries, notes)))


@contextmanager
def listed_only_if_right(folder: Path) -> Iterator[None]:
    """Put the list of seals back as it was where the block fails."""
    from ghbench import atomic
    from ghbench.tables.collect import DIGESTS

    path = folder / DIGESTS
    before = path.read_text(encoding="utf-8") if path.is_file() else None
    try:
        yield
    except BaseException:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            atomic.write_text(path, before)
        raise


def page_text(table: Table) -> str:
    """The Markdown of a page: the table, and where its columns are explained."""
    from ghbench.tables import render

    words = protocol_page(table.task.partition(":")[0])
    link = (
        ""
        if words is None
        else f"\n[What the columns are, and how they are measured](../docs/protocols/{words.name})\n"
    )
    return render.markdown(table) + link


def protocol_page(task: str) -> Path | None:
    """The page that explains a task in words.

    Args:
        task: Its name, without options.
    """
    for path in sorted((FOLDER.parent / "docs" / "protocols").glob("*.md")):
        if path.stem == task or f"`{task}`" in path.read_text(encoding="utf-8").partition("\n")[0]:
            return path
    return None


def evaluate(page: Page, task: Task, folder: Path, *, keep: bool) -> None:
    """Evaluate the systems of a page, or those without a result, and remove results that it no longer lists."""
    from ghbench.results import files
    from ghbench.results.schema import Result

    # A process of its own: what one page loads is gone before the next one.
    command = [sys.executable, "-m", "ghbench", "run", "--task", page.task, "--results", str(folder)]
    command += ["--overwrite"] * (not keep)
    command += [word for system in page.systems for word in ("--extractor", system)]
    run = subprocess.run([*command, *["--references"] * page.references, "--json"], stdout=subprocess.PIPE, check=False)
    if run.returncode:
        sys.exit(run.returncode)
    made = {files.path_of(Result.model_validate(outcome), folder) for outcome in json.loads(run.stdout)}
    for path in (folder / files.task_folder(task.name)).iterdir():
        if path.with_suffix(".json") not in made:
            path.unlink()


def score_again(task: Task, folder: Path) -> None:
    """Score the stored records of a task's results as this version of ghbench does, and seal them anew.

    Raises:
        SystemExit: A result is not the one that was published, or is of another version of the task.
    """
    from ghbench.errors import DataError
    from ghbench.results import files, scoring
    from ghbench.running.record import task_record
    from ghbench.tables.collect import check_origin, published_seals

    again, seals = [], published_seals(folder)
    for path in files.result_files(files.task_folder(task.name), folder):
        result = files.load(path)
        try:
            check_origin(result, task.name, seals)
        except DataError as error:
            sys.exit(f"{path.name}: {error.message}")
        if result.task.version != task.version:
            sys.exit(
                f"{path.name} is of version {result.task.version} of the task, not {task.version}: evaluate it again"
            )
        records = files.load_records(path, result)
        draws = scoring.replicates(task, records, seed=result.provenance.seed, stream=result.digest)
        metrics = scoring.metric_values(task, records, draws)
        described = result.task.model_copy(update={"metrics": task_record(task).metrics})
        subject = result.subject.model_copy(update={"parameters": parameters_of(result)})
        again.append((result.model_copy(update={"metrics": metrics, "task": described, "subject": subject}), path))
    for result, path in again:
        files.save_sealed(result, path)


def parameters_of(result: Result) -> int | None:
    """What the installed plugin says of its size; where it does not start here, what the result says."""
    from ghbench.errors import UserError
    from ghbench.running.request import subject_request
    from ghbench.tables.collect import name_of

    if result.subject.constant or result.features is None:
        return None
    try:
        spec = subject_request(name_of(result)).build(result.provenance.seed).spec()
    except UserError:
        return result.subject.parameters
    return getattr(spec, "parameters", None)


def list_seals(folder: Path = FOLDER) -> None:
    """Write down the seal of each result in a folder, by task and digest; what differs from it is no published result.

    Args:
        folder: Where the results lie.
    """
    from ghbench import atomic
    from ghbench.errors import DataError
    from ghbench.results import files
    from ghbench.tables.collect import DIGESTS

    seals: dict[str, dict[str, str]] = {}
    for path in sorted(folder.glob("*/*.json")):
        if path.name.endswith(".failed.json"):
            continue
        try:
            result = files.load(path)
        except DataError:  # tables name what cannot be read
            continue
        seals.setdefault(result.task.name, {})[result.digest] = result.content_seal()
    lines = ["# The seal of each published result, by task and digest. Made by publish.py, never by hand."]
    for task, listed in sorted(seals.items()):
        lines += ["", f"[{json.dumps(task)}]", *(f'{digest} = "{seal}"' for digest, seal in sorted(listed.items()))]
    atomic.write_text(folder / DIGESTS, "\n".join(lines) + "\n")


def main() -> None:
    """Publish the pages named on the command line, or all."""
    pages = published_pages()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", nargs="*", help=f"{', '.join(pages)}; default: all")
    parser.add_argument("--keep", action="store_true", help="evaluate only what has no result yet")
    parser.add_argument("--score", action="store_true", help="evaluate nothing; score the stored records again")
    given = parser.parse_args()
    names = given.page
    unknown = [name for name in names if name not in pages]
    if unknown:
        parser.error(f"no page {' or '.join(unknown)}; choose from {', '.join(pages)}")
    for name in names or pages:
        sys.stderr.write(f"{pages[name].file}\n")
        publish(pages[name], keep=given.keep, score=given.score)


if __name__ == "__main__":
    main()
