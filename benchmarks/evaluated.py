"""A system evaluated on a task, with its records: what benchmarks compare beyond the numbers of a table."""

from __future__ import annotations

import pandas as pd

from ghbench.results import files
from ghbench.results.schema import Result
from ghbench.running import runner
from ghbench.running.options import RunOptions, StorageDtype
from ghbench.task import Task


def evaluated(system: str, task: Task, dtype: StorageDtype = "float32") -> tuple[Result, pd.DataFrame]:
    """Run a system, given as spec string, unless its result is there; the result and its records."""
    result = runner.run(system, task, RunOptions(dtype=dtype))
    path = files.result_path(files.task_folder(result.task.name), result.subject.name, result.digest, None)
    return result, files.load_records(path, result)
