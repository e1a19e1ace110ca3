"""`ghbench run`: evaluate extractors on tasks and print the tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ghbench.cli.completion import complete_extractors, complete_tasks
from ghbench.cli.terminal import complain, print_json, progress_bars

if TYPE_CHECKING:
    from ghbench.results.schema import Failure


def run(
    extractor: Annotated[
        list[str],
        typer.Option(
            "--extractor", "-e", help="Spec string; may be given many times.", autocompletion=complete_extractors
        ),
    ],
    task: Annotated[
        list[str],
        typer.Option("--task", "-t", help="Spec string; may be given many times.", autocompletion=complete_tasks),
    ],
    references: Annotated[bool, typer.Option("--references", help="Run the task's reference rows too.")] = False,
    align: Annotated[str | None, typer.Option(help="none, tight, ffhq, dlib-chip; default: as declared.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Evaluate finished pairs again.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="First N images only; the result is partial.")] = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    workers: Annotated[int | None, typer.Option(min=0, help="Decoding processes; default: as many as help.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")] = "auto",
    dtype: Annotated[Literal["float32", "float16"], typer.Option(help="How features are stored.")] = "float32",
    seed: Annotated[int, typer.Option(min=0, help="From which all randomness is spawned.")] = 0,
    results: Annotated[Path | None, typer.Option(help="Folder of results; default: in GHBENCH_HOME.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of results as JSON.")] = False,
) -> None:
    """Evaluate extractors on tasks; finished pairs are read back, features come from the store where they are there.

    ghbench run -e pixels -e mobilenet-v2 -e dlib-face -t orl
    """
    from ghbench.extraction import ExtractionOptions
    from ghbench.results.schema import Result
    from ghbench.running.request import load_task
    from ghbench.running.runner import RunOptions, run_pairs
    from ghbench.tables import table_of_results
    from ghbench.tables.terminal import print_table

    with progress_bars() as watch:
        tasks = {name: load_task(name) for name in task}
        options = RunOptions(
            align=align,
            overwrite=overwrite,
            limit=limit,
            seed=seed,
            dtype=dtype,
            results=results,
            extraction=ExtractionOptions(batch_size, workers, device, watch.images),
        )
        outcomes = run_pairs(extractor, list(tasks), options, watch.pair, references=references)
    failures = [outcome for outcome in outcomes if not isinstance(outcome, Result)]
    if as_json:
        print_json([outcome.model_dump(mode="json") for outcome in outcomes])
    else:
        for loaded in tasks.values():
            of_task = [one for one in outcomes if isinstance(one, Result) and one.task.name == loaded.name]
            if of_task:
                print_table(table_of_results(loaded, of_task, results))
    for failure in failures:
        complain(f"{failure.extractor} on {failure.task}: {failure.error}")
    sys.exit(_exit_code(failures))


def _exit_code(failures: list[Failure]) -> int:
    """0: all fine; 2 and 3: all failures are wrong usage, or missing data and weights; 1: anything else failed."""
    codes = {failure.exit_code for failure in failures}
    if not codes:
        return 0
    return codes.pop() if codes in ({2}, {3}) else 1
