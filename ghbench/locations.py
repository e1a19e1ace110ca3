"""Where ghbench keeps things on this machine. Read from the environment at every call, never at import."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import platformdirs


def _folder(variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable) or default)
    try:
        return path.expanduser().absolute()
    except (
        RuntimeError
    ):  # nobody's home is known; a folder that is not there can be read from, and is named when written
        return Path(os.sep, "nonexistent", *path.parts)


def home() -> Path:
    """Results and configuration: `GHBENCH_HOME`, by default the platform's user data folder."""
    return _folder("GHBENCH_HOME", platformdirs.user_data_dir("ghbench", appauthor=False))


def cache() -> Path:
    """Downloads and features, all of which can be made again: `GHBENCH_CACHE`."""
    return _folder("GHBENCH_CACHE", platformdirs.user_cache_dir("ghbench", appauthor=False))


def data() -> Path:
    """Datasets that the user put there by hand: `GHBENCH_DATA`, by default `datasets` in the home folder."""
    return _folder("GHBENCH_DATA", str(home() / "datasets"))


_network_unused: ContextVar[bool] = ContextVar("network_unused", default=False)


def offline() -> bool:
    """Whether the network may not be used now."""
    return forbidden() or _network_unused.get()


def forbidden() -> bool:
    """Whether `GHBENCH_OFFLINE` forbids the network."""
    return os.environ.get("GHBENCH_OFFLINE", "").strip().lower() in {"1", "true", "yes", "on"}


@contextmanager
def without_network() -> Iterator[None]:
    """Use what is on this machine inside the block; what is missing was then never asked for elsewhere."""
    token = _network_unused.set(True)
    try:
        yield
    finally:
        _network_unused.reset(token)
