"""Where and how other programs' files store the arrays of our networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ghbench.checkpoints.checkpoint import Shape

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """How an array is stored.

    Args:
        shape: Maps our shape to the file's.
        bring: Maps the file's array to ours.
    """

    shape: Callable[[Shape], Shape]
    bring: Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file stores one of our arrays.

    Args:
        name: Its name in the file.
        layout: How it is stored.
    """

    name: str
    layout: Layout


SAME = Layout(lambda shape: shape, lambda array: array)
BATCHED = Layout(lambda shape: (1, *shape), lambda array: array[0])
"""With a leading batch axis of size one."""
NUMBER = Layout(lambda _shape: (), lambda array: array.reshape(1))
"""A vector of one number, stored as a scalar."""
IMAGE = Layout(lambda shape: (1, 1, *shape), lambda array: array[0, 0])
"""A noise image, stored with batch and channel axes of size one."""
MAP = Layout(lambda shape: (1, *shape, 1, 1), lambda array: array[0, :, 0, 0])
"""One number a channel, stored as an image of one pixel."""
DENSE = Layout(lambda shape: shape[::-1], lambda array: array.T)
"""TensorFlow's dense weights: [inputs, outputs]."""
KERNEL = Layout(lambda shape: (*shape[2:], shape[1], shape[0]), lambda array: array.transpose(3, 2, 0, 1))
"""TensorFlow's convolutions: [k, k, inputs, outputs]."""
TURNED = Layout(KERNEL.shape, lambda array: array[::-1, ::-1].transpose(3, 2, 0, 1))
"""TensorFlow's kernels of StyleGAN2 for transposed convolutions, rotated by 180 degrees."""
LESS_ONE = Layout(lambda shape: shape, lambda array: array + 1)
"""TensorFlow's modulation biases, which the program adds to 1."""
