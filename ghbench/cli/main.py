"""The `ghbench` command: its verbs, error messages and exit codes."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from typing import Annotated

import typer

from ghbench.allocation import keep_freed_memory
from ghbench.cli import (
    assets,
    cache,
    cite,
    compare,
    convert,
    describe,
    distance,
    doctor,
    edit,
    errors,
    extract,
    figures,
    generate,
    leaderboard,
    levels,
    listing,
    plugin,
    reproduce,
    results,
    run,
    serve,
    similarity,
    train,
    verify,
)
from ghbench.cli.terminal import complain, say
from ghbench.errors import UserError, disk_error
from ghbench.foreign_output import answers_only
from ghbench.version import __version__

app = typer.Typer(
    name="ghbench",
    no_args_is_help=True,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("extract")(extract.extract)
app.command("serve")(serve.serve)
app.command("figures")(figures.figures)
app.command("compare")(compare.compare)
app.command("similarity")(similarity.similarity)
app.command("levels")(levels.levels)
app.command("distance")(distance.distance)
app.command("errors")(errors.errors)
app.command("verify")(verify.verify)
app.command("reproduce")(reproduce.reproduce)
app.command("list")(listing.list_plugins)
app.command("describe")(describe.describe)
app.command("cite")(cite.cite)
app.command("generate")(generate.generate)
app.command("convert")(convert.convert)
app.command("doctor")(doctor.doctor)
app.add_typer(leaderboard.app, name="leaderboard", help="Published rows and yours, ranked; `build` writes a site.")
app.add_typer(plugin.app, name="plugin", help="Plugins: write a new one, check one.")
app.add_typer(results.app, name="results", help="Your own results: list, show, rename, remove, export.")
app.add_typer(train.app, name="train", help="Train generators, heads and encoders; interrupted runs resume.")
app.add_typer(edit.app, name="edit", help="Edit images: reconstruct, mix, global, local, harmonize, traverse.")
app.add_typer(cache.app, name="cache", help="Stored features: list, verify, clear, push, pull, import.")
app.add_typer(assets.app, name="assets", help="External weights and data: list, fetch, path, import, verify.")

INTERRUPTED = 130
PIPE_CLOSED = 141
_TRACEBACK = "--traceback"


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version and exit.")] = False,
    _traceback: Annotated[
        bool, typer.Option("--traceback", help="Show whole tracebacks of errors; it may also stand after the verb.")
    ] = False,
) -> None:
    """How good are these features, really? Results on stdout, progress on stderr."""
    if version:
        say(f"ghbench {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; errors that the user can fix are printed without a traceback and set the exit code.

    Even a bug's traceback is printed by `say`, since a plugin or file may have written its message.
    """
    keep_freed_memory()
    arguments = sys.argv[1:]
    if _TRACEBACK in arguments:
        arguments.remove(_TRACEBACK)
        log = logging.getLogger("ghbench")
        log.addHandler(_Tracebacks(logging.DEBUG))
        log.setLevel(logging.DEBUG)
    try:
        with answers_only():
            app(arguments)
    except UserError as error:
        logging.getLogger("ghbench").debug("", exc_info=error)
        complain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _say_interrupted()
        sys.exit(INTERRUPTED)
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:  # typer silently turns the interrupt into this
            _say_interrupted()
        raise
    except BrokenPipeError:  # the reader of our output has closed it, as in `ghbench list extractors | head -1`
        _flush_stdout()
        sys.exit(PIPE_CLOSED)
    except Exception as error:
        refused = disk_error(error) if isinstance(error, OSError) else None
        if refused is None:
            say("".join(traceback.format_exception(error)), err=True)
        else:
            logging.getLogger("ghbench").debug("", exc_info=error)
            complain(refused)
        _flush_stdout()
        sys.exit(1)


class _Tracebacks(logging.Handler):
    """Prints the tracebacks that are logged, and warnings as they are printed without it."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            say(record.getMessage(), err=True)
        if record.exc_info is not None and record.exc_info[1] is not None:
            say("".join(traceback.format_exception(record.exc_info[1])).rstrip(), err=True)


def _say_interrupted() -> None:
    complain("interrupted; run the same command again, it keeps what is finished")


def _flush_stdout() -> None:
    """Flush stdout; if that fails, redirect it, so that Python does not report the error again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
