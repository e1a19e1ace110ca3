"""PyTorch tensors inside a pickle, rebuilt as NumPy views of checked storages; torch itself is not needed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.checkpoints.file_buffer import Buffer
from ghbench.checkpoints.pickled_arrays import element_count
from ghbench.checkpoints.plain_globals import CONTAINERS
from ghbench.checkpoints.records import Allowed, Budget, Global, Record, inert, refused
from ghbench.checkpoints.unpickler import Unpickler

# bfloat16 has no NumPy type: its storages are read as the upper halves of float32, which is exact.
BFLOAT16 = "torch.BFloat16Storage"
STORAGE_TYPES: dict[str, np.dtype[Any]] = {
    "torch.DoubleStorage": np.dtype("<f8"),
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.HalfStorage": np.dtype("<f2"),
    BFLOAT16: np.dtype("<u2"),
    "torch.LongStorage": np.dtype("<i8"),
    "torch.IntStorage": np.dtype("<i4"),
    "torch.ShortStorage": np.dtype("<i2"),
    "torch.CharStorage": np.dtype("i1"),
    "torch.ByteStorage": np.dtype("u1"),
    "torch.BoolStorage": np.dtype("?"),
}
_TYPE_NAMES = (
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
)  # fmt: skip

# How old `torch.save` files and pickled storages begin: a magic number, the protocol, facts about the machine.
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001


class Storage:
    """A storage whose numbers may arrive after the tensors that view it, as in PyTorch's old format.

    Args:
        kind: Name of the storage's class.
        count: Number of elements that are declared.
    """

    def __init__(self, kind: str, count: int) -> None:
        self.kind = kind
        self.count = count
        self.stored = STORAGE_TYPES[kind]
        self.values: NDArray[Any] | None = None

    @property
    def size(self) -> int:
        """Declared size in bytes."""
        return self.count * self.stored.itemsize

    def fill(self, content: bytes) -> None:
        """Take the numbers.

        Raises:
            DataError: There are more or fewer than declared, or the storage has its numbers.
        """
        if len(content) != self.size or self.values is not None:
            raise refused(f"a storage declares {self.size} bytes and brings {len(content)}")
        values = np.frombuffer(bytearray(content), dtype=self.stored)
        if self.kind == BFLOAT16:
            values = (values.astype(np.uint32) << 16).view(np.float32)
        self.values = values


class Tensor:
    """A strided view of a storage, checked when it is declared and made when the storage has its numbers."""

    def __init__(self, storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.storage = storage
        self.offset = offset
        self.shape = shape
        self.strides = strides
        self._made: NDArray[Any] | None = None

    def array(self) -> NDArray[Any]:
        """The tensor's values, contiguous.

        Raises:
            DataError: The file ended before the storage's numbers.
        """
        # Made once: a file may refer to the same tensor under thousands of names.
        if self._made is not None:
            return self._made
        values = self.storage.values
        if values is None:
            raise refused("a tensor whose storage is not in the file")
        strides = tuple(stride * values.itemsize for stride in self.strides)
        view = np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides)
        self._made = np.require(view, requirements="C")
        return self._made


def _tensor(budget: Budget, arguments: tuple[Any, ...]) -> Tensor:
    if not 4 <= len(arguments) <= 7 or not isinstance(arguments[0], Storage):
        raise refused("a tensor without a storage")
    storage, offset, shape, strides = arguments[:4]
    count = element_count(shape)
    element_count((offset,))
    if not isinstance(strides, tuple) or len(strides) != len(shape):
        raise refused("a tensor with unreadable strides")
    if not all(type(stride) is int and 0 <= stride < 2**40 for stride in strides):
        raise refused("a tensor with unreadable strides")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if count and (last >= storage.count or count > storage.count):
        raise refused(f"a tensor of shape {shape} reaches beyond its storage of {storage.count} elements")
    if not count and offset > storage.count:
        raise refused("a tensor that begins beyond its storage")
    budget.spend_bytes(count * storage.stored.itemsize)
    return Tensor(storage, offset, shape, strides)


def _parameter(_budget: Budget, arguments: tuple[Any, ...]) -> Tensor:
    if not 1 <= len(arguments) <= 4 or not isinstance(arguments[0], Tensor):
        raise refused("a parameter without a tensor")
    return arguments[0]


def _size(_budget: Budget, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(arguments) != 1 or not isinstance(arguments[0], (tuple, list)):
        raise refused("torch.Size of something else than numbers")
    return tuple(arguments[0])


def _nested_storage(budget: Budget, arguments: tuple[Any, ...]) -> Storage:
    # In PyTorch this function unpickles its argument without any restriction. Here the bytes are read by the same
    # machine with a shorter allow-list, on which this function is not.
    if len(arguments) != 1 or not isinstance(arguments[0], bytes):
        raise refused("torch.storage._load_from_bytes of something else than bytes")
    storage = load_legacy(arguments[0], {}, budget)
    if not isinstance(storage, Storage):
        raise refused("torch.storage._load_from_bytes of something else than a storage")
    return storage


STORAGES: Allowed = dict.fromkeys(STORAGE_TYPES)
TENSORS: Allowed = {
    **STORAGES,
    **dict.fromkeys(f"torch.{name}" for name in _TYPE_NAMES),
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.Size": _size,
    "torch.device": inert("torch.device"),
}
NESTED_STORAGE: Allowed = {"torch.storage._load_from_bytes": _nested_storage}


def declared_storage(identity: Any, known: dict[str, Storage], budget: Budget) -> Storage:
    """The storage that a persistent id `("storage", class, key, device, count, ...)` names.

    Args:
        identity: The pickled id.
        known: Storages by key, added to.
        budget: Pays for a new storage's declared size.

    Returns:
        The storage, perhaps still without its numbers.

    Raises:
        DataError: It is no id of a storage, or the key stands for two different ones.
    """
    if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
        raise refused("a persistent id that is no PyTorch storage")
    kind, key, count = identity[1], identity[2], identity[4]
    if not isinstance(kind, Global) or kind.name not in STORAGE_TYPES or type(key) is not str:
        raise refused("a persistent id that is no PyTorch storage")
    if len(identity) == 6 and identity[5] is not None:
        raise refused("a view of a storage, which PyTorch has not written since version 0.4")
    element_count((count,))
    storage = known.get(key)
    if storage is None:
        storage = known[key] = Storage(kind.name, count)
        budget.spend_bytes(storage.size)
    elif (storage.kind, storage.count) != (kind.name, count):
        raise refused(f"two different storages under the key {key[:80]!r}")
    return storage


def load_legacy(buffer: Buffer, allowed: Allowed, budget: Budget) -> Any:
    """Read what `torch.save` wrote before the zip format: pickles one after the other, then the storages.

    Args:
        buffer: Content of the file.
        allowed: Names that the object may use besides storages and plain containers.
        budget: Shared with the file around it.

    Returns:
        The object, with `Storage` and `Tensor` in it.

    Raises:
        DataError: The content is damaged or refused.
    """
    position = 0
    storages: dict[str, Storage] = {}

    def pickled(names: Allowed) -> Any:
        nonlocal position
        machine = Unpickler(
            buffer,
            names,
            budget,
            position=position,
            persistent=lambda identity: declared_storage(identity, storages, budget),
        )
        value = machine.load()
        position = machine.position
        return value

    if pickled({}) != LEGACY_MAGIC or pickled({}) != LEGACY_PROTOCOL:
        raise refused("bytes that torch.save did not write")
    machine_facts = pickled({})
    if not isinstance(machine_facts, dict) or machine_facts.get("little_endian") is not True:
        raise refused("a file written on a big-endian machine")
    result = pickled({**STORAGES, **CONTAINERS, **allowed})
    keys = pickled({})
    if not isinstance(keys, list) or not all(type(key) is str and key in storages for key in keys):
        raise refused("storages that no tensor declares")
    for key in keys:
        storage = storages[key]
        count = int.from_bytes(buffer[position : position + 8], "little")
        position += 8
        if count != storage.count or position + storage.size > len(buffer):
            raise refused(f"the storage {key[:80]!r} is cut off or not as declared")
        storage.fill(buffer[position : position + storage.size])
        position += storage.size
    return result


def is_tensor(value: Any) -> bool:
    """Whether `value` is a number array of either kind."""
    return isinstance(value, (Tensor, np.ndarray))


def as_array(value: Any) -> NDArray[Any]:
    """The numbers of a `Tensor` or NumPy array."""
    if isinstance(value, Tensor):
        return value.array()
    if isinstance(value, np.ndarray):
        return value
    raise refused(f"a {value.kind if isinstance(value, Record) else type(value).__name__} in place of a tensor")
