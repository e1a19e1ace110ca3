"""Options of the commands that can encode images on a cluster."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Engine = Annotated[Literal["local", "ray"], typer.Option(help="What encodes images; ray needs the extra cluster.")]
Address = Annotated[str, typer.Option(help="Of a Ray cluster; by default one on this machine.")]
Actors = Annotated[int | None, typer.Option(min=1, help="Of Ray; default: as many as there is room for.")]
