"""Imports torchvision and timm, even if torchvision's compiled operators do not match the installed torch."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ghbench.extras import require

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def import_torchvision() -> Any:
    """Import torchvision.

    torchvision's default wheel is compiled against a CUDA build of torch. With a CPU-only torch its compiled operators
    (non-maximum suppression, RoI pooling, ...) do not load, and when torchvision then registers their shapes, torch
    raises `operator torchvision::nms does not exist`, which breaks the import of torchvision and timm. Classification
    networks need none of these operators. So on exactly this error the half-imported modules are dropped and the
    import is repeated without these registrations.

    Returns:
        The module `torchvision`, with `torchvision.models` imported.

    Raises:
        MissingError: torchvision is not installed.
    """
    if "torchvision.models" in sys.modules:
        return sys.modules["torchvision"]
    try:
        require("torchvision.models", "backbones")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        with _ignore_operators("torchvision::"):
            importlib.import_module("torchvision.models")
    return sys.modules["torchvision"]


def import_timm() -> Any:
    """Import timm, which imports torchvision.

    Returns:
        The module `timm`.

    Raises:
        MissingError: timm is not installed.
    """
    import_torchvision()
    return require("timm", "backbones")


@contextmanager
def _ignore_operators(prefix: str) -> Iterator[None]:
    """Inside the block `torch.library.register_fake` ignores operators whose names start with `prefix`."""
    import torch

    register: Callable[..., Any] = torch.library.register_fake

    def register_others(op: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(op, str) and op.startswith(prefix):
            return lambda function: function
        return register(op, *args, **kwargs)

    torch.library.register_fake = register_others
    try:
        yield
    finally:
        torch.library.register_fake = register
