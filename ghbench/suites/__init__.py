"""Suites: extractors on several tasks, declared in YAML, checked before anything runs, shown as one matrix."""

from ghbench.suites.definition import Suite, SuiteTask, load_suite, shipped_suites, suite_of
from ghbench.suites.matrix import Matrix
from ghbench.suites.running import ready_tasks, run_suite

__all__ = ["Matrix", "Suite", "SuiteTask", "load_suite", "ready_tasks", "run_suite", "shipped_suites", "suite_of"]
