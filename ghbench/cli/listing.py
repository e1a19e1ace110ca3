"""`ghbench list`: registered plugins with package and summary, without importing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from ghbench.cli.terminal import print_columns, print_json

if TYPE_CHECKING:
    from ghbench.registry import Kind, Plugin

Listed = Literal[
    "extractors", "tasks", "datasets", "generators", "recipes", "extractor", "task", "dataset", "generator", "recipe"
]


def list_plugins(
    kind: Annotated[Listed, typer.Argument(help="What to list.")],
    ready: Annotated[
        bool, typer.Option("--ready", help="Also say which are ready to use (imports them), and what others need.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List extractors, tasks, datasets, generators, or recipes of encoders."""
    from ghbench.registry import plugins

    rows = [_row(plugin, ready=ready) for plugin in plugins(cast("Kind", kind.removesuffix("s")))]
    if as_json:
        print_json(rows)
        return
    head = ["name", "package", *(["ready"] if ready else []), "summary"]
    print_columns(head, [[row[name] for name in head] for row in rows])


def _row(plugin: Plugin, *, ready: bool) -> dict[str, str]:
    from ghbench.plugin_summary import summary

    about = summary(plugin)
    text = about.text if about.error is None else f"broken: {about.error}"
    row = {"name": plugin.name, "package": plugin.package, "target": plugin.target, "summary": text}
    if ready:
        from ghbench.running.readiness import readiness

        lacking = readiness(plugin)
        row["ready"] = "yes" if lacking is None else "no"
        if lacking is not None:
            row["summary"] = lacking
    return row
