"""Files of features for other programs: .npy, .npz, .parquet, .safetensors and .tar, with ids and what made them.

Read: nothing is allocated before the header has said that it is little enough, for a file of 2 MB may unpack to
gigabytes. Written: rows go from the store's memory map to the file a block at a time, so memory stays small.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ghbench import atomic
from ghbench.bounded_parquet import table_within
from ghbench.errors import DataError, MissingError, UsageError
from ghbench.store.arrays_from_files import SINGLE, read_arrays

SUFFIXES = (".npz", ".parquet", ".safetensors", ".tar")
"""What can be written; `.tar` is not read."""
SHARD_ROWS = 100_000
"""Rows of each of many archives."""
IDS, ABOUT = "ids", "ghbench"
_PLAIN = "save floating-point arrays with numpy.save or numpy.savez; pickled objects are never read"
_ODD = (
    ValueError, OSError, EOFError, KeyError, TypeError, SyntaxError, NotImplementedError, RecursionError, TokenError,
    BadZipFile,
)  # fmt: skip
"""What numpy, zipfile and pyarrow raise on files that are none."""
_ALWAYS_ALLOWED = 64_000_000
_MOST_UNPACKED = 20
"""Bytes in memory for each byte of the file: features hardly shrink when they are packed."""


@dataclass(frozen=True, slots=True)
class FeatureFile:
    """What a file of features holds.

    Args:
        levels: By level [N, D].
        ids: Id of each row; None where the file has none.
        about: What was written beside them, for instance the feature key.
    """

    levels: dict[str, NDArray[Any]]
    ids: list[str] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


def read_features(source: Path, ids: str = IDS) -> FeatureFile:
    """Read a file of features.

    Args:
        source: `.npy` [N, D]; `.npz` or `.safetensors` with one such array a level; `.parquet` with one list column a
            level, or numeric columns that are together one level.
        ids: Name of the array or column that holds the ids.

    Raises:
        MissingError: There is no such file.
        DataError: It is not a regular file of plain arrays, or unpacks to far more than its size.
    """
    if not source.exists():
        raise MissingError(f"{source} does not exist")
    if not source.is_file():
        raise DataError(f"{source} is not a regular file; expected features in .npy, .npz, .parquet or .safetensors")
    reader = {".parquet": _read_parquet, ".safetensors": _read_safetensors}.get(source.suffix.lower(), _read_numpy)
    try:
        return reader(source, ids)
    except _ODD as error:
        raise DataError(f"{source} is not a file of plain arrays: {str(error)[:200]}", fix=_PLAIN) from error
    except MemoryError as error:
        raise DataError(f"{source} does not fit in memory") from error
    except Exception as error:  # a library's own errors, such as SafetensorError
        if type(error).__module__.partition(".")[0] in {"safetensors", "safetensors_rust", "zlib"}:
            raise DataError(f"{source} is damaged: {str(error)[:200]}") from error
        raise


def write_features(
    target: Path, levels: Mapping[str, NDArray[Any]], ids: Sequence[str], about: Mapping[str, Any], *, force: bool
) -> None:
    """Write features, whole or not at all.

    Args:
        target: Where; the ending says how. A name with a number's place, `features-%06d.tar`, makes archives of 100,000
            rows each, as WebDataset's own writer does; each of them is written whole or not at all.
        levels: By level [N, D].
        ids: Id of each row.
        about: JSON values that say what made them.
        force: Whether to replace a file that is there.
    """
    check_target(target, force=force)
    if _numbered(target):
        older = set(_of_pattern(target))
        for number, start in enumerate(range(0, len(ids), SHARD_ROWS)):
            rows, path = slice(start, start + SHARD_ROWS), target.with_name(target.name % number)
            with atomic.atomic_file(path) as stream:
                part = {level: values[rows] for level, values in levels.items()}
                _write_tar(stream, part, ids[rows], json.dumps(about), start)
            older.discard(path)
        for path in older:
            path.unlink()
        return
    with atomic.atomic_file(target) as stream:
        _WRITERS[target.suffix.lower()](stream, levels, ids, json.dumps(about))


def check_target(target: Path, *, force: bool) -> None:
    """Before long work: whether features may be written there.

    Raises:
        UsageError: Another ending, or something is there already.
    """
    if target.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{target} names no format; expected a name that ends in {', '.join(SUFFIXES)}")
    if _numbered(target) and not force and (there := next(_of_pattern(target), None)):
        raise UsageError(f"{there} exists already", fix="add --force to replace all archives of this name")
    if target.exists() and not (force and target.is_file()):
        raise UsageError(f"{target} exists already", fix="add --force to replace it" if target.is_file() else None)


def _numbered(target: Path) -> bool:
    """Whether a name stands for many archives."""
    return re.fullmatch(r"[^%]*%0[1-9]d[^%]*\.tar", target.name) is not None


def _of_pattern(target: Path) -> Iterator[Path]:
    """Archives that are there under such a name."""
    before, after = re.split(r"%0\dd", target.name)
    exact = re.compile(re.escape(before) + r"\d+" + re.escape(after))
    return (path for path in sorted(target.parent.glob("*.tar")) if exact.fullmatch(path.name) and path.is_file())


def _write_numpy(stream: IO[bytes], levels: Mapping[str, NDArray[Any]], ids: Sequence[str], about: str) -> None:
    taken = {IDS, ABOUT, "file", "allow_pickle"} & set(levels)  # the latter are parameters of numpy.savez
    if taken:
        raise UsageError(f"a level called {min(taken)!r} cannot be written to .npz; choose .parquet")
    np.savez(stream, allow_pickle=False, **{**levels, IDS: np.array(ids, dtype=np.str_), ABOUT: np.array(about)})


def _write_safetensors(stream: IO[bytes], levels: Mapping[str, NDArray[Any]], ids: Sequence[str], about: str) -> None:
    # By hand, since the package joins all arrays in memory. Format: https://github.com/huggingface/safetensors#format
    header: dict[str, Any] = {"__metadata__": {IDS: json.dumps(list(ids)), ABOUT: about}}
    end = 0
    for level, values in levels.items():
        start, end = end, end + values.nbytes
        kind = f"F{8 * values.dtype.itemsize}"
        header[level] = {"dtype": kind, "shape": list(values.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    stream.write(len(text).to_bytes(8, "little") + text)
    for values in levels.values():
        for block in _blocks(len(values)):
            stream.write(np.ascontiguousarray(values[block]).data)


def _write_parquet(stream: IO[bytes], levels: Mapping[str, NDArray[Any]], ids: Sequence[str], about: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if IDS in levels:
        raise UsageError(f"a level called {IDS!r} cannot be written to .parquet")
    fields = [(IDS, pa.string())]
    fields += [(name, pa.list_(pa.from_numpy_dtype(rows.dtype), rows.shape[1])) for name, rows in levels.items()]
    schema = pa.schema(fields, metadata={ABOUT: about})
    with pq.ParquetWriter(stream, schema) as writer:
        for block in _blocks(len(ids)):
            columns = [pa.array(list(ids[block]), pa.string())]
            for rows in levels.values():
                flat = pa.array(np.ascontiguousarray(rows[block]).ravel())
                columns.append(pa.FixedSizeListArray.from_arrays(flat, rows.shape[1]))
            writer.write_table(pa.table(columns, schema=schema))


def _write_tar(
    stream: IO[bytes], levels: Mapping[str, NDArray[Any]], ids: Sequence[str], about: str, first: int = 0
) -> None:
    """Samples as WebDataset reads them: `0000012.id`, `0000012.LEVEL.npy`; what made them is a global header."""
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT, pax_headers={ABOUT: about}) as archive:

        def add(name: str, content: bytes) -> None:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
            archive.getmembers().clear()  # which else holds all of them until the end

        for row, name in enumerate(ids):
            add(f"{first + row:07d}.id", name.encode())
            for level, values in levels.items():
                content = io.BytesIO()
                np.save(content, np.ascontiguousarray(values[row]), allow_pickle=False)
                add(f"{first + row:07d}.{level}.npy", content.getvalue())


_WRITERS: Mapping[str, Callable[[IO[bytes], Mapping[str, NDArray[Any]], Sequence[str], str], None]] = {
    ".npz": _write_numpy, ".safetensors": _write_safetensors, ".parquet": _write_parquet, ".tar": _write_tar
}  # fmt: skip
_BLOCK = 4_096


def _blocks(rows: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, rows, _BLOCK)]


def _read_numpy(source: Path, ids: str) -> FeatureFile:
    arrays = read_arrays(source)
    about = _about(str(arrays.pop(ABOUT)) if ABOUT in arrays and arrays[ABOUT].ndim == 0 else None)
    return FeatureFile(arrays, _texts(arrays.pop(ids)) if ids in arrays else None, about)


def _read_safetensors(source: Path, ids: str) -> FeatureFile:
    from safetensors import safe_open

    with safe_open(source, framework="numpy") as stored:
        said = stored.metadata() or {}
        arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
    listed = json.loads(said[ids]) if ids in said else None
    if listed is not None and (
        not isinstance(listed, list) or any(type(one) not in {str, int, float} for one in listed)
    ):
        raise ValueError(f"{ids} in its metadata is no list of texts or numbers")
    return FeatureFile(arrays, None if listed is None else list(map(str, listed)), _about(said.get(ABOUT)))


def _read_parquet(source: Path, ids: str) -> FeatureFile:
    import pyarrow as pa

    size = source.stat().st_size
    most = max(_ALWAYS_ALLOWED, _MOST_UNPACKED * size)
    table = table_within(source, most)
    if table is None:
        raise DataError(f"{source} has {size:,} bytes and would unpack to more than {most:,}; features never do")
    said = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    names = _texts(table.column(ids).to_numpy()) if ids in table.column_names else None
    levels: dict[str, NDArray[Any]] = {}
    single = []
    for name in table.column_names:
        column = table.column(name)
        if name == ids:
            continue
        if column.null_count:
            raise ValueError(f"column {name!r} has empty cells")
        fixed = pa.types.is_fixed_size_list(column.type)
        if pa.types.is_floating(column.type):
            single.append(column.to_numpy())
        elif pa.types.is_list(column.type) or pa.types.is_large_list(column.type) or fixed:
            flat = column.combine_chunks()
            rows = flat.flatten().to_numpy(zero_copy_only=False)
            lengths = {column.type.list_size} if fixed else {len(row) for row in flat}
            if len(lengths) != 1:
                raise ValueError(f"column {name!r} has rows of different lengths")
            levels[name] = rows.reshape(len(column), lengths.pop())
        else:
            raise ValueError(
                f"column {name!r} holds {column.type}, not features; name the ids' column, or leave it out"
            )
    if single:
        levels[SINGLE] = np.stack(single, axis=1)
    return FeatureFile(levels, names, _about(said.get(ABOUT)))


def _texts(values: NDArray[Any]) -> list[str]:
    if values.ndim != 1:
        raise ValueError(f"ids of shape {values.shape}; expected one a row")
    return [str(value) for value in values]


def _about(text: str | None) -> dict[str, Any]:
    found = {} if text is None else json.loads(text)
    return found if isinstance(found, dict) else {}
