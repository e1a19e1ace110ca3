"""NumPy arrays, types and scalars inside a pickle: rebuilt from checked values, numbers only, never objects."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.checkpoints.records import Allowed, Budget, Global, refused

# Numbers only. Objects ("O"), records ("V"), text and dates have no place in a checkpoint.
_TYPE_CODE = re.compile(r"[<>=|]?(b1|\?|i[1248]|u[1248]|f[248]|c8|c16|[bBhHiIlLqQefdFD])")
_MAX_DIMENSIONS = 32


class ArrayType:
    """A NumPy dtype in the making: the byte order arrives after the name."""

    def __init__(self, code: str) -> None:
        self.dtype = np.dtype(code)

    def build(self, state: Any) -> None:
        """Take the byte order from `numpy.dtype`'s pickled state `(version, order, subtype, names, fields, ...)`.

        Raises:
            DataError: The state describes a structured type or no type at all.
        """
        if not isinstance(state, tuple) or not 5 <= len(state) <= 9 or any(part is not None for part in state[2:5]):
            raise refused("a structured or unreadable numpy.dtype")
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise refused("a numpy.dtype with an unknown byte order")
        self.dtype = self.dtype.newbyteorder(order)


def _array_type(_budget: Budget, arguments: tuple[Any, ...]) -> ArrayType:
    code = arguments[0] if 1 <= len(arguments) <= 3 else None
    if isinstance(code, bytes):
        code = code.decode("ascii")
    if not isinstance(code, str) or not _TYPE_CODE.fullmatch(code):
        raise refused("numpy.dtype of something else than plain numbers")
    return ArrayType(code)


def _empty_array(_budget: Budget, arguments: tuple[Any, ...]) -> NDArray[Any]:
    if len(arguments) != 3 or not isinstance(arguments[0], Global) or arguments[0].name != "numpy.ndarray":
        raise refused("numpy's _reconstruct of something else than numpy.ndarray")
    if arguments[1] != (0,) or arguments[2] not in (b"b", "b"):
        raise refused("numpy's _reconstruct with unusual arguments")
    return np.empty((0,), dtype=np.int8)


def fill_array(array: NDArray[Any], state: Any, budget: Budget) -> None:
    """Give an empty pickled array its content, in place, because the pickle may refer to it from elsewhere.

    Args:
        array: Array made by numpy's `_reconstruct`, not yet filled.
        state: `(version, shape, dtype, is_fortran, content)`.
        budget: Pays for the content.

    Raises:
        DataError: Shape, type and content do not belong together.
    """
    if array.shape != (0,) or array.dtype != np.int8:
        raise refused("a numpy.ndarray is filled twice")
    if not isinstance(state, tuple) or len(state) != 5:
        raise refused("a numpy.ndarray with an unreadable state")
    _, shape, kind, fortran, content = state
    if isinstance(content, bytearray):
        content = bytes(content)
    if not isinstance(kind, ArrayType) or not isinstance(content, bytes):
        raise refused("a numpy.ndarray of Python objects")
    count = element_count(shape)
    if count * kind.dtype.itemsize != len(content):
        raise refused(f"a numpy.ndarray declares {count} elements of {kind.dtype} and brings {len(content)} bytes")
    budget.spend_bytes(len(content))
    # numpy's own state takes a plain bool; its type stub asks for numpy's.
    array.__setstate__((1, shape, kind.dtype, bool(fortran), content))  # type: ignore[arg-type]


def element_count(shape: Any) -> int:
    """Number of elements of a pickled shape.

    Raises:
        DataError: It is not a tuple of at most 32 sizes.
    """
    if not isinstance(shape, tuple) or len(shape) > _MAX_DIMENSIONS:
        raise refused("an array with an unreadable shape")
    if not all(type(size) is int and 0 <= size < 2**40 for size in shape):
        raise refused("an array with an unreadable shape")
    return math.prod(shape)


def _from_buffer(budget: Budget, arguments: tuple[Any, ...]) -> NDArray[Any]:
    # What numpy writes since pickle protocol 5: `_frombuffer(content, dtype, shape, order)`.
    if len(arguments) != 4 or arguments[3] not in ("C", "F"):
        raise refused("numpy's _frombuffer with unusual arguments")
    content, kind, shape, order = arguments
    array = np.empty((0,), dtype=np.int8)
    fill_array(array, (1, shape, kind, order == "F", content), budget)
    return array


def _scalar(budget: Budget, arguments: tuple[Any, ...]) -> Any:
    kind, content = arguments if len(arguments) == 2 else (None, None)
    if not isinstance(kind, ArrayType) or not isinstance(content, bytes) or len(content) != kind.dtype.itemsize:
        raise refused("a numpy scalar of something else than a plain number")
    budget.spend_bytes(len(content))
    if not content:
        raise refused("an empty numpy scalar")
    return np.frombuffer(content, dtype=kind.dtype)[0]


NUMPY: Allowed = {
    "numpy.ndarray": None,
    "numpy.dtype": _array_type,
    "numpy.core.multiarray._reconstruct": _empty_array,
    "numpy._core.multiarray._reconstruct": _empty_array,
    "numpy.core.numeric._frombuffer": _from_buffer,
    "numpy._core.numeric._frombuffer": _from_buffer,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
}
