"""Result files: JSON with the records as Parquet beside it, one pair per (extractor, task)."""

from __future__ import annotations

import io
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from pandas.api.types import is_float_dtype, is_integer_dtype
from pydantic import ValidationError

from ghbench import atomic, locations
from ghbench.digests import digest_bytes, digest_file, digest_lines
from ghbench.errors import DataError
from ghbench.files import read_text
from ghbench.results.records_file import read_records
from ghbench.results.schema import SCHEMA_VERSION, Failure, Result
from ghbench.spec_string import at_any_path

LONGEST = 60
"""Letters of a name that stand in a file's name."""

LEVEL = 15
"""zstd's level for records: a twentieth smaller than by default, for a second more a million rows."""

_DIGITS = 18
"""Digits of the largest whole number in a result; no count has more."""


def results_folder() -> Path:
    """Where one's own results live."""
    return locations.home() / "results"


def result_path(task: str, extractor: str, digest: str, folder: Path | None = None) -> Path:
    """`FOLDER/TASK/EXTRACTOR-DIGEST8.json`."""
    return (folder or results_folder()) / task / f"{slug(extractor)}-{digest[:8]}.json"


def path_of(result: Result, folder: Path | None = None) -> Path:
    """Where a result's file belongs."""
    return result_path(task_folder(result.task.name), result.subject.name, result.digest, folder)


def slug(name: str) -> str:
    """A name in letters that any file system takes: `orl:pairs=official` becomes `orl-pairs=official`.

    A long one is shortened and gets a digest: no file system takes names of more than 255 bytes.
    """
    plain = re.sub(r"[^A-Za-z0-9_.=+-]+", "-", name)
    return plain if len(plain) <= LONGEST else f"{plain[:LONGEST].rstrip('-')}-{digest_lines([name])[:8]}"


def task_folder(name: str) -> str:
    """The folder of a task's results: its name, shortened and with a digest where it is not a plain word.

    Two tasks never share a folder, except one that is given different files or folders: what these hold, and not where
    they lie, is in the digests that name its results.
    """
    name = at_any_path(name)
    plain = slug(name)
    return plain if plain == name else f"{plain[:LONGEST].rstrip('-')}-{digest_lines([name])[:8]}"


def failure_path(task: str, extractor: str, request: str, folder: Path | None = None) -> Path:
    """Where the failure of a pair is kept until the pair succeeds."""
    name = f"{slug(Path(extractor).name)}-{digest_lines([request])[:8]}.failed.json"
    return (folder or results_folder()) / task / name


def as_stored(records: pd.DataFrame, task: str) -> tuple[bytes, pd.DataFrame]:
    """The Parquet file of a task's records, and the records as they are read back from it.

    Args:
        records: What `evaluate` returned.
        task: Name for the message.

    Raises:
        DataError: The records cannot be written.
    """
    content = io.BytesIO()
    # Real numbers seldom repeat: their bytes compress better one place at a time. Numbers of rows never do, and are
    # stored as differences; all else as numbers of a dictionary.
    split = [name for name in records if is_float_dtype(records[name])]
    counted = [name for name in records if is_integer_dtype(records[name]) and records[name].is_unique]
    encoded = dict.fromkeys(split, "BYTE_STREAM_SPLIT") | dict.fromkeys(counted, "DELTA_BINARY_PACKED")
    others = [str(name) for name in records if name not in encoded]
    try:
        records.to_parquet(
            content, compression="zstd", compression_level=LEVEL, index=False,
            use_dictionary=others, column_encoding=encoded,
        )  # fmt: skip
    except (ValueError, TypeError, OverflowError) as error:  # what pyarrow raises derives from these
        raise DataError(f"the records of task {task!r} cannot be stored: {error}; expected plain columns") from error
    return content.getvalue(), pd.read_parquet(io.BytesIO(content.getvalue()))


def save(result: Result, records: bytes, path: Path) -> Result:
    """Write a result and its records; the JSON, which says that both are there, comes last.

    Both are on the disk before either takes its place: a full disk leaves an older result as it was.

    Args:
        result: The result.
        records: Its records, as `as_stored` gives them.
        path: Path of the JSON file.

    Returns:
        The result as its file says it, with the digest of its records and its seal.
    """
    sealed = _sealed(result.model_copy(update={"records_sha256": digest_bytes(records)}))
    with atomic.atomic_file(path) as stream:
        stream.write(_text(sealed))
        stream.flush()
        os.fsync(stream.fileno())
        atomic.write_bytes(path.with_suffix(".parquet"), records)
    return sealed


def save_sealed(result: Result, path: Path) -> Result:
    """Write the JSON alone, with a new seal, and return the result as its file says it."""
    sealed = _sealed(result)
    atomic.write_bytes(path, _text(sealed))
    return sealed


def _sealed(result: Result) -> Result:
    # As whoever reads the file will see it: NaN is null there.
    written = Result.model_validate_json(result.model_dump_json())
    return written.model_copy(update={"seal": written.content_seal()})


def _text(result: Result) -> bytes:
    return (result.model_dump_json(indent=1) + "\n").encode()


def save_failure(failure: Failure, path: Path) -> None:
    """Write down that a pair failed, and why."""
    atomic.write_text(path, failure.model_dump_json(indent=1) + "\n")


def load(path: Path, *, sealed: bool = True) -> Result:
    """Read a result.

    Args:
        path: Its JSON file.
        sealed: Whether a seal that does not fit is an error.

    Raises:
        DataError: There is no such file, or it is no result of a known schema version, or was changed afterwards.
    """
    fix = "run the pair again with --overwrite"
    if not path.exists():
        raise DataError(f"there is no result at {path}", fix="check the path")
    try:
        values = _json_values(read_text(path))
        version = values.get("schema_version") if isinstance(values, dict) else None
        result = Result.model_validate(values)
    except (DataError, OSError, ValueError, ValidationError, RecursionError) as error:
        reason = _reason(error)
        if isinstance(error, ValidationError) and type(version) is int and version != SCHEMA_VERSION:
            reason = f"another version of ghbench wrote it (schema_version {version}; this one reads {SCHEMA_VERSION})"
        raise DataError(f"{path} is not a readable result: {reason}", fix=fix) from error
    if sealed and result.seal is not None and result.seal != result.content_seal():
        raise DataError(f"{path} was changed after it was written: its seal does not fit", fix=fix)
    return result


def finished(path: Path) -> Result | None:
    """The result at `path` with its records; None where there is none that this version can read."""
    try:
        result = load(path)
        _records_path(path, result)
    except DataError:
        return None
    return result


def load_records(path: Path, result: Result) -> pd.DataFrame:
    """Read the records that belong to the result at `path`.

    Raises:
        DataError: They are missing, not the ones that the result was computed from, or no Parquet.
    """
    return read_records(_records_path(path, result))


def _json_values(text: str) -> Any:
    """JSON whose numbers are finite and of a sensible size, and whose texts can be printed, at any depth."""

    def refuse(name: str) -> NoReturn:
        raise ValueError(f"it holds {name[:40]}, which is no number that a result can have")

    def whole(digits: str) -> int:
        return int(digits) if len(digits) <= _DIGITS else refuse(digits)

    def real(digits: str) -> float:
        value = float(digits)
        return value if math.isfinite(value) else refuse(digits)

    values = json.loads(text, parse_constant=refuse, parse_int=whole, parse_float=real)
    json.dumps(values, ensure_ascii=False).encode()  # a lone surrogate cannot be printed
    return values


def _reason(error: Exception) -> str:
    """The first trouble in one short line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:200]
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error).partition("\n")[0][:200] or type(error).__name__


def _records_path(path: Path, result: Result) -> Path:
    """The file of a result's records, its bytes compared with the recorded digest."""
    records = path.with_suffix(".parquet")
    if not records.is_file():
        raise DataError(f"{path.name} has no records beside it", fix="run the pair again with --overwrite")
    if digest_file(records) != result.records_sha256:
        raise DataError(
            f"{records} was changed after its result was written", fix="run the pair again with --overwrite"
        )
    return records


def result_files(task: str, folder: Path) -> Iterator[Path]:
    """Paths of the finished and partial results of a task, sorted."""
    yield from (path for path in sorted((folder / task).glob("*.json")) if not path.name.endswith(".failed.json"))
