"""The command for the first result of a task."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ghbench.task import Task


def command_for(task: Task, spec: str) -> str:
    """`ghbench run` with the task's reference rows.

    Args:
        task: The task.
        spec: Its spec string, as the user wrote it.
    """
    references = " --references" if task.references else ""
    return f"ghbench run -e EXTRACTOR -t {shlex.quote(spec)}{references}"
