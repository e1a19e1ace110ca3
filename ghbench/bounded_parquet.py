"""Parquet within bounds: a kilobyte of it can stand for gigabytes of equal rows or repeated texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ghbench.parquet_footer import row_groups

if TYPE_CHECKING:
    from pyarrow import ChunkedArray, Table

_WIDTHS = dict(enumerate((1, 4, 8, 12, 4, 8)))
"""Bytes of a value by the number of its physical type, from BOOLEAN to DOUBLE."""
_TEXT, _FIXED = "BYTE_ARRAY", 7


def table_within(path: Path, most: int) -> Table | None:
    """The table in a file, None where it would take more than `most` bytes.

    Texts are read as numbers of a dictionary, as they are mostly stored, and written out only when it is known how long
    they are together.
    """
    from pyarrow import parquet, types

    with parquet.ParquetFile(path) as file:
        columns = [file.schema.column(number) for number in range(len(file.schema))]
        texts = [column.path for column in columns if column.physical_type == _TEXT]
        lengths = [column.length for column in columns]
        if _declared(path, lengths) > most:
            return None
        schema = file.schema_arrow
    with parquet.ParquetFile(path, read_dictionary=texts) as file:
        table = file.read()
    written_out = [
        field.name for field in schema if not types.is_dictionary(field.type)
        and types.is_dictionary(table.schema.field(field.name).type)
    ]  # fmt: skip
    if sum(_length(table.column(name)) for name in written_out) > most:
        return None
    for name in written_out:
        place = table.schema.get_field_index(name)
        table = table.set_column(place, schema.field(name), table.column(name).cast(schema.field(name).type))
    return table


def _declared(path: Path, lengths: Sequence[int]) -> int:
    """Bytes that a file's columns take, repeated texts left out; `lengths` are those of values of fixed length."""
    total = 0
    for group in row_groups(path):
        total += group.size
        for chunk, length in zip(group.columns, lengths, strict=True):
            width = length if chunk.kind == _FIXED else _WIDTHS.get(chunk.kind, 4)
            total += chunk.values * width
    return total


def _length(column: ChunkedArray) -> int:
    """Bytes of the texts of a column that holds numbers of a dictionary."""
    from pyarrow import compute

    total = 0
    for chunk in column.chunks:
        lengths = compute.binary_length(chunk.dictionary).take(chunk.indices)
        total += compute.sum(lengths).as_py() or 0
    return total
