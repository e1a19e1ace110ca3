"""Parquet within bounds: a kilobyte of it can stand for gigabytes of equal rows or repeated texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyarrow import Table
    from pyarrow.parquet import ParquetFile

_ROWS = 65_536
_TEXT = "BYTE_ARRAY"


def table_within(file: ParquetFile, most: int) -> Table | None:
    """The table in a file, None where it would take more than `most` bytes."""
    import pyarrow as pa

    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    if sum(group.total_byte_size for group in groups) > most:
        return None
    columns = [group.column(number) for group in groups for number in range(group.num_columns)]
    # No text is longer than what all texts unpack to, so that no batch is much larger than the bound.
    texts = sum(column.total_uncompressed_size for column in columns if column.physical_type == _TEXT)
    batches, held = [], 0
    for batch in file.iter_batches(batch_size=max(1, min(_ROWS, most // max(texts, 1)))):
        held += batch.nbytes
        if held > most:
            return None
        batches.append(batch)
    return pa.Table.from_batches(batches, schema=file.schema_arrow)
