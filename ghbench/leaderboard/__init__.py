"""Tables: published results and one's own, ranked with respect for noise, in every format."""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from ghbench.leaderboard.collect import Entry, collect, entries_of, published_folder
from ghbench.leaderboard.compare import Comparison, compare
from ghbench.leaderboard.table import Row, Table, rank_table, table_of_results

if TYPE_CHECKING:
    from ghbench.task import Task

__all__ = [
    "Comparison",
    "Entry",
    "Row",
    "Table",
    "collect",
    "compare",
    "entries_of",
    "published_folder",
    "rank_table",
    "table_of_results",
]


class _Package(ModuleType):
    """Makes `ghbench.leaderboard(task)` work although the package of that name hides the function once it is loaded."""

    def __call__(self, task: "str | Task") -> Table:
        from ghbench.api import leaderboard

        return leaderboard(task)


sys.modules[__name__].__class__ = _Package
