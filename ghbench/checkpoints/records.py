"""Inert stand-ins for classes and functions in a pickle, and the budget of a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ghbench.errors import DataError


def refusal(reason: str) -> DataError:
    """The error for a file whose content is damaged or forbidden."""
    return DataError(
        f"refused: {reason}",
        fix="get the file again from its author; docs/generators.md lists the formats that ghbench reads",
    )


@dataclass
class Budget:
    """What reading a file may cost, shared by all pickles in it.

    Args:
        opcodes: Pickle instructions left; large real checkpoints have some tens of thousands, and the costliest
            instruction allocates about 300 bytes.
        array_bytes: Bytes of arrays and storages left to declare.
    """

    opcodes: int = 400_000
    array_bytes: int = 0

    @classmethod
    def for_file(cls, size: int) -> Budget:
        """The budget of a file of `size` bytes: its arrays cannot be much larger than the file."""
        return cls(array_bytes=4 * size + 65_536)

    def spend_opcode(self) -> None:
        """Charge one pickle instruction.

        Raises:
            DataError: The budget is spent.
        """
        self.opcodes -= 1
        if self.opcodes < 0:
            raise refusal("the pickle has too many instructions")

    def spend_bytes(self, count: int) -> None:
        """Charge declared array bytes, before they are allocated.

        Raises:
            DataError: The budget is spent.
        """
        self.array_bytes -= count
        if count < 0 or self.array_bytes < 0:
            raise refusal("the file declares larger arrays than it holds")


Call = Callable[[Budget, tuple[Any, ...]], Any]


@dataclass(frozen=True)
class Global:
    """A name from the allow-list; `call` is its stand-in, None where the name is only a value."""

    name: str
    call: Call | None = None


@dataclass
class Record:
    """An object of some class: the class name, constructor arguments and state, all inert."""

    kind: str
    arguments: tuple[Any, ...] = ()
    state: Any = field(default=None)

    def build(self, state: Any) -> None:
        """Set the pickled state.

        Raises:
            DataError: It is already set.
        """
        if self.state is not None:
            raise refusal(f"an object of {self.kind} has two states")
        self.state = state


Allowed = Mapping[str, Call | None]


def inert(kind: str) -> Call:
    """A stand-in for the class `kind` that makes records."""

    def make(_budget: Budget, arguments: tuple[Any, ...]) -> Record:
        return Record(kind, arguments)

    return make
