"""Errors that a user can cause: each says what was wrong, what was expected and the command that fixes it.

The command line prints them without a traceback and leaves with their exit code.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ghbench import locations

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_MISPLACED = frozenset({errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP})
"""A file where a folder is needed, a folder where a file is, or a name that the disk refuses."""


_OTHERS = {
    errno.ESTALE: "it was moved or deleted meanwhile; run the command again",
    errno.EFBIG: "raise the limit on the size of files: ulimit -f unlimited",
    errno.EMFILE: "raise the limit on open files: ulimit -n 4096",
    errno.ENFILE: "close other programs: the system has too many open files",
    errno.ENAMETOOLONG: "choose a shorter name or folder",
    errno.ELOOP: "name the file itself: this link leads to itself",
    errno.EIO: "check the disk or the network drive, and run the command again",
}


class UserError(Exception):
    """Something that the user can put right.

    Args:
        message: What was wrong and what was expected.
        fix: The command or change that fixes it, if there is one.
    """

    exit_code = 1

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return self.message if self.fix is None else f"{self.message}\n  fix: {self.fix}"


class UsageError(UserError):
    """A wrong spec string, option or argument (exit code 2)."""

    exit_code = 2


class AbilityError(UsageError):
    """A subject that cannot do what the task asks for."""


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


class UnknownPluginError(PluginError, UsageError):
    """A module, file or class that is not there (exit code 2)."""


def disk_error(error: OSError) -> UserError | None:
    """The same error in the user's words.

    Args:
        error: What reached the top of the program.

    Returns:
        Path, reason and what mends it; None for errors that are not the disk's, but a bug.
    """
    if error.errno not in {errno.ENOENT} | _FULL | _FORBIDDEN | _MISPLACED | _OTHERS.keys():
        return None
    try:
        path = None if error.filename is None else Path(os.fsdecode(error.filename)).absolute()
        variable = None if path is None else _variable(path)
    except FileNotFoundError:  # the folder in which the command was started
        return UserError("the current folder no longer exists", fix="cd to a folder that does")
    if error.errno == errno.ENOENT:
        folder = f"set {variable} to a folder that you may write to" if variable else "name a place that is there"
        fix = f"{folder}; if it was moved or deleted meanwhile, run the command again"
    elif error.errno in _FULL:
        fix = "free some space" + (f", or set {variable} to a folder with more of it" if variable else "")
    elif error.errno in _OTHERS:
        fix = _OTHERS[error.errno]
    elif variable is not None:
        fix = f"set {variable} to a folder that you may write to"
    elif error.errno in _MISPLACED:
        fix = "name another place, or move what is there"
    else:
        fix = "name a place that you may read and write, or change its permissions"
    if path is None and error.errno == errno.ENOENT:
        return UserError("the current folder no longer exists", fix="cd to a folder that does")
    place = "output" if path is None else path
    return UserError(f"{place}: {os.strerror(error.errno)}", fix=fix)


def _variable(path: Path) -> str | None:
    """The environment variable that names the innermost of our folders around a path, or those inside it."""
    ours = {
        "GHBENCH_HOME": locations.home(),
        "GHBENCH_CACHE": locations.cache(),
        "GHBENCH_DATA": locations.data(),
    }
    inside = [name for name, folder in ours.items() if path.is_relative_to(folder)]
    if inside:
        return max(inside, key=lambda name: len(ours[name].parts))
    # Making the first file also makes the folder and those around it, and any of them may be refused.
    if ours["GHBENCH_DATA"].is_relative_to(ours["GHBENCH_HOME"]):
        del ours["GHBENCH_DATA"]
    return " and ".join(name for name, folder in ours.items() if folder.is_relative_to(path)) or None
