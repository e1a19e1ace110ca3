"""`ghbench assets`: weights and data from outside: what is declared, what is here, fetch, import, verify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ghbench.cli.terminal import print_columns, print_json, say, watched
from ghbench.errors import MissingError, UserError

if TYPE_CHECKING:
    from ghbench.assets import Asset

app = typer.Typer(name="assets", help="Weights and data from outside.", no_args_is_help=True)


@app.command("list")
def list_assets(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every member's digest.")] = False,
) -> None:
    """List declared assets, and which of them can be used now without a network."""
    from ghbench import assets

    declared = [assets.get(name) for name in assets.names()]
    if as_json:
        print_json([_described(asset) for asset in declared])
        return
    rows = []
    for asset in declared:
        size = "?" if asset.size is None else f"{asset.size / 1e6:.1f}"
        here = "yes" if assets.available(asset.name) else "no"
        rows.append((asset.name, asset.version, size, here, asset.sources[0].kind, asset.title))
    print_columns(["name", "version", "MB", "here", "source", "title"], rows)


@app.command("fetch")
def fetch(names: Annotated[list[str], typer.Argument(metavar="NAME...", show_default=False)]) -> None:
    """Fetch assets into the cache and print their folders; what is there already is not fetched again."""
    from ghbench import assets

    for name in names:
        assets.get(name)  # a misspelt name is reported before anything is downloaded
    failures: list[UserError] = []
    with watched():
        for name in names:
            try:
                say(assets.path(name))
            except MissingError as error:
                failures.append(error)
    _raise(failures)


@app.command("path")
def path(
    name: Annotated[str, typer.Argument(show_default=False)],
    member: Annotated[str | None, typer.Argument(help="One file of it; without: the folder of all.")] = None,
) -> None:
    """Print where an asset lies; it is fetched if it is not there yet."""
    from ghbench import assets

    with watched():
        say(assets.path(name, member))


@app.command("import")
def import_asset(
    name: Annotated[str, typer.Argument(show_default=False)],
    path: Annotated[Path, typer.Argument(help="The file, the archive or the folder that you have.")],
) -> None:
    """Bring an asset that you have; it is checked against the declared digests."""
    from ghbench import assets

    say(assets.import_asset(name, path))


@app.command("verify")
def verify(name: Annotated[str | None, typer.Argument(help="Without: every cached asset.")] = None) -> None:
    """Hash cached files again; a damaged asset is moved aside and fetched anew."""
    from ghbench import assets

    failures: list[UserError] = []
    with watched():
        for each in [name] if name else assets.names():
            try:
                state = assets.verify(each)
            except MissingError as error:
                failures.append(error)
                state = "damaged"
            if name or state != "absent":
                say(f"{each}  {state}")
    _raise(failures)


def _described(asset: Asset) -> dict[str, Any]:
    from ghbench import assets

    computed = {"size": asset.size, "digest": asset.digest, "available": assets.available(asset.name)}
    return asset.model_dump(mode="json", exclude_none=True) | computed


def _raise(failures: list[UserError]) -> None:
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise MissingError("\n".join(map(str, failures)))
