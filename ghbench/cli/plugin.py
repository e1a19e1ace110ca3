"""`ghbench plugin`: a package for a plugin of one's own, and whether a plugin keeps its contract."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from ghbench.cli.terminal import say

app = typer.Typer(no_args_is_help=True)
Kind = Literal["extractor", "navigator", "task", "dataset", "generator"]


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Name of the package and of its plugin: my-extractor.")],
    kind: Annotated[Kind, typer.Option(help="What it is.")] = "extractor",
    out: Annotated[Path, typer.Option("--out", "-o", help="Where its folder is made.")] = Path(),
) -> None:
    """Write a package that installs, passes its tests and runs: put your network, images or protocol into it.

    ghbench plugin new my-extractor

    ghbench plugin new my-task --kind task
    """
    from ghbench.testing.scaffold import new_plugin, next_steps

    for path in new_plugin(name, out, kind):
        say(str(path))
    folder = shlex.quote(str(out / name))
    say(f"next: pip install -e {folder} && ghbench plugin check {name} && {next_steps(name, kind)[0]}")


@app.command("check")
def check(
    plugin: Annotated[str, typer.Argument(help="Spec string: a name, my_pkg.my_module:MyNet, ./my.py:Net.")],
    kind: Annotated[Kind | None, typer.Option(help="What it is; default: what it shows itself to be.")] = None,
) -> None:
    """Check a plugin against the contract of its kind; exit code 1 with the sentence that does not hold.

    ghbench plugin check my_pkg.my_module:MyNet
    """
    from ghbench.errors import DataError, UserError
    from ghbench.testing import ConformanceError, check_plugin
    from ghbench.user_code import user_frame

    fix = "the page of its kind in docs/ says what is expected"
    try:
        found, name = check_plugin(plugin, kind)
    except ConformanceError as error:
        raise DataError(str(error), fix=fix) from error
    except UserError:
        raise
    except Exception as error:
        raise DataError(f"{plugin}: {type(error).__name__}: {error}{user_frame(error)}", fix=fix) from error
    say(f"{name} keeps the contract of {found}s")
