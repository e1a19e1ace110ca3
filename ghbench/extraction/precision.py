"""Float32 means float32: no device may quietly compute with fewer digits than the feature key says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce

_OPERATIONS = ("cudnn.conv", "cudnn.rnn", "cuda.matmul", "mkldnn.conv", "mkldnn.rnn", "mkldnn.matmul")


@contextmanager
def full_float32() -> Iterator[None]:
    """Keep torch from shortening float32 for the length of the block.

    By default it computes convolutions on recent GPUs in TF32, with 10 bits of mantissa; the same extractor would then
    have other features on a GPU than on a CPU, under one key.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    operations = [reduce(getattr, name.split("."), torch.backends) for name in _OPERATIONS]
    before = [operation.fp32_precision for operation in operations]
    try:
        for operation in operations:
            operation.fp32_precision = "ieee"
        yield
    finally:
        for operation, precision in zip(operations, before, strict=True):
            operation.fp32_precision = precision
