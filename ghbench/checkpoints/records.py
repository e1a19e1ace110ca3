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
    """What reading a file may cost, shared by all readers of its parts.

    A file can name the same list, text or dictionary thousands of times: whatever is copied, hashed or walked again
    at the file's word is charged here first, so that memory and time are bounded by the file's size.

    Args:
        steps: Pickle instructions and comparisons of keys left. Large real checkpoints have some tens of thousands, and
            the costliest instruction allocates about 300 bytes.
        parts: Items of containers left to copy or walk.
        bytes: Bytes of arrays and text left to declare or copy.
    """

    steps: int = 400_000
    parts: int = 200_000
    bytes: int = 0

    @classmethod
    def for_file(cls, size: int) -> Budget:
        """The budget of a file of `size` bytes: an honest array is copied four times at most between file and use."""
        return cls(bytes=8 * size + 2**20)

    def spend_steps(self, count: int = 1) -> None:
        """Charge pickle instructions or comparisons.

        Raises:
            DataError: The budget is spent.
        """
        self.steps -= count
        if self.steps < 0:
            raise refusal("the pickle has too many instructions")

    def spend_parts(self, count: int = 1) -> None:
        """Charge items of containers, before they are copied or walked.

        Raises:
            DataError: The budget is spent.
        """
        self.parts -= count
        if self.parts < 0:
            raise refusal("the file repeats its parts too often")

    def spend_bytes(self, count: int) -> None:
        """Charge bytes of arrays and text, before they are allocated.

        Raises:
            DataError: The budget is spent.
        """
        self.bytes -= count
        if count < 0 or self.bytes < 0:
            raise refusal("the file declares larger arrays or texts than it holds")


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
