"""What extraction fills: the features of one key, on disk or elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ghbench.store import FeatureKey, ShardNote


class Rows(Protocol):
    """Rows of features that need not all be in memory."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[NDArray[Any]]: ...

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[Any]:
        """Rows by number, ascending: [n, D]."""
        ...


class FeatureTarget(Protocol):
    """`StoredFeatures` or `RemoteFeatures`."""

    everywhere: ClassVar[bool]
    """Whether the processes of a cluster can write to it themselves."""

    @property
    def key(self) -> FeatureKey:
        """The content key."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """Prepare it for writing."""
        ...

    def is_ready(self, level: str) -> bool:
        """Whether a level is complete."""
        ...

    def missing_rows(self, level: str) -> list[tuple[int, int]]:
        """Row ranges of missing shards."""
        ...

    def write_shard(self, level: str, start: int, rows: NDArray[Any], note: ShardNote | None = None) -> None:
        """Write one shard."""
        ...

    def rows(self, level: str) -> Rows:
        """All rows of a level whose shards are all there, a shard at a time in memory."""
        ...

    def complete(self, level: str, warnings: Sequence[str] = ()) -> None:
        """Mark a level complete, after its last shard."""
        ...

    def discard(self, level: str) -> None:
        """Delete a level with unusable features."""
        ...
