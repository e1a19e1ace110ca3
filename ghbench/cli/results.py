"""`ghbench results`: your own results, listed, shown, called otherwise, removed, exported."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ghbench.cli.terminal import complain, print_columns, print_json, say

app = typer.Typer(no_args_is_help=True)
_Names = Annotated[list[str], typer.Argument(help="File, digest, spec string or name; patterns as 'ghfeat*'.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_results(as_json: _Json = False) -> None:
    """List your results; exit code 1 if one cannot be read."""
    from ghbench.results.display import cell
    from ghbench.results.own import kept_results

    found = list(kept_results())
    rows = []
    for kept in found:
        result = kept.result
        if result is None:
            complain(f"{kept.file}: {kept.reason}")
            continue
        main = result.metrics[0] if result.metrics else None
        rows.append(
            {
                "file": kept.file,
                "task": result.task.name,
                "extractor": result.label or result.subject.spec_string,
                "status": result.status,
                "value": f"{main.metric} {cell(main)}" if main else "-",
                "created": result.provenance.created[:16],
            }
        )
    if as_json:
        print_json(rows)
    elif rows:
        print_columns(list(rows[0]), [list(row.values()) for row in rows])
    elif not found:
        complain("you have no results yet\n  fix: ghbench run -e pixels -t orl")
    sys.exit(1 if len(rows) < len(found) else 0)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="File, digest, spec string or name.")], as_json: _Json = False
) -> None:
    """Show one result: its numbers, warnings and where it came from."""
    from ghbench.results.own import find_one

    path, result = find_one(name)
    if as_json:
        print_json(result.model_dump(mode="json"))
        return
    say(str(result))
    made = result.provenance
    say(f"file     {path}\nmade     {made.created} by ghbench {made.ghbench}\ncommand  {made.command}")


@app.command("remove")
def remove(name: _Names, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Remove results and their records, after asking."""
    from ghbench.errors import UsageError
    from ghbench.results import own

    found = own.find_results(name)
    for kept in found:
        say(kept.file, err=True)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"{len(found)} results would be removed, and nobody can be asked", fix="add --yes")
        typer.confirm(f"remove {len(found)} result{'s' if len(found) > 1 else ''}?", abort=True, err=True)
    for kept in found:
        own.remove(kept)


@app.command("rename")
def rename(
    name: Annotated[str, typer.Argument(help="File, digest, spec string or name.")],
    label: Annotated[str, typer.Argument(help="What its row is called from now on; '' for its spec string.")],
) -> None:
    """Change what a result's row is called; what was evaluated stays in the file."""
    from ghbench.results import own

    path, result = own.find_one(name)
    say(f"{path.stem}: {own.rename(path, result, label or None).label or result.subject.spec_string}")


@app.command("export")
def export(
    out: Annotated[Path, typer.Option("--out", "-o", help="File that ends in .csv, .parquet or .json.")],
    name: Annotated[list[str] | None, typer.Argument(help="Results to export; default: all of yours.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Write all metrics of your results into one table, one row a metric; exit code 1 if a result cannot be read."""
    import pandas as pd

    from ghbench import atomic
    from ghbench.errors import MissingError, UsageError
    from ghbench.results.display import COLUMNS, inert
    from ghbench.results.own import find_results, kept_results

    if out.suffix not in {".csv", ".parquet", ".json"}:
        raise UsageError(f"cannot export to {out.name!r}; expected .csv, .parquet or .json")
    if out.exists() and not force:
        raise UsageError(f"{out} exists", fix="name another file, or add --force")
    found = find_results(name) if name else list(kept_results())
    frames = [kept.result.to_frame() for kept in found if kept.result is not None and kept.result.metrics]
    for kept in found:
        if kept.result is None:
            complain(f"{kept.file}: {kept.reason}")
    if not frames:
        raise MissingError("there is nothing to export", fix="ghbench run -e pixels -t orl")
    table = pd.concat(frames, ignore_index=True)[list(COLUMNS)]
    if out.suffix == ".parquet":
        content = table.to_parquet(index=False)
    elif out.suffix == ".json":
        content = (table.to_json(orient="records", indent=1, double_precision=15) + "\n").encode()
    else:
        content = table.map(inert).to_csv(index=False, lineterminator="\n").encode()
    atomic.write_bytes(out, content)
    say(str(out))
    sys.exit(1 if any(kept.result is None for kept in found) else 0)
