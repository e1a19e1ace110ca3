"""`ghbench plugin`: a package for an extractor of one's own, and whether a plugin keeps its contract."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ghbench.cli.terminal import say

app = typer.Typer(no_args_is_help=True)
Kind = Literal["extractor", "navigator", "task"]


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Name of the package and of its extractor: my-extractor.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where its folder is made.")] = Path(),
) -> None:
    """Write a package that installs, passes its tests and runs: put your network into it.

    ghbench plugin new my-extractor
    """
    from ghbench.testing.scaffold import new_plugin

    for path in new_plugin(name, out):
        say(str(path))
    folder = shlex.quote(str(out / name))
    say(f"next: pip install -e {folder} && ghbench plugin check {name} && ghbench run -e {name} -t orl")


@app.command("check")
def check(
    plugin: Annotated[str, typer.Argument(help="Spec string: a name, my_pkg.my_module:MyNet, ./my.py:Net.")],
    kind: Annotated[Kind, typer.Option(help="What it is; navigators are extractors.")] = "extractor",
) -> None:
    """Check a plugin against the contract of its kind; exit code 1 with the sentence that does not hold.

    ghbench plugin check my_pkg.my_module:MyNet
    """
    from ghbench.errors import DataError
    from ghbench.running.request import load_task, subject_request
    from ghbench.testing import ConformanceError, check_extractor, check_navigator, check_task

    try:
        if kind == "task":
            task = load_task(plugin)
            check_task(task)
            name = task.name
        else:
            subject: Any = subject_request(plugin).build()
            directs = hasattr(subject, "directions")
            if kind == "navigator" and not directs:
                raise ConformanceError(f"{plugin} has no directions(codes)")
            kind = "navigator" if directs else "extractor"
            name = (check_navigator if kind == "navigator" else check_extractor)(subject).name
    except ConformanceError as error:
        raise DataError(str(error), fix="docs/extractors.md and docs/tasks.md say what is expected") from error
    say(f"{name} keeps the contract of {kind}s")
