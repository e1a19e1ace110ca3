"""Images out of features, in the size at which they are compared, and how far they are from the true ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError, UsageError
from ghbench.extractor import Decoder
from ghbench.imaging import resize_step
from ghbench.metrics.image import mse, ssim
from ghbench.task import TaskInputs

from .source import Images

Floats = NDArray[np.float64]
_AT_ONCE = 16
"""Images compared together, so that they stay in memory."""


def decoded(inputs: TaskInputs, features: Mapping[str, NDArray[np.float32]], size: int) -> Images:
    """What the subject makes of features, a batch at a time.

    Args:
        inputs: Whose subject decodes, on the context's device.
        features: By level float32 [N, D]; levels that were not asked for are not decoded.
        size: Side of the images wanted; others are resized (bicubic, antialiased).

    Returns:
        uint8 [N, 3, size, size].

    Raises:
        UsageError: The subject decodes nothing.
        DataError: It gave another form or number of images.
    """
    context, subject = inputs.context, inputs.context.on_device(inputs.subject)
    if not isinstance(subject, Decoder):
        raise UsageError(f"{inputs.spec.name!r} decodes no images")
    wanted = {level: features[level] for level in inputs.levels}
    count, made, label = len(next(iter(wanted.values()))), [], f"{inputs.spec.name} decodes"
    for start in range(0, count, context.batch_size):
        context.progress(start, count, label)
        stop = start + context.batch_size
        part = {level: np.asarray(values[start:stop], dtype=np.float32) for level, values in wanted.items()}
        images, rows = np.asarray(subject.decode(part)), min(context.batch_size, count - start)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[:2] != (rows, 3):
            raise DataError(
                f"{inputs.spec.name!r} decoded {images.dtype} {images.shape}; expected uint8 ({rows}, 3, H, W)"
            )
        made.append(at_size(images, size))
    context.progress(count, count, label)
    return np.concatenate(made)


def unit_range(images: Images) -> Floats:
    """From uint8 to [-1, 1], float64 of the same shape."""
    return images / 127.5 - 1


def at_size(images: Images, size: int) -> Images:
    """Images uint8 [N, 3, H, W] of another size resized (bicubic, antialiased) to [N, 3, size, size]."""
    if images.shape[2:] == (size, size):
        return images
    step = resize_step("crop-bicubic")
    resized = [step.apply(np.ascontiguousarray(one.transpose(1, 2, 0)), (size, size)) for one in images]
    return np.ascontiguousarray(np.stack(resized).transpose(0, 3, 1, 2))


def compared(targets: Images, outputs: Images) -> dict[str, Floats]:
    """Squared error and structural similarity of each image: `mse` and `ssim`, float64 [N]."""
    found: dict[str, list[Floats]] = {"mse": [], "ssim": []}
    for start in range(0, len(targets), _AT_ONCE):
        one, two = (unit_range(images[start : start + _AT_ONCE]) for images in (targets, outputs))
        found["mse"].append(mse(one, two))
        found["ssim"].append(ssim(one, two))
    return {name: np.concatenate(parts) for name, parts in found.items()}
