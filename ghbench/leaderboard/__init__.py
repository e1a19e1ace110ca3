"""Tables: published results and one's own, ranked with respect for noise, in every format."""

from ghbench.leaderboard.collect import Entry, collect, entries_of, published_folder
from ghbench.leaderboard.compare import Comparison, compare
from ghbench.leaderboard.table import Row, Table, rank_table

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
]
