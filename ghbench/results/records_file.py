"""Reads Parquet of records within bounds: a megabyte of it can stand for gigabytes of equal rows or repeated texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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
            about = file.metadata
            unpacked = sum(about.row_group(group).total_byte_size for group in range(about.num_row_groups))
            # Cells are counted as well: a column of nothing but nulls takes no bytes here, but some in pandas.
            if unpacked > LARGEST or about.num_rows * about.num_columns > _MOST_CELLS:
                raise _too_large(path)
            if any(map(pa.types.is_nested, file.schema_arrow.types)):
                raise DataError(f"{path} holds lists or records in its cells, which results never do", fix=_FIX)
            # No text is longer than what all pages unpack to, so that no batch is much larger than the bound.
            rows = max(1, min(65_536, LARGEST // max(unpacked, 1)))
            batches, held = [], 0
            for batch in file.iter_batches(batch_size=rows):
                held += batch.nbytes
                if held > LARGEST:
                    raise _too_large(path)
                batches.append(batch)
            table: pd.DataFrame = pa.Table.from_batches(batches, schema=file.schema_arrow).to_pandas()
            return table
    except UserError:
        raise
    except Exception as error:  # pyarrow raises whatever the bytes lead to
        reason = f"{type(error).__name__}: {error}"[:200]
        raise DataError(f"{path} is not readable as Parquet: {reason}", fix=_FIX) from error


def _too_large(path: Path) -> DataError:
    return DataError(f"{path} holds more than {LARGEST / 2**20:.0f} MB of records", fix=_FIX)
