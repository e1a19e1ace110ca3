"""What this machine's disk refuses, as an error that the user can put right."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ghbench import locations
from ghbench.errors import UserError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_MISPLACED = frozenset({errno.EEXIST, errno.ENOTDIR, errno.EISDIR})
"""A file where a folder is needed, or a folder where a file is."""


def disk_error(error: OSError) -> UserError | None:
    """The same error in the user's words.

    Args:
        error: What reached the top of the program.

    Returns:
        Path, reason and what mends it; None for errors that are not the disk's, but a bug.
    """
    if error.errno not in _FULL | _FORBIDDEN | _MISPLACED:
        return None
    path = None if error.filename is None else Path(os.fsdecode(error.filename)).absolute()
    variable = None if path is None else _variable(path)
    if error.errno in _FULL:
        fix = "free some space" + (f", or set {variable} to a folder with more of it" if variable else "")
    elif variable is not None:
        fix = f"set {variable} to a folder that you may write to"
    elif error.errno in _MISPLACED:
        fix = "name another place, or move what is there"
    else:
        fix = "name a place that you may read and write, or change its permissions"
    place = "output" if path is None else path
    return UserError(f"{place}: {os.strerror(error.errno)}", fix=fix)


def _variable(path: Path) -> str | None:
    """The environment variable that names the innermost of our folders around a path."""
    ours = {
        "GHBENCH_HOME": locations.home(),
        "GHBENCH_CACHE": locations.cache(),
        "GHBENCH_DATA": locations.data(),
    }
    # Making the first file also makes the folder and those around it, and any of them may be refused.
    around = [name for name, folder in ours.items() if path.is_relative_to(folder) or folder.is_relative_to(path)]
    return max(around, key=lambda name: len(ours[name].parts), default=None)
