"""Optional packages: imported when needed, and if absent the message names the pip command."""

from __future__ import annotations

import importlib
from typing import Any

from ghbench.errors import MissingError


def require(module: str, extra: str) -> Any:
    """Import an optional package.

    Args:
        module: Module to import.
        extra: The extra of ghbench that brings it.

    Returns:
        The module.

    Raises:
        MissingError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingError(
            f"{module} is not usable here ({error}); it belongs to the extra {extra!r}",
            fix=f"pip install 'ghbench[{extra}]'",
        ) from error
