"""The process's own random generators, which work of ours leaves as it found them."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def preserved_randomness(seed: int | None = None) -> Iterator[None]:
    """Give the block the global generators of torch, NumPy and `random`, and restore them afterwards, errors or not.

    Args:
        seed: What the block's generators start from; None: from where they stand.
    """
    import numpy as np

    python, numpy_state, torch_state = random.getstate(), np.random.get_state(legacy=False), _torch_state()  # noqa: NPY002
    try:
        if seed is not None:
            _seed_all(seed)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_state)  # noqa: NPY002
        _restore_torch(torch_state)


def _seed_all(seed: int) -> None:
    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


def _torch_state() -> tuple[Any, int, list[Any]] | None:
    """The CPU generator's state and seed, and the states of the GPUs in use; None where torch is not imported yet."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return torch.get_rng_state(), torch.initial_seed(), gpus


def _restore_torch(state: tuple[Any, int, list[Any]] | None) -> None:
    torch = sys.modules.get("torch")
    if torch is None:
        return
    if state is None:  # imported inside the block; torch starts from a seed of its own
        torch.seed()
        return
    cpu, seed, gpus = state
    torch.set_rng_state(cpu)
    if gpus:
        torch.cuda.set_rng_state_all(gpus)
    elif torch.cuda.is_initialized():  # inside the block; `torch.manual_seed` before it would have seeded the GPUs too
        torch.cuda.manual_seed_all(seed)
