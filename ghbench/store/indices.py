"""Indices of FAISS that were made from features, and are kept so that they need not be made again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ghbench import locations
from ghbench.errors import UserError


def indices_folder() -> Path:
    """Where they lie: `DIGEST.faiss`, and beside each a `.json` with what its bytes must be."""
    return locations.cache() / "indices"


def described_indices() -> list[dict[str, Any]]:
    """Name, bytes, and when each was last read, as ISO 8601; sorted by name."""
    found = []
    for path in sorted(indices_folder().glob("[!.]*.faiss")):
        try:
            about = path.stat()
        except OSError:  # another process has just deleted it
            continue
        used = datetime.fromtimestamp(about.st_mtime, UTC).isoformat(timespec="seconds")
        found.append({"folder": path.name, "bytes": about.st_size, "used": used})
    return found


def remove_index(name: str) -> None:
    """Delete one.

    Raises:
        UserError: It cannot be deleted.
    """
    path = indices_folder() / name
    try:
        for each in (path.with_suffix(".json"), path):
            each.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path} cannot be deleted: {error.strerror or error}") from error
