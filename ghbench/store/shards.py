"""What a shard is, wherever it lies: which rows, under which level's name, as which bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.digests import digest_lines
from ghbench.errors import DataError, FeatureError
from ghbench.store import int8_shards
from ghbench.store.key import FeatureKey
from ghbench.store.manifest import KeyManifest, LevelManifest, ShardEntry

SHARD_ROWS = 512
MOST_SHARDS = 2_000
"""More rows make larger shards: a level's manifest has a line for each."""
MANIFEST, LEVEL = "manifest.json", "level.json"
"""The key in clear, whose time of modification is when the features were last read; a level's shards."""
TAKEN = frozenset({"lock", MANIFEST, "quarantine"})
"""What no level may be called."""
_LEVEL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


@dataclass(frozen=True, slots=True)
class ShardNote:
    """How a shard was made.

    Args:
        fallbacks: Images whose face was not detected.
        padded: Sum over images of the fraction of pixels outside the image.
        seconds: Time it took.
        memory_mb: Largest resident memory of the process meanwhile, 0 where nobody knows.
    """

    fallbacks: int = 0
    padded: float = 0.0
    seconds: float = 0.0
    memory_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class ShardRows:
    """Rows of a level, of which one shard is in memory at a time; satisfies `ghbench.extraction.target.Rows`.

    Args:
        note: Its shards.
        shard: The rows of one of them, by number.
    """

    note: LevelManifest
    shard: Callable[[int], NDArray[Any]]

    def __len__(self) -> int:
        return self.note.shape[0]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for number in sorted(self.note.shards):
            yield from self.shard(number)

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Rows by number, ascending: [n, D]."""
        parts = []
        for number, entry in sorted(self.note.shards.items()):
            inside = rows[(rows >= entry.rows[0]) & (rows < entry.rows[1])]
            if len(inside):
                parts.append(self.shard(number)[inside - entry.rows[0]])
        return np.concatenate(parts)


def usual_shard_rows(rows: int) -> int:
    """Rows a shard for so many rows: 512, or as many times that as make at most 2,000 shards."""
    return max(1, -(-rows // (SHARD_ROWS * MOST_SHARDS))) * SHARD_ROWS


def new_manifest(key: FeatureKey, row_ids: Sequence[str], shard_rows: int) -> KeyManifest:
    """What stands in a new key's manifest."""
    return KeyManifest(key=key.parts(), rows=len(row_ids), row_ids_digest=digest_lines(row_ids), shard_rows=shard_rows)


@lru_cache(maxsize=8)
def shard_ranges(rows: int, shard_rows: int) -> tuple[tuple[int, int], ...]:
    """First row of each shard, and the row behind its last."""
    return tuple((start, min(start + shard_rows, rows)) for start in range(0, rows, shard_rows))


def is_level_name(name: str) -> bool:
    """Whether a level may be called so: the name becomes a folder's."""
    return _LEVEL_NAME.fullmatch(name) is not None and name not in TAKEN


def check_level_name(name: str) -> None:
    """Raise DataError where a level may not be called so."""
    if not is_level_name(name):
        taken = ", ".join(sorted(TAKEN))
        raise DataError(f"invalid level name {name!r}; expected letters, digits and . _ + -, and none of {taken}")


def fits(note: LevelManifest, key: KeyManifest) -> bool:
    """Whether a level's shards hold all rows of its key, once each, and are stored as it says."""
    # Counted first: a few bytes can declare more shards than fit in memory.
    wanted = (key.rows, key.key.get("dtype"), -(-key.rows // key.shard_rows))
    if (note.shape[0], note.dtype, len(note.shards)) != wanted:
        return False
    ranges = shard_ranges(key.rows, key.shard_rows)
    return {number: entry.rows for number, entry in note.shards.items()} == dict(enumerate(ranges))


def stored_shard(
    key: FeatureKey, ranges: Sequence[tuple[int, int]], level: str, start: int, rows: NDArray[Any]
) -> tuple[int, NDArray[Any]]:
    """A shard's number, and its rows as they are stored.

    Args:
        key: Whose features they are; names the dtype.
        ranges: Of all shards of the level.
        level: Level name.
        start: Its first row.
        rows: float [n, dim].

    Raises:
        DataError: The level's name is not a valid folder name, or the rows are not a shard.
        FeatureError: A number is NaN or Inf, or too large for the storage dtype.
    """
    check_level_name(level)
    span = (start, start + len(rows))
    if span not in ranges:
        raise DataError(f"rows {start} to {span[1] - 1} are not a shard of {key.folder}")
    return ranges.index(span), np.ascontiguousarray(_in_storage_dtype(rows, key, level, start))


def shard_entry(rows: tuple[int, int], sha256: str, note: ShardNote | None) -> ShardEntry:
    """What the level's manifest says of a shard.

    Args:
        rows: Its first row, and the one behind its last.
        sha256: Of `level_files.shard_bytes`.
        note: How it was made.
    """
    return ShardEntry(rows=rows, sha256=sha256, **asdict(note or ShardNote()))


def level_manifest(
    key: FeatureKey,
    level: str,
    shape: tuple[int, int],
    shards: Mapping[int, ShardEntry],
    *,
    state: str = "partial",
    warnings: list[str] | None = None,
) -> LevelManifest:
    """What stands in a level's manifest.

    Args:
        key: Whose features they are.
        level: Level name.
        shape: Rows of the key, and numbers a row.
        shards: Those that are there.
        state: `partial` or `complete`.
        warnings: Recorded with a complete level.
    """
    parts = {"level": level, "state": state, "dtype": key.dtype, "shape": shape, "shards": shards}
    return LevelManifest.model_validate(parts | {"warnings": warnings or []})


def check_width(key: FeatureKey, level: str, known: int, found: int) -> None:
    """Raise FeatureError where a level's rows differ in their numbers."""
    if known != found:
        raise FeatureError(
            f"level {level!r} of {key.folder} had {known} dimensions, now it has {found}, under the same version",
            fix="raise the version in the extractor's spec",
        )


def _in_storage_dtype(rows: NDArray[Any], key: FeatureKey, level: str, start: int) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        stored = rows.astype("float32" if key.dtype == int8_shards.DTYPE else key.dtype, copy=False)
    if not np.isfinite(stored).all():
        bad = np.flatnonzero(~np.isfinite(stored).all(axis=1))
        row = np.asarray(rows[bad[0]])
        finite = bool(np.isfinite(row).all())
        held = f"{np.abs(row).max():g}, too large for {key.dtype}" if finite else "NaN or Inf"
        raise FeatureError(
            f"extractor {key.extractor!r}, level {level!r}: row {start + int(bad[0])} holds {held}",
            fix="--dtype float32" if finite and key.dtype == "float16" else None,
        )
    return int8_shards.pack(stored) if key.dtype == int8_shards.DTYPE else stored
