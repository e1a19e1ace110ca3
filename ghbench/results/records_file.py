"""Reads Parquet of records within bounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ghbench.bounded_parquet import table_within
from ghbench.errors import DataError, UserError
from ghbench.files import regular_file

if TYPE_CHECKING:
    import pandas as pd

LARGEST = 128 * 2**20
"""Bytes of a table in memory; the records of a result take a few."""
_MOST_CELLS = 2**25
_FIX = "run the pair again with --overwrite"


def read_records(path: Path) -> pd.DataFrame:
    """The table in a Parquet file.

    Raises:
        DataError: It is no regular file or no Parquet, is damaged, or would take more than `LARGEST` bytes.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(regular_file(path)) as file:
            if any(map(pa.types.is_nested, file.schema_arrow.types)):
                raise DataError(f"{path} holds lists or records in its cells, which results never do", fix=_FIX)
            # Cells are counted as well: a column of nothing but nulls takes no bytes here, but some in pandas.
            cells = file.metadata.num_rows * file.metadata.num_columns
        table = None if cells > _MOST_CELLS else table_within(path, LARGEST)
        if table is None:
            raise DataError(f"{path} holds more than {LARGEST / 2**20:.0f} MB of records", fix=_FIX)
        records: pd.DataFrame = table.to_pandas()
    except UserError:
        raise
    except Exception as error:  # pyarrow raises whatever the bytes lead to
        reason = f"{type(error).__name__}: {error}"[:200]
        raise DataError(f"{path} is not readable as Parquet: {reason}", fix=_FIX) from error
    return records
