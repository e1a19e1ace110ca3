"""`ghbench reproduce`: run a published row again and say whether the same comes out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ghbench.cli.terminal import print_json, progress_bars, say


def reproduce(
    results: Annotated[list[Path], typer.Argument(help="JSON files of results: leaderboards/orl/pixels-....json")],
    device: Annotated[str, typer.Option(help="Where to compute: cpu, cuda, ...")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run results again, from what their files say, in a store of their own, and compare.

    Close: no number is off by more than a tenth of the interval's width. Exit code 1 where something is
    different (a metric that is further off, other weights, other images) or was not run; the others are all run.
    """
    from ghbench.errors import UserError
    from ghbench.extraction import ExtractionOptions
    from ghbench.tables.reproduce import reproduce as run_again

    rows = []
    with progress_bars() as watch:
        for path in results:
            try:
                found = run_again(path, ExtractionOptions(device=device, progress=watch.images))
                row = {"file": path.name, "outcome": found.outcome, "differences": list(found.differences)}
            except UserError as error:
                row = {"file": path.name, "outcome": "not run", "differences": str(error).splitlines()}
            rows.append(row)
    if as_json:
        print_json({"results": rows})
    else:
        for row in rows:
            say(f"{row['outcome']:20} {row['file']}")
            for line in row["differences"]:
                say(f"{'':20} {line}")
    sys.exit(1 if any(row["outcome"] in {"different", "not run"} for row in rows) else 0)
