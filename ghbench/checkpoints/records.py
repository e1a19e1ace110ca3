"""What the unpickler puts in place of foreign classes and functions: names and plain values that can do nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ghbench.errors import DataError


def refused(reason: str) -> DataError:
    """The error for a file whose content is refused."""
    return DataError(
        f"refused: {reason}",
        fix="only load checkpoints in a format that the page on checkpoints lists; get the file again from its author",
    )


@dataclass
class Budget:
    """What one file may cost, shared by every pickle inside it.

    Args:
        opcodes: Pickle instructions that may still be read; large real checkpoints have some ten thousands, and the
            costliest instruction makes about 300 bytes.
        array_bytes: Bytes of arrays and storages that may still be declared.
    """

    opcodes: int = 400_000
    array_bytes: int = 0

    @classmethod
    def for_file(cls, size: int) -> Budget:
        """The budget of a file of `size` bytes: its arrays cannot honestly be much larger than the file."""
        return cls(array_bytes=4 * size + 65_536)

    def spend_opcode(self) -> None:
        """Count one pickle instruction.

        Raises:
            DataError: There are too many.
        """
        self.opcodes -= 1
        if self.opcodes < 0:
            raise refused("the pickle has more instructions than any known checkpoint")

    def spend_bytes(self, count: int) -> None:
        """Count declared array bytes, before anything of that size is made.

        Raises:
            DataError: The file declares more than it can hold.
        """
        self.array_bytes -= count
        if count < 0 or self.array_bytes < 0:
            raise refused("the arrays that the file declares are larger than the file")


Call = Callable[[Budget, tuple[Any, ...]], Any]


@dataclass(frozen=True)
class Global:
    """A name from the allow-list; `call` is our own stand-in, or None where the name is only a value."""

    name: str
    call: Call | None = None


@dataclass
class Record:
    """An object of a foreign class: its name, the arguments it was made with and its state, all inert."""

    kind: str
    arguments: tuple[Any, ...] = ()
    state: Any = field(default=None)

    def build(self, state: Any) -> None:
        """Keep the pickled state, once.

        Raises:
            DataError: It was set before.
        """
        if self.state is not None:
            raise refused(f"an object of {self.kind} has two states")
        self.state = state


Allowed = Mapping[str, Call | None]


def inert(kind: str) -> Call:
    """A stand-in for the class `kind` that makes records."""

    def make(_budget: Budget, arguments: tuple[Any, ...]) -> Record:
        return Record(kind, arguments)

    return make
