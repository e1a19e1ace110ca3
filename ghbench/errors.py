"""Errors that a user can cause: each says what was wrong, what was expected and the command that mends it.

The command line prints them without a traceback and leaves with their exit code.
"""

from __future__ import annotations


class UserError(Exception):
    """Something that the user can put right.

    Args:
        message: What was wrong and what was expected.
        fix: The command or the change that mends it, if there is one.
    """

    exit_code = 1

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return self.message if self.fix is None else f"{self.message}\n  mend it: {self.fix}"


class UsageError(UserError):
    """A wrong spec string, option or argument (exit code 2)."""

    exit_code = 2


class MissingError(UserError):
    """Data, weights or an optional package that this machine does not have (exit code 3)."""

    exit_code = 3


class DataError(UserError):
    """A file, image or array that is not what it should be."""


class FeatureError(UserError):
    """Features that no honest number can be computed from: NaN, Inf, wrong shape, collapsed rows."""


class ProtocolError(UserError):
    """A run that the protocol of a task forbids, for instance weights that were fitted on the reported images."""


class PluginError(UserError):
    """A plugin that cannot be imported, found or built."""
