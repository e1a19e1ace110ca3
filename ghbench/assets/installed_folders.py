"""Folders of installed packages, found without importing the packages."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def installed_folders(module: str) -> list[Path]:
    """Where a package's folder may lie, the most likely place first; empty where it is not installed.

    Args:
        module: The folder as a dotted name.
    """
    # Only the top-level package: find_spec of a dotted name would import its parents.
    top, *rest = module.split(".")
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return []
    if found is None:
        return []
    return [Path(location).joinpath(*rest) for location in found.submodule_search_locations or ()]
