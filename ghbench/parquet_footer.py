"""The footer of a Parquet file: Arrow, asked for a column's damaged metadata, ends the whole process.

Source: the Parquet format's `parquet.thrift`, and the specification of Thrift's compact protocol.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ghbench.files import open_regular

MAGIC = b"PAR1"
_DEEPEST = 32
_GROUPS = 4
_COLUMNS, _GROUP_BYTES = 1, 2
_COLUMN = 3
_TYPE, _VALUES = 1, 5


@dataclass(frozen=True, slots=True)
class ColumnChunk:
    """What is said of a column's values in a group of rows.

    Args:
        kind: Number of the physical type.
        values: How many values, those of lists and empty ones too.
    """

    kind: int
    values: int


@dataclass(frozen=True, slots=True)
class RowGroup:
    """What is said of a group of rows.

    Args:
        size: Bytes of its pages, unpacked.
        columns: One chunk a column.
    """

    size: int
    columns: tuple[ColumnChunk, ...]


def row_groups(path: Path) -> list[RowGroup]:
    """The groups of rows that a file declares.

    Raises:
        ValueError: The footer is damaged.
        DataError: It is missing or no regular file.
    """
    with open_regular(path) as stream:
        size = stream.seek(0, 2)
        stream.seek(max(size - 8, 0))
        length, magic = struct.unpack("<I4s", stream.read(8).rjust(8, b"\0"))
        if magic != MAGIC or length > size - 8:
            raise ValueError("no footer of Parquet")
        stream.seek(size - 8 - length)
        footer = _Compact(stream.read(length)).struct()
    try:
        return [
            RowGroup(int(group[_GROUP_BYTES]), tuple(
                ColumnChunk(int(column[_COLUMN][_TYPE]), int(column[_COLUMN][_VALUES])) for column in group[_COLUMNS]
            ))
            for group in footer.get(_GROUPS, ())
        ]  # fmt: skip
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"a footer without {error}") from error


_TRUE, _FALSE = 1, 2


class _Compact:
    """A reader of Thrift's compact protocol: structs are dictionaries by the number of their fields.

    Args:
        content: The bytes.
    """

    def __init__(self, content: bytes) -> None:
        self.content, self.place, self.depth = content, 0, 0

    def struct(self) -> dict[int, Any]:
        found: dict[int, Any] = {}
        number = 0
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ValueError("a footer nested too deeply")
        while head := self.byte():
            number = number + (head >> 4) if head >> 4 else self.signed()
            kind = head & 15
            found[number] = kind == _TRUE if kind in {_TRUE, _FALSE} else self._value(kind)
        self.depth -= 1
        return found

    def _value(self, kind: int) -> Any:
        read = _READERS.get(kind)
        if read is None:
            raise ValueError(f"a footer with values of kind {kind}")
        return read(self)

    def elements(self) -> list[Any]:
        head = self.byte()
        count, kind = head >> 4, head & 15
        count = self.number() if count == 15 else count
        return [self._value(kind) for _ in range(self._within(count))]

    def pairs(self) -> list[tuple[Any, Any]]:
        count = self._within(self.number())
        kinds = self.byte() if count else 0
        return [(self._value(kinds >> 4), self._value(kinds & 15)) for _ in range(count)]

    def _within(self, count: int) -> int:
        """A number of elements, each of a byte at least."""
        if count > len(self.content) - self.place:
            raise ValueError("a footer that ends too early")
        return count

    def bytes(self, count: int) -> bytes:
        self.place += self._within(count)
        return self.content[self.place - count : self.place]

    def byte(self) -> int:
        return self.bytes(1)[0]

    def number(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise ValueError("a footer with a number that never ends")

    def signed(self) -> int:
        value = self.number()
        return (value >> 1) ^ -(value & 1)


_READERS: dict[int, Callable[[_Compact], Any]] = {
    _TRUE: _Compact.byte, _FALSE: _Compact.byte,  # in lists a truth value is a byte
    3: _Compact.byte, 4: _Compact.signed, 5: _Compact.signed, 6: _Compact.signed,
    7: lambda reader: struct.unpack("<d", reader.bytes(8))[0],
    8: lambda reader: reader.bytes(reader.number()),
    9: _Compact.elements, 10: _Compact.elements, 11: _Compact.pairs, 12: _Compact.struct,
}  # fmt: skip
