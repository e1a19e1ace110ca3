"""NumPy arrays, dtypes and scalars inside pickles, rebuilt from checked values: numbers only, never objects."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.checkpoints.records import Allowed, Budget, Global, refusal

# No objects ("O"), records ("V"), text or dates.
_TYPE_CODE = re.compile(r"[<>=|]?(b1|\?|i[1248]|u[1248]|f[248]|c8|c16|[bBhHiIlLqQefdFD])")
MAX_DIMENSIONS = 32


class ArrayType:
    """A NumPy dtype under construction: pickles set the byte order after the name."""

    def __init__(self, code: str) -> None:
        self.dtype = np.dtype(code)

    def build(self, state: Any) -> None:
        """Set the byte order from a pickled state `(version, order, subtype, names, fields, ...)`.

        Raises:
            DataError: The state is unreadable or of a structured dtype.
        """
        if not isinstance(state, tuple) or not 5 <= len(state) <= 9 or any(part is not None for part in state[2:5]):
            raise refusal("a structured or unreadable numpy.dtype")
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise refusal("a numpy.dtype with an unknown byte order")
        self.dtype = self.dtype.newbyteorder(order)


def _array_type(_budget: Budget, arguments: tuple[Any, ...]) -> ArrayType:
    code = arguments[0] if 1 <= len(arguments) <= 3 else None
    if isinstance(code, bytes):
        code = code.decode("ascii")
    if not isinstance(code, str) or not _TYPE_CODE.fullmatch(code):
        raise refusal("numpy.dtype of something other than plain numbers")
    return ArrayType(code)


def _empty_array(_budget: Budget, arguments: tuple[Any, ...]) -> NDArray[Any]:
    if len(arguments) != 3 or not isinstance(arguments[0], Global) or arguments[0].name != "numpy.ndarray":
        raise refusal("numpy's _reconstruct of something other than numpy.ndarray")
    if arguments[1] != (0,) or arguments[2] not in (b"b", "b"):
        raise refusal("numpy's _reconstruct with unusual arguments")
    return np.empty((0,), dtype=np.int8)


def fill_array(array: NDArray[Any], state: Any, budget: Budget) -> None:
    """Fill an empty pickled array in place, since the pickle may refer to it elsewhere.

    Args:
        array: Empty array from numpy's `_reconstruct`.
        state: `(version, shape, dtype, is_fortran, content)`.
        budget: Charged with the content's size.

    Raises:
        DataError: Shape, dtype and content do not match.
    """
    if array.shape != (0,) or array.dtype != np.int8:
        raise refusal("a numpy.ndarray is filled twice")
    if not isinstance(state, tuple) or len(state) != 5:
        raise refusal("a numpy.ndarray with an unreadable state")
    _, shape, kind, fortran, content = state
    if isinstance(content, bytearray):
        budget.spend_bytes(len(content))
        content = bytes(content)
    if not isinstance(kind, ArrayType) or not isinstance(content, bytes):
        raise refusal("a numpy.ndarray of Python objects")
    count = element_count(shape)
    if count * kind.dtype.itemsize != len(content):
        raise refusal(f"a numpy.ndarray of {count} declared elements of {kind.dtype} has {len(content)} bytes")
    budget.spend_bytes(len(content))
    # numpy takes a plain bool here; its type stub asks for numpy's own.
    array.__setstate__((1, shape, kind.dtype, bool(fortran), content))  # type: ignore[arg-type]


def element_count(shape: Any) -> int:
    """Number of elements of a pickled shape.

    Raises:
        DataError: It is not a tuple of at most 32 non-negative sizes.
    """
    if not isinstance(shape, tuple) or len(shape) > MAX_DIMENSIONS:
        raise refusal("an array with an unreadable shape")
    if not all(type(size) is int and 0 <= size < 2**40 for size in shape):
        raise refusal("an array with an unreadable shape")
    return math.prod(shape)


def _from_buffer(budget: Budget, arguments: tuple[Any, ...]) -> NDArray[Any]:
    # Written since pickle protocol 5: `_frombuffer(content, dtype, shape, order)`.
    if len(arguments) != 4 or arguments[3] not in ("C", "F"):
        raise refusal("numpy's _frombuffer with unusual arguments")
    content, kind, shape, order = arguments
    array = np.empty((0,), dtype=np.int8)
    fill_array(array, (1, shape, kind, order == "F", content), budget)
    return array


def _scalar(budget: Budget, arguments: tuple[Any, ...]) -> Any:
    kind, content = arguments if len(arguments) == 2 else (None, None)
    if not isinstance(kind, ArrayType) or not isinstance(content, bytes) or len(content) != kind.dtype.itemsize:
        raise refusal("a numpy scalar that is not a plain number")
    budget.spend_bytes(len(content))
    if not content:
        raise refusal("an empty numpy scalar")
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
