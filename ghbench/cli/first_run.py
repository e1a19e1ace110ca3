"""The command that makes the first result of a task."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ghbench.task import Task


def command_for(task: Task, spec: str) -> str:
    """`ghbench run` with the extractors that the task names as its references.

    Args:
        task: The task.
        spec: The spec string that the user gave for it.
    """
    named = [f"-e {shlex.quote(name)}" for name in task.references] or ["-e EXTRACTOR"]
    return f"ghbench run {' '.join(named)} -t {shlex.quote(spec)}"
