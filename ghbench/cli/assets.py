"""`ghbench assets`: external weights and data: list, fetch, path, import, verify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ghbench.cli.terminal import print_columns, print_json, progress_bars, say
from ghbench.errors import MissingError, UserError

if TYPE_CHECKING:
    from ghbench.assets import Asset

app = typer.Typer(name="assets", help="External weights and data.", no_args_is_help=True)


@app.command("list")
def list_assets(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every member's digest.")] = False,
) -> None:
    """List all assets, and which of them are available without a network."""
    from ghbench import assets

    declared = [assets.get(name) for name in assets.names()]
    if as_json:
        print_json([_description(asset) for asset in declared])
        return
    rows = []
    for asset in declared:
        size = "?" if asset.size is None else f"{asset.size / 1e6:.1f}"
        here = "yes" if assets.available(asset.name) else "no"
        rows.append((asset.name, asset.version, size, here, asset.sources[0].kind, asset.title))
    print_columns(["name", "version", "MB", "here", "source", "title"], rows)


@app.command("fetch")
def fetch(names: Annotated[list[str], typer.Argument(metavar="NAME...", show_default=False)]) -> None:
    """Fetch assets into the cache unless they are there, and print their folders."""
    from ghbench import assets

    for name in names:
        assets.get(name)  # a misspelt name is reported before anything is downloaded
    failures: list[UserError] = []
    with progress_bars():
        for name in names:
            try:
                say(assets.path(name))
            except MissingError as error:
                failures.append(error)
    _raise(failures)


@app.command("path")
def path(
    name: Annotated[str, typer.Argument(show_default=False)],
    member: Annotated[str | None, typer.Argument(help="One of its files; default: their folder.")] = None,
) -> None:
    """Print the path of an asset, and fetch it first if necessary."""
    from ghbench import assets

    with progress_bars():
        say(assets.path(name, member))


@app.command("import")
def import_asset(
    name: Annotated[str, typer.Argument(show_default=False)],
    path: Annotated[Path, typer.Argument(help="Your file, archive or folder.")],
) -> None:
    """Import your copy of an asset; it is checked against the declared digests."""
    from ghbench import assets

    say(assets.import_asset(name, path))


@app.command("verify")
def verify(name: Annotated[str | None, typer.Argument(help="Default: every cached asset.")] = None) -> None:
    """Hash cached files again; damaged assets are moved aside and fetched again."""
    from ghbench import assets

    failures: list[UserError] = []
    with progress_bars():
        for each in [name] if name else assets.names():
            try:
                state = assets.verify(each)
            except MissingError as error:
                failures.append(error)
                state = "damaged"
            if name or state != "absent":
                say(f"{each}  {state}")
    _raise(failures)


def _description(asset: Asset) -> dict[str, Any]:
    from ghbench import assets

    computed = {"size": asset.size, "digest": asset.digest, "available": assets.available(asset.name)}
    return asset.model_dump(mode="json", exclude_none=True) | computed


def _raise(failures: list[UserError]) -> None:
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise MissingError("\n".join(map(str, failures)))
