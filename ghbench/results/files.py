"""Result files: JSON with the records as Parquet beside it, one pair per (extractor, task)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from pydantic import ValidationError

from ghbench import atomic, locations
from ghbench.digests import digest_bytes, digest_file
from ghbench.errors import DataError
from ghbench.results.schema import Result


def results_folder() -> Path:
    """Where one's own results live."""
    return locations.home() / "results"


def result_path(task: str, extractor: str, digest: str, folder: Path | None = None) -> Path:
    """`FOLDER/TASK/EXTRACTOR-DIGEST8.json`."""
    return (folder or results_folder()) / task / f"{extractor}-{digest[:8]}.json"


def save(result: Result, records: pd.DataFrame | None, path: Path) -> Result:
    """Write a result and its records; the JSON, which says that both are there, comes last.

    Args:
        result: The result.
        records: Its records, None for a failed pair.
        path: Path of the JSON file.

    Returns:
        The result with the digest of its records.
    """
    if records is not None:
        content = io.BytesIO()
        records.to_parquet(content, compression="zstd", index=False)
        atomic.write_bytes(path.with_suffix(".parquet"), content.getvalue())
        result = result.model_copy(update={"records_sha256": digest_bytes(content.getvalue())})
    atomic.write_text(path, result.model_dump_json(indent=1) + "\n")
    return result


def load(path: Path) -> Result:
    """Read a result.

    Raises:
        DataError: The file is not a result of a known schema version.
    """
    try:
        return Result.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        raise DataError(
            f"{path} is not a readable result: {error}", fix="run the pair again with --overwrite"
        ) from error


def load_records(path: Path, result: Result) -> pd.DataFrame:
    """Read the records that belong to the result at `path`.

    Raises:
        DataError: They are missing, or not the ones that the result was computed from.
    """
    records = path.with_suffix(".parquet")
    if not records.is_file():
        raise DataError(f"{path.name} has no records beside it", fix="run the pair again with --overwrite")
    if digest_file(records) != result.records_sha256:
        raise DataError(
            f"{records} was changed after its result was written", fix="run the pair again with --overwrite"
        )
    return pd.read_parquet(records)


def result_files(task: str, folder: Path) -> Iterator[Path]:
    """Paths of the results of a task, sorted."""
    yield from sorted((folder / task).glob("*.json"))
