"""Scores that took long, remembered on disk: a table checks the numbers of every result against its records."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import pandas as pd

from ghbench import locations, metrics
from ghbench.atomic import write_text
from ghbench.digests import digest_bytes, digest_file, digest_json, digest_lines
from ghbench.errors import DataError, UserError
from ghbench.files import read_text
from ghbench.results import scoring
from ghbench.results.provenance import package_version
from ghbench.task import Score, Task
from ghbench.version import __version__

LONG = 1.0
"""Seconds from which it pays."""
OURS = "ghbench_tasks"
"""The package whose code is known to the key; what another one's scores follow from is not."""
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "lightgbm")


def scores(task: Task, records: pd.DataFrame, records_sha256: str | None, *, anew: bool = False) -> list[Score]:
    """What `scoring.scores` returns; `ghbench verify` never asks for what is remembered.

    Args:
        task: The task.
        records: What its `evaluate` returned, as they are stored.
        records_sha256: Digest of their file.
        anew: Whether to score even what is known.
    """
    path = _path(task, records_sha256)
    known = None if path is None or anew else _read(path)
    if known is not None:
        return known
    began = time.monotonic()
    found = scoring.scores(task, records)
    if path is not None and time.monotonic() - began > LONG:
        text = json.dumps([asdict(score) for score in found], default=lambda number: number.item())
        with contextlib.suppress(OSError, UserError):  # a full or read-only cache costs no table
            write_text(path, f"{digest_bytes(text.encode())}\n{text}")
    return found


def _path(task: Task, records_sha256: str | None) -> Path | None:
    """Where the scores of these records by this code are; None for a task of another package."""
    if type(task).__module__.partition(".")[0] != OURS:
        return None
    key = digest_json([__version__, task.name, task.version, _code_digest(), records_sha256])
    return locations.cache() / "scores" / f"{key}.json"


@lru_cache
def _code_digest() -> str:
    """Of what our tasks score with: their own files, the metrics, and the libraries that these call."""
    folders = [Path(file).parent for file in (sys.modules[OURS].__file__, metrics.__file__) if file]
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    return digest_lines([*map(digest_file, files), *(str(package_version(name)) for name in _LIBRARIES)])


def _read(path: Path) -> list[Score] | None:
    """None where nothing is remembered, or something else than was written."""
    with contextlib.suppress(DataError):
        digest, _, text = read_text(path).partition("\n") if path.exists() else ("", "", "")
        if digest == digest_bytes(text.encode()):
            return [Score(**one) for one in json.loads(text)]
    return None
