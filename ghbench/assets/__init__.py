"""Weights and data from outside: declared by version and sha256, fetched, verified and cached."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ghbench.assets.manifest import get, names
    from ghbench.assets.model import Asset
    from ghbench.assets.store import available, digest, import_asset, path, verify
    from ghbench.progress import Progress

__all__ = ["Asset", "Progress", "available", "digest", "get", "import_asset", "names", "path", "verify"]

# Loaded on first use: listing plugins must not wait for the manifest's validation.
_HOME = {"Asset": "model", "Progress": "progress", "get": "manifest", "names": "manifest"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'ghbench.assets' has no attribute {name!r}")
    return getattr(importlib.import_module(f"ghbench.assets.{_HOME.get(name, 'store')}"), name)
