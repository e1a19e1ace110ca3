"""The command line: one module per verb, without logic of its own; heavy imports happen when a verb runs."""

from ghbench.cli.main import app, main

__all__ = ["app", "main"]
