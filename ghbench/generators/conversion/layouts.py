"""How foreign files keep the arrays of our networks: the name there, and the change of layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ghbench.checkpoints.checkpoint import Shape

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """A way of keeping an array.

    Args:
        shape: Our shape to the file's.
        bring: The file's array to ours.
    """

    shape: Callable[[Shape], Shape]
    bring: Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file keeps one of our arrays.

    Args:
        name: Its name in the file.
        layout: How it is kept.
    """

    name: str
    layout: Layout


SAME = Layout(lambda shape: shape, lambda array: array)
BATCHED = Layout(lambda shape: (1, *shape), lambda array: array[0])
"""With a batch of one in front."""
NUMBER = Layout(lambda _shape: (), lambda array: array.reshape(1))
"""A vector of one number, kept as the number."""
PICTURE = Layout(lambda shape: (1, 1, *shape), lambda array: array[0, 0])
"""A noise picture, kept as a batch of one with one channel."""
MAP = Layout(lambda shape: (1, *shape, 1, 1), lambda array: array[0, :, 0, 0])
"""One number a channel, kept as a picture of one pixel."""
DENSE = Layout(lambda shape: shape[::-1], lambda array: array.T)
"""TensorFlow's dense weights: [inputs, outputs]."""
KERNEL = Layout(lambda shape: (*shape[2:], shape[1], shape[0]), lambda array: array.transpose(3, 2, 0, 1))
"""TensorFlow's convolutions: [k, k, inputs, outputs]."""
TURNED = Layout(KERNEL.shape, lambda array: array[::-1, ::-1].transpose(3, 2, 0, 1))
"""TensorFlow's kernels of StyleGAN2 for transposed convolutions, turned by 180 degrees."""
LESS_ONE = Layout(lambda shape: shape, lambda array: array + 1)
"""TensorFlow's biases of modulation, which the program adds to 1."""
