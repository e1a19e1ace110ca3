"""`ghbench run`: evaluate extractors on tasks and print the tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ghbench.cli.cluster_options import Actors, Address, Engine
from ghbench.cli.completion import complete_extractors, complete_tasks
from ghbench.cli.terminal import complain, print_document, print_json, progress_bars, say

if TYPE_CHECKING:
    from ghbench.results.schema import Failure
    from ghbench.suites import Suite


def run(
    suite_file: Annotated[
        Path | None,
        typer.Argument(help="YAML file of a suite: name, version, extractors, tasks.", metavar="SUITE.yaml"),
    ] = None,
    extractor: Annotated[
        list[str] | None,
        typer.Option(
            "--extractor", "-e", help="Spec string; may be given many times.", autocompletion=complete_extractors
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task",
            "-t",
            help="Spec string; may be given many times. `all`: every task that is ready.",
            autocompletion=complete_tasks,
        ),
    ] = None,
    suite: Annotated[str | None, typer.Option("--suite", help="A named suite, for instance quick or faces.")] = None,
    own_code: Annotated[
        bool, typer.Option("--allow-own-code", help="Names in SUITE.yaml may be modules, files and paths.")
    ] = False,
    references: Annotated[bool, typer.Option("--references", help="Run the task's reference rows too.")] = False,
    align: Annotated[str | None, typer.Option(help="none, tight, ffhq, dlib-chip; default: as declared.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Evaluate finished pairs again.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="First N images only; the result is partial.")] = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    workers: Annotated[int | None, typer.Option(min=0, help="Decoding processes; default: as many as help.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")] = "auto",
    engine: Engine = "local",
    address: Address = "",
    actors: Actors = None,
    dtype: Annotated[Literal["float32", "float16", "int8"], typer.Option(help="How features are stored.")] = "float32",
    store: Annotated[
        Literal["numpy", "faiss"],
        typer.Option(help="How neighbours are found; faiss needs the extra cpu."),
    ] = "numpy",
    seed: Annotated[int, typer.Option(min=0, help="From which all randomness is spawned.")] = 0,
    results: Annotated[Path | None, typer.Option(help="Folder of results; default: in GHBENCH_HOME.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of results as JSON.")] = False,
) -> None:
    """Evaluate extractors on tasks; finished pairs are read back, features come from the store where they are there.

    ghbench run -e pixels -e mobilenet-v2 -e dlib-face -t orl; ghbench run --suite quick; ghbench run suite.yaml
    """
    from ghbench.extraction import ExtractionOptions
    from ghbench.results.schema import Result
    from ghbench.running.request import load_task
    from ghbench.running.runner import RunOptions, run_pairs
    from ghbench.tables import table_of_results
    from ghbench.tables.terminal import print_table

    declared = _declared_suite(suite_file, suite, extractor or [], task or [], own_code=own_code)
    with progress_bars() as watch:
        options = RunOptions(
            align=align,
            overwrite=overwrite,
            limit=limit,
            seed=seed,
            dtype=dtype,
            results=results,
            search=store,
            extraction=ExtractionOptions(batch_size, workers, device, watch.images, engine, address, actors),
        )
        if declared is None:
            tasks = [load_task(name) for name in task or []]
            outcomes = run_pairs(extractor or [], task or [], options, watch.pair, references=references)
        else:
            from ghbench.suites import run_suite

            matrix = run_suite(declared, extractor or [], options, watch.pair, references=references)
            outcomes = list(matrix.outcomes)
    failures = [outcome for outcome in outcomes if not isinstance(outcome, Result)]
    if as_json and declared is not None:
        print_document(matrix.to_json())
    elif as_json:
        print_json([outcome.model_dump(mode="json") for outcome in outcomes])
    elif declared is not None:
        from ghbench.suites.terminal import print_matrix

        print_matrix(matrix)
    else:
        for loaded in tasks:
            of_task = [one for one in outcomes if isinstance(one, Result) and one.task.name == loaded.name]
            if of_task:
                print_table(table_of_results(loaded, of_task, results))
    for failure in failures:
        complain(f"{failure.extractor} on {failure.task}: {failure.error}")
    sys.exit(_exit_code(failures))


def _declared_suite(
    file: Path | None, name: str | None, extractors: list[str], tasks: list[str], *, own_code: bool
) -> Suite | None:
    """The suite that the command line asks for; None where it names extractors and tasks."""
    from ghbench.errors import UsageError

    if [file is not None, name is not None, bool(tasks)].count(True) != 1:
        raise UsageError(
            "expected one of --task, --suite and a suite's YAML file",
            fix="ghbench run --extractor pixels --task orl, ghbench run --suite quick, or ghbench run suite.yaml",
        )
    if own_code and file is None:
        raise UsageError(
            "--allow-own-code is about names in a suite's YAML file; names on the command line need no leave"
        )
    if tasks and not extractors:
        raise UsageError("there is no extractor to evaluate", fix="add --extractor NAME")
    if tasks and "all" not in tasks:
        return None
    from ghbench.suites import load_suite, ready_tasks, suite_of

    if not tasks:
        if file is not None and file.suffix.lower() not in {".yaml", ".yml"}:
            raise UsageError(f"{str(file)!r} is not a suite file; expected a name that ends in .yaml")
        return load_suite(str(file) if file is not None else str(name), own_code=own_code)
    if len(tasks) > 1:
        raise UsageError("--task all already holds every task; give it alone")
    ready, lacking = ready_tasks()
    for left_out, why in lacking.items():
        say(f"left out: {left_out}: {why}", err=True)
    return suite_of(extractors, ready)


def _exit_code(failures: list[Failure]) -> int:
    """0: all fine; 2 and 3: all failures are wrong usage, or missing data and weights; 1: anything else failed."""
    codes = {failure.exit_code for failure in failures}
    if not codes:
        return 0
    return codes.pop() if codes in ({2}, {3}) else 1
