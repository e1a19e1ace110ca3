"""How good are these features, really? The public API in one screen.

    import ghbench
    result = ghbench.run(extractor="mobilenet-v2", task="orl")
    print(result.metric("accuracy"))

Nothing heavy is imported before it is used: neither torch nor any plugin.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ghbench.version import __version__

if TYPE_CHECKING:
    from ghbench.api import (
        compare,
        evaluate,
        leaderboard,
        list_datasets,
        list_extractors,
        list_generators,
        list_tasks,
        load_dataset,
        load_extractor,
        load_generator,
        load_task,
        run,
        run_suite,
        wrap,
    )

__all__ = [
    "__version__",
    "compare",
    "evaluate",
    "leaderboard",
    "list_datasets",
    "list_extractors",
    "list_generators",
    "list_tasks",
    "load_dataset",
    "load_extractor",
    "load_generator",
    "load_task",
    "run",
    "run_suite",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("ghbench.api"), name)
    raise AttributeError(f"module 'ghbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
