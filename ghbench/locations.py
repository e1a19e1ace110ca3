"""Where ghbench keeps things on this machine. Read from the environment at every call, never at import."""

from __future__ import annotations

import os
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


def offline() -> bool:
    """Whether `GHBENCH_OFFLINE` forbids the network."""
    return os.environ.get("GHBENCH_OFFLINE", "").strip().lower() in {"1", "true", "yes", "on"}
