"""The conformance kits that plugin authors import into their own tests.

from ghbench.testing import check_extractor

def test_my_extractor_keeps_the_contract():
    check_extractor(MyExtractor())

Nothing is imported before it is used: pytest loads this package in each of its runs, for `pytest --ghbench NAME`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ghbench.testing.datasets import check_dataset
    from ghbench.testing.extractors import check_extractor
    from ghbench.testing.generators import check_generator
    from ghbench.testing.images import pictures
    from ghbench.testing.navigators import check_navigator
    from ghbench.testing.plugins import check_plugin
    from ghbench.testing.tasks import check_task
    from ghbench.testing.violation import ConformanceError

_MODULES = {
    "ConformanceError": "violation", "check_dataset": "datasets", "check_extractor": "extractors",
    "check_generator": "generators", "check_navigator": "navigators", "check_plugin": "plugins", "check_task": "tasks",
    "pictures": "images",
}  # fmt: skip
__all__ = [
    "ConformanceError",
    "check_dataset",
    "check_extractor",
    "check_generator",
    "check_navigator",
    "check_plugin",
    "check_task",
    "pictures",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'ghbench.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"ghbench.testing.{_MODULES[name]}"), name)
