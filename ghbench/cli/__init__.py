"""The command line: one module a verb; it holds no logic of its own, and imports what a verb needs when it runs."""

from ghbench.cli.main import app, main

__all__ = ["app", "main"]
