"""The `ghbench` command: verbs, and how errors leave the process."""

from __future__ import annotations

import sys

import typer

from ghbench.cli import assets, cache, compare, describe, doctor, figures, leaderboard, listing, run, verify
from ghbench.errors import UserError

app = typer.Typer(
    name="ghbench",
    help="How good are these features, really? Results on stdout, progress on stderr.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("leaderboard")(leaderboard.leaderboard)
app.command("figures")(figures.figures)
app.command("compare")(compare.compare)
app.command("verify")(verify.verify)
app.command("list")(listing.list_plugins)
app.command("describe")(describe.describe)
app.command("doctor")(doctor.doctor)
app.add_typer(cache.app, name="cache", help="Stored features: list, verify, clear, import.")
app.add_typer(assets.app, name="assets", help="Weights and data from outside: list, fetch, path, import, verify.")

INTERRUPTED = 130


def main() -> None:
    """Run the command line; a UserError is printed without a traceback and leaves with its exit code."""
    try:
        app()
    except UserError as error:
        print(f"ghbench: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _say_interrupted()
        sys.exit(INTERRUPTED)
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:  # typer turns the interrupt into this, without a word
            _say_interrupted()
        raise


def _say_interrupted() -> None:
    print("ghbench: interrupted; the same command goes on where it stopped", file=sys.stderr)  # noqa: T201
