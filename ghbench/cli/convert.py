"""`ghbench convert`: converts checkpoints to safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ghbench.cli.terminal import print_json, say


def convert(
    path: Annotated[Path, typer.Argument(help="The checkpoint; its format is recognised by its content.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .safetensors to write.")],
    network: Annotated[str | None, typer.Option(help="One network of the file; default: all useful ones.")] = None,
    licence: Annotated[str | None, typer.Option(help="Terms of the weights, if you know them.")] = None,
    assume: Annotated[
        list[str] | None, typer.Option(help="NAME=NUMBER that the file does not state: fused_from=8, z_dim=512.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that ghbench did not make.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Convert a checkpoint without executing anything in it. The result says how to build its networks."""
    from dataclasses import asdict

    from ghbench.errors import UsageError
    from ghbench.generators.conversion.converting import convert as converted_file

    assumed = {}
    for text in assume or []:
        name, _, number = text.partition("=")
        if not number.isascii() or not number.isdigit() or not 0 < int(number[:9]) <= 65536:
            raise UsageError(f"cannot assume {text!r}", fix="--assume NAME=NUMBER, such as fused_from=8")
        assumed[name] = int(number)
    converted = converted_file(path, out, network=network, licence=licence, assume=assumed, force=force)
    if as_json:
        print_json({"path": str(out), **asdict(converted)})
        return
    say(out)
    say(f"format: {converted.source_format}")
    for part, name in converted.built.items():
        say(f"{part}: {name}")
    if converted.plain:
        say(f"plain arrays: {', '.join(converted.plain)}")
    say(f"licence: {converted.licence}")
    for note in converted.notes:
        say(f"note: {note}")
