"""The command for the first result of a task."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ghbench.task import Task


def command_for(task: Task, spec: str) -> str:
    """`ghbench run` with the task's reference extractors.

    Args:
        task: The task.
        spec: Its spec string, as the user wrote it.
    """
    extractors = [f"-e {shlex.quote(name)}" for name in task.references] or ["-e EXTRACTOR"]
    return f"ghbench run {' '.join(extractors)} -t {shlex.quote(spec)}"
