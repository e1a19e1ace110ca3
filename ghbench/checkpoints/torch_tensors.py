"""PyTorch tensors inside pickles, rebuilt as NumPy arrays from checked storages, without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.checkpoints.file_buffer import Buffer
from ghbench.checkpoints.pickled_arrays import MAX_DIMENSIONS, element_count
from ghbench.checkpoints.plain_globals import CONTAINERS
from ghbench.checkpoints.records import Allowed, Budget, Global, Record, inert, refusal
from ghbench.checkpoints.unpickler import Unpickler

# NumPy has no bfloat16: the storage is read as the upper half of float32, which is exact.
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

# Legacy `torch.save` files and pickled storages begin with a magic number, the protocol and machine facts.
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
_MAX_KEY = 200


class Storage:
    """A storage, possibly filled after the tensors that view it, as in PyTorch's legacy format.

    Args:
        kind: Name of the storage's class.
        count: Declared number of elements.
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
        """Set the content.

        Raises:
            DataError: Its size is not the declared one, or the storage is already filled.
        """
        if len(content) != self.size or self.values is not None:
            raise refusal(f"a storage of {self.size} declared bytes has {len(content)}")
        values = np.frombuffer(bytearray(content), dtype=self.stored)
        if self.kind == BFLOAT16:
            values = (values.astype(np.uint32) << 16).view(np.float32)
        self.values = values


class Tensor:
    """A strided view of a storage, checked when declared, created once the storage is filled."""

    def __init__(self, storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.storage = storage
        self.offset = offset
        self.shape = shape
        self.strides = strides
        self._made: NDArray[Any] | None = None

    def array(self) -> NDArray[Any]:
        """The tensor's values, contiguous.

        Raises:
            DataError: The storage is not in the file.
        """
        # Cached: a file may refer to the same tensor under thousands of names.
        if self._made is not None:
            return self._made
        values = self.storage.values
        if values is None:
            raise refusal("the file lacks the storage of a tensor")
        strides = tuple(stride * values.itemsize for stride in self.strides)
        view = np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides)
        self._made = np.require(view, requirements="C")
        return self._made


def _tensor(budget: Budget, arguments: tuple[Any, ...]) -> Tensor:
    if not 4 <= len(arguments) <= 7 or not isinstance(arguments[0], Storage):
        raise refusal("a tensor without a storage")
    storage, offset, shape, strides = arguments[:4]
    count = element_count(shape)
    element_count((offset,))
    if not isinstance(strides, tuple) or len(strides) != len(shape):
        raise refusal("a tensor with unreadable strides")
    if not all(type(stride) is int and 0 <= stride < 2**40 for stride in strides):
        raise refusal("a tensor with unreadable strides")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if count and (last >= storage.count or count > storage.count):
        raise refusal(f"a tensor of shape {shape} reaches beyond its storage of {storage.count} elements")
    if not count and offset > storage.count:
        raise refusal("a tensor that begins beyond its storage")
    budget.spend_bytes(count * storage.stored.itemsize)
    return Tensor(storage, offset, shape, strides)


def _parameter(_budget: Budget, arguments: tuple[Any, ...]) -> Tensor:
    if not 1 <= len(arguments) <= 4 or not isinstance(arguments[0], Tensor):
        raise refusal("a parameter without a tensor")
    return arguments[0]


def _size(_budget: Budget, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(arguments) != 1 or not isinstance(arguments[0], (tuple, list)) or len(arguments[0]) > MAX_DIMENSIONS:
        raise refusal("torch.Size of something other than a few numbers")
    return tuple(arguments[0])


def _nested_storage(budget: Budget, arguments: tuple[Any, ...]) -> Storage:
    # PyTorch's function unpickles its argument without restriction. Here the same machine reads it, with a shorter
    # allow-list that excludes this function.
    if len(arguments) != 1 or not isinstance(arguments[0], bytes):
        raise refusal("torch.storage._load_from_bytes of something other than bytes")
    # The same bytes can be read again and again.
    budget.spend_bytes(len(arguments[0]))
    storage = load_legacy(arguments[0], {}, budget)
    if not isinstance(storage, Storage):
        raise refusal("torch.storage._load_from_bytes of something other than a storage")
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


def storage_by_id(identity: Any, known: dict[str, Storage], budget: Budget) -> Storage:
    """The storage with the persistent id `("storage", class, key, device, count, ...)`.

    Args:
        identity: The pickled id.
        known: Storages by key; a new one is added.
        budget: Charged with the declared size of a new storage.

    Returns:
        The storage, possibly not filled yet.

    Raises:
        DataError: It is not the id of a storage, or the key is used for two different ones.
    """
    if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
        raise refusal("a persistent id that is not a PyTorch storage")
    kind, key, count = identity[1], identity[2], identity[4]
    if not isinstance(kind, Global) or kind.name not in STORAGE_TYPES or type(key) is not str or len(key) > _MAX_KEY:
        raise refusal("a persistent id that is not a PyTorch storage")
    if len(identity) == 6 and identity[5] is not None:
        raise refusal("a view of a storage, a feature of PyTorch before 0.4")
    element_count((count,))
    storage = known.get(key)
    if storage is None:
        storage = known[key] = Storage(kind.name, count)
        budget.spend_bytes(storage.size)
    elif (storage.kind, storage.count) != (kind.name, count):
        raise refusal(f"two different storages with the key {key[:80]!r}")
    return storage


def load_legacy(buffer: Buffer, allowed: Allowed, budget: Budget) -> Any:
    """Read PyTorch's legacy format: a sequence of pickles, then the storages.

    Args:
        buffer: Content of the file.
        allowed: Names that the object may use besides storages and plain containers.
        budget: Shared with the enclosing file.

    Returns:
        The object; storages and tensors in it are `Storage` and `Tensor`.

    Raises:
        DataError: The content is damaged or forbidden.
    """
    position = 0
    storages: dict[str, Storage] = {}

    def next_pickle(names: Allowed) -> Any:
        nonlocal position
        machine = Unpickler(
            buffer,
            names,
            budget,
            position=position,
            persistent=lambda identity: storage_by_id(identity, storages, budget),
        )
        value = machine.load()
        position = machine.position
        return value

    if next_pickle({}) != LEGACY_MAGIC or next_pickle({}) != LEGACY_PROTOCOL:
        raise refusal("the bytes were not written by torch.save")
    machine_facts = next_pickle({})
    if not isinstance(machine_facts, dict) or machine_facts.get("little_endian") is not True:
        raise refusal("the file was written on a big-endian machine")
    result = next_pickle({**STORAGES, **CONTAINERS, **allowed})
    keys = next_pickle({})
    if not isinstance(keys, list) or not all(type(key) is str and key in storages for key in keys):
        raise refusal("storages that no tensor refers to")
    for key in keys:
        storage = storages[key]
        count = int.from_bytes(buffer[position : position + 8], "little")
        position += 8
        if count != storage.count or position + storage.size > len(buffer):
            raise refusal(f"the storage {key[:80]!r} is truncated or not of the declared size")
        storage.fill(buffer[position : position + storage.size])
        position += storage.size
    return result


def is_tensor(value: Any) -> bool:
    """Whether `value` is a `Tensor` or a NumPy array."""
    return isinstance(value, (Tensor, np.ndarray))


def as_array(value: Any) -> NDArray[Any]:
    """The values of a `Tensor` or NumPy array.

    Raises:
        DataError: `value` is something else.
    """
    if isinstance(value, Tensor):
        return value.array()
    if isinstance(value, np.ndarray):
        return value
    raise refusal(f"expected a tensor, got a {value.kind if isinstance(value, Record) else type(value).__name__}")
