"""Tables: published results and one's own, ranked with respect for noise, in every format."""

from ghbench.tables.collect import Damage, Entry, collect, entries_of, published_folder
from ghbench.tables.compare import Comparison, compare
from ghbench.tables.table import Row, Table, rank_table, table_of_results

__all__ = [
    "Comparison",
    "Damage",
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
