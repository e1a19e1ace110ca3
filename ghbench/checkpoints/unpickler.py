"""A pickle reader that cannot execute anything: a stack machine with an allow-list of inert stand-ins.

Python's `pickle` imports and calls whatever a file names. Here a name outside the allow-list is an error, an allowed
one is a function of ours that checks its arguments, and all else becomes a plain container or a `Record`. Sizes are
checked against the rest of the file before anything is allocated.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ghbench.checkpoints.file_buffer import Buffer, open_buffer
from ghbench.checkpoints.pickled_arrays import ArrayType, fill_array
from ghbench.checkpoints.plain_globals import checked_key
from ghbench.checkpoints.records import Allowed, Budget, Global, Record, refusal
from ghbench.errors import DataError

MAX_DEPTH = 200
MAX_MARKS = 500
MAX_LINE = 4_096
MAX_NAME = 200
MAX_INTEGER_BYTES = 255
MAX_TEXT = 64 * 2**20

_MARK = object()
# What a wrong byte can raise in a stand-in or in `struct`; all of it means a damaged file.
DAMAGE = (
    ArithmeticError, AttributeError, BufferError, EOFError, LookupError, MemoryError, RecursionError, TypeError,
    ValueError, struct.error,
)  # fmt: skip


def load_pickle(source: Path | bytes | BinaryIO, allowed: Allowed, *, budget: Budget | None = None) -> Any:
    """Read one pickle without executing anything.

    Args:
        source: File, bytes or an open binary stream.
        allowed: Stand-ins by name (`module.name`); None where the name is only a value.
        budget: What the pickle may cost; derived from the file's size by default.

    Returns:
        Plain containers, numbers, text, bytes, NumPy arrays and `Record`s.

    Raises:
        DataError: The file is damaged, declares more than it holds, or asks for a forbidden name.
    """
    with open_buffer(source) as buffer:
        return Unpickler(buffer, allowed, budget or Budget.for_file(len(buffer))).load()


class Unpickler:
    """One run of the stack machine.

    Args:
        buffer: Content of the file.
        allowed: See `load_pickle`.
        budget: Shared by all pickles of a file.
        persistent: Loads persistent ids; None forbids them.
        position: Where the pickle starts; after `load`, where it ended.
    """

    def __init__(
        self,
        buffer: Buffer,
        allowed: Allowed,
        budget: Budget,
        *,
        persistent: Callable[[Any], Any] | None = None,
        position: int = 0,
    ) -> None:
        self.buffer = buffer
        self.allowed = allowed
        self.budget = budget
        self.persistent = persistent
        self.position = position
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def load(self) -> Any:
        """Read up to the STOP instruction.

        Returns:
            The pickled object.

        Raises:
            DataError: See `load_pickle`.
        """
        try:
            while (code := self._byte()) != 0x2E:  # STOP
                self.budget.spend_steps()
                step = _STEPS.get(code)
                if step is None:
                    raise refusal(f"unknown pickle instruction {bytes([code])!r}")
                step(self)
            result = self._pop()
            if self._stack or self._marks:
                raise refusal("the pickle leaves objects on its stack")
        except DataError:
            raise
        except DAMAGE as error:
            raise DataError(
                f"the pickle is damaged at byte {self.position}: {type(error).__name__}", fix="get the file again"
            ) from error
        _check_depth(result)
        return result

    # Reading.

    # All reads go through `_bytes`, the one place that checks for the end of the file.
    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, count: int) -> bytes:
        end = self.position + count
        if count < 0 or end > len(self.buffer):
            raise DataError(
                f"the pickle is truncated: {count} bytes declared at byte {self.position} of {len(self.buffer)}",
                fix="get the file again",
            )
        content = self.buffer[self.position : end]
        self.position = end
        return content

    def _number(self, layout: str) -> Any:
        return struct.unpack(layout, self._bytes(struct.calcsize(layout)))[0]

    def _line(self, longest: int = MAX_LINE) -> bytes:
        end = self.buffer.find(b"\n", self.position, self.position + longest)
        if end < 0:
            raise refusal("a line of the pickle is truncated or too long")
        return self._bytes(end + 1 - self.position)[:-1]

    def _text(self, count: int) -> str:
        if count > MAX_TEXT:
            raise refusal(f"a text of {count} bytes")
        return str(self._bytes(count), "utf-8", "surrogatepass")

    # The stack.

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        floor = self._marks[-1] + 1 if self._marks else 0
        if len(self._stack) <= floor:
            raise refusal("the pickle pops from an empty stack")
        return self._stack.pop()

    def _since_mark(self) -> list[Any]:
        if not self._marks:
            raise refusal("the pickle pops to a mark that it never set")
        start = self._marks.pop()
        items = self._stack[start + 1 :]
        del self._stack[start:]
        return items

    def _mark(self) -> None:
        if len(self._marks) >= MAX_MARKS:
            raise refusal("the pickle is nested too deeply")
        self._marks.append(len(self._stack))
        self._stack.append(_MARK)

    def _pop_or_mark(self) -> None:
        if self._marks and self._marks[-1] == len(self._stack) - 1:
            self._since_mark()
        else:
            self._pop()

    def _duplicate(self) -> None:
        value = self._pop()
        self._stack += [value, value]

    def _put(self, index: int) -> None:
        value = self._pop()
        self._push(value)
        self._memo[index] = value

    # Containers.

    def _append(self, items: list[Any]) -> None:
        target = self._pop()
        if type(target) is not list:
            raise refusal(f"items appended to a {type(target).__name__}")
        target.extend(items)
        self._push(target)

    def _set_items(self, items: list[Any]) -> None:
        target = self._pop()
        if type(target) is not dict or len(items) % 2:
            raise refusal(f"keys set on a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[checked_key(key, self.budget, len(target))] = value
        self._push(target)

    def _dictionary(self) -> None:
        items = self._since_mark()
        self._push({})
        self._set_items(items)

    def _add_items(self, items: list[Any]) -> None:
        target = self._pop()
        if type(target) is not set:
            raise refusal(f"members added to a {type(target).__name__}")
        for item in items:
            target.add(checked_key(item, self.budget, len(target)))
        self._push(target)

    def _frozen_set(self) -> None:
        items = self._since_mark()
        self._push(frozenset(checked_key(item, self.budget, len(items)) for item in items))

    def _last(self, count: int) -> list[Any]:
        return [self._pop() for _ in range(count)][::-1]

    # Names and calls.

    def _find(self, module: Any, name: Any) -> Global:
        if not (type(module) is str and type(name) is str):
            raise refusal("the file asks for a name that is not text")
        full = f"{module[:MAX_NAME]}.{name[:MAX_NAME]}"
        if full not in self.allowed:
            raise refusal(f"the file asks for {full!r}")
        return Global(full, self.allowed[full])

    def _global(self) -> None:
        self._push(self._find(self._line().decode(), self._line().decode()))

    def _stack_global(self) -> None:
        module, name = self._last(2)
        self._push(self._find(module, name))

    def _call(self, function: Any, arguments: Any) -> None:
        if type(arguments) is not tuple:
            raise refusal("a call whose arguments are not a tuple")
        if type(function) is not Global or function.call is None:
            name = function.name if type(function) is Global else type(function).__name__
            raise refusal(f"a call of {name}, which is not a function")
        self._push(function.call(self.budget, arguments))

    def _reduce(self) -> None:
        function, arguments = self._last(2)
        self._call(function, arguments)

    def _instance(self) -> None:
        name = self._find(self._line().decode(), self._line().decode())
        self._call(name, tuple(self._since_mark()))

    def _object(self) -> None:
        function, *arguments = self._since_mark()
        self._call(function, tuple(arguments))

    def _build(self) -> None:
        target, state = self._last(2)
        if isinstance(target, (Record, ArrayType)):
            target.build(state)
        elif type(target) is np.ndarray:
            fill_array(target, state, self.budget)
        elif type(target) is not dict or type(state) is not dict:
            # A dictionary's attributes (an OrderedDict's `_metadata`) are dropped; nothing else may have any.
            raise refusal(f"a state for a {type(target).__name__}")
        self._push(target)

    def _persistent_id(self, identity: Any) -> None:
        if self.persistent is None:
            raise refusal("persistent ids are not part of this format")
        self._push(self.persistent(identity))

    # Numbers and text.

    def _integer(self, count: int) -> None:
        if count > MAX_INTEGER_BYTES:
            raise refusal(f"an integer of {count} bytes")
        self._push(int.from_bytes(self._bytes(count), "little", signed=True))

    def _integer_line(self) -> None:
        line = self._line()
        if len(line) > MAX_INTEGER_BYTES:
            raise refusal(f"an integer of {len(line)} digits")
        # Protocol 0 writes booleans as INT 00 and 01; LONG ends in L.
        self._push({b"00": False, b"01": True}[line] if line in (b"00", b"01") else int(line.removesuffix(b"L")))

    def _version(self) -> None:
        if (version := self._byte()) > 5:
            raise refusal(f"pickle protocol {version}")


def _check_depth(root: Any) -> None:
    """Limit the depth of the object graph, so that later code may walk it."""
    seen: set[int] = set()
    level = [root]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if id(value) in seen:
                continue
            seen.add(id(value))
            if isinstance(value, dict):
                below.extend(value.values())
            elif isinstance(value, (list, tuple)):
                below.extend(value)
            elif isinstance(value, Record):
                below.extend((value.arguments, value.state))
        if not below:
            return
        level = below
    raise refusal("the pickle is nested too deeply")


# Instructions by byte. Left out on purpose: EXT1/2/4, NEWOBJ_EX, Python 2's STRING, out-of-band buffers.
_STEPS: dict[int, Callable[[Unpickler], Any]] = {
    ord(code): step
    for code, step in {
        "\x80": Unpickler._version,
        "\x95": lambda machine: machine._bytes(8),
        "(": Unpickler._mark,
        "0": Unpickler._pop_or_mark,
        "1": Unpickler._since_mark,
        "2": Unpickler._duplicate,
        "N": lambda machine: machine._push(None),
        "\x88": lambda machine: machine._push(bool(1)),
        "\x89": lambda machine: machine._push(bool(0)),
        "I": Unpickler._integer_line,
        "L": Unpickler._integer_line,
        "J": lambda machine: machine._push(machine._number("<i")),
        "K": lambda machine: machine._push(machine._byte()),
        "M": lambda machine: machine._push(machine._number("<H")),
        "\x8a": lambda machine: machine._integer(machine._byte()),
        "\x8b": lambda machine: machine._integer(machine._number("<I")),
        "F": lambda machine: machine._push(float(machine._line())),
        "G": lambda machine: machine._push(machine._number(">d")),
        "V": lambda machine: machine._push(machine._line(MAX_TEXT).decode("raw_unicode_escape")),
        "U": lambda machine: machine._push(machine._bytes(machine._byte()).decode("latin1")),
        "T": lambda machine: machine._push(machine._bytes(machine._number("<I")).decode("latin1")),
        "\x8c": lambda machine: machine._push(machine._text(machine._byte())),
        "X": lambda machine: machine._push(machine._text(machine._number("<I"))),
        "\x8d": lambda machine: machine._push(machine._text(machine._number("<Q"))),
        "C": lambda machine: machine._push(machine._bytes(machine._byte())),
        "B": lambda machine: machine._push(machine._bytes(machine._number("<I"))),
        "\x8e": lambda machine: machine._push(machine._bytes(machine._number("<Q"))),
        "\x96": lambda machine: machine._push(bytearray(machine._bytes(machine._number("<Q")))),
        ")": lambda machine: machine._push(()),
        "t": lambda machine: machine._push(tuple(machine._since_mark())),
        "\x85": lambda machine: machine._push(tuple(machine._last(1))),
        "\x86": lambda machine: machine._push(tuple(machine._last(2))),
        "\x87": lambda machine: machine._push(tuple(machine._last(3))),
        "]": lambda machine: machine._push([]),
        "l": lambda machine: machine._push(machine._since_mark()),
        "a": lambda machine: machine._append([machine._pop()]),
        "e": lambda machine: machine._append(machine._since_mark()),
        "}": lambda machine: machine._push({}),
        "d": Unpickler._dictionary,
        "s": lambda machine: machine._set_items(machine._last(2)),
        "u": lambda machine: machine._set_items(machine._since_mark()),
        "\x8f": lambda machine: machine._push(set()),
        "\x90": lambda machine: machine._add_items(machine._since_mark()),
        "\x91": Unpickler._frozen_set,
        "g": lambda machine: machine._push(machine._memo[int(machine._line())]),
        "h": lambda machine: machine._push(machine._memo[machine._byte()]),
        "j": lambda machine: machine._push(machine._memo[machine._number("<I")]),
        "p": lambda machine: machine._put(int(machine._line())),
        "q": lambda machine: machine._put(machine._byte()),
        "r": lambda machine: machine._put(machine._number("<I")),
        "\x94": lambda machine: machine._put(len(machine._memo)),
        "c": Unpickler._global,
        "\x93": Unpickler._stack_global,
        "R": Unpickler._reduce,
        "\x81": Unpickler._reduce,
        "i": Unpickler._instance,
        "o": Unpickler._object,
        "b": Unpickler._build,
        "P": lambda machine: machine._persistent_id(machine._line().decode()),
        "Q": lambda machine: machine._persistent_id(machine._pop()),
    }.items()
}
