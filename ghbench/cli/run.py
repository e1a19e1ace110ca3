"""`ghbench run`: evaluate extractors on tasks and print the tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ghbench.results.schema import Failure, Result


def run(
    extractor: Annotated[list[str], typer.Option("--extractor", "-e", help="Spec string; may be given many times.")],
    task: Annotated[list[str], typer.Option("--task", "-t", help="Spec string; may be given many times.")],
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
    from ghbench.cli.terminal import watched
    from ghbench.extraction import ExtractionOptions
    from ghbench.results.schema import Result
    from ghbench.runner import RunOptions, run_pairs

    with watched() as progress:
        options = RunOptions(
            align=align,
            overwrite=overwrite,
            limit=limit,
            seed=seed,
            dtype=dtype,
            results=results,
            extraction=ExtractionOptions(batch_size, workers, device, progress),
        )
        outcomes = run_pairs(extractor, task, options)
    failures = [outcome for outcome in outcomes if not isinstance(outcome, Result)]
    if as_json:
        typer.echo(json.dumps([outcome.model_dump(mode="json") for outcome in outcomes], indent=1))
    else:
        _print_tables([outcome for outcome in outcomes if isinstance(outcome, Result)], results)
    for failure in failures:
        typer.echo(f"ghbench: {failure.extractor} on {failure.task}: {failure.error}", err=True)
    sys.exit(_exit_code(failures))


def _print_tables(results: list[Result], folder: Path | None) -> None:
    from ghbench.leaderboard import entries_of, rank_table
    from ghbench.leaderboard.terminal import print_table

    for name in dict.fromkeys(result.task.name for result in results):
        of_task = [result for result in results if result.task.name == name]
        notes = ["partial: only the first images were used"] if of_task[0].status == "partial" else []
        print_table(rank_table(name, entries_of(of_task, folder), notes))


def _exit_code(failures: list[Failure]) -> int:
    """0: all fine; 2 and 3: all failures are wrong usage, or missing data and weights; 1: anything else failed."""
    codes = {failure.exit_code for failure in failures}
    if not codes:
        return 0
    return codes.pop() if codes in ({2}, {3}) else 1
