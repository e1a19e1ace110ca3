"""Pictures out of features, in the size at which they are compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError, UsageError
from ghbench.extractor import Decoder
from ghbench.imaging import resize_step
from ghbench.task import TaskInputs

from .sources import Pictures

AT_ONCE = 64
"""Pictures that are decoded, or compared, together."""


def decoded(inputs: TaskInputs, features: Mapping[str, NDArray[np.float32]], size: int) -> Pictures:
    """What the extractor makes of features.

    Args:
        inputs: Whose extractor decodes.
        features: By level float32 [N, D].
        size: Side of the pictures wanted; others are resized (bicubic, antialiased).

    Returns:
        uint8 [N, 3, size, size].

    Raises:
        UsageError: The extractor decodes nothing.
        DataError: It gave another form or number of pictures.
    """
    extractor: object = inputs.extractor
    if not isinstance(extractor, Decoder):
        raise UsageError(f"extractor {inputs.spec.name!r} decodes no pictures")
    count = len(next(iter(features.values())))
    made = []
    for start in range(0, count, AT_ONCE):
        part = {name: values[start : start + AT_ONCE] for name, values in features.items()}
        pictures = np.asarray(extractor.decode(part))
        rows = min(AT_ONCE, count - start)
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[:2] != (rows, 3):
            raise DataError(
                f"extractor {inputs.spec.name!r} decoded {pictures.dtype} {pictures.shape}; "
                f"expected uint8 ({rows}, 3, H, W)"
            )
        made.append(at_size(pictures, size))
    return np.concatenate(made)


def unit_range(pictures: Pictures) -> NDArray[np.float64]:
    """From uint8 to [-1, 1], float64 of the same shape."""
    return pictures / 127.5 - 1


def at_size(pictures: Pictures, size: int) -> Pictures:
    """Pictures uint8 [N, 3, H, W] of another size resized (bicubic, antialiased) to [N, 3, size, size]."""
    if pictures.shape[2:] == (size, size):
        return pictures
    step = resize_step("crop-bicubic")
    resized = [step.apply(np.ascontiguousarray(one.transpose(1, 2, 0)), (size, size)) for one in pictures]
    return np.ascontiguousarray(np.stack(resized).transpose(0, 3, 1, 2))
