"""How pairs are run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from ghbench.errors import UsageError
from ghbench.extraction import ExtractionOptions
from ghbench.imaging import alignment
from ghbench.store import FeatureStore, StorageDtype

Search = Literal["numpy", "faiss"]


@dataclass(frozen=True)
class RunOptions:
    """How pairs are run.

    Args:
        align: Alignment for all extractors; None: what each declares.
        overwrite: Evaluate again what is already finished. Features are kept: their key says that they are the same.
        limit: Only the first so many images of each role; the result is partial and enters no table.
        seed: From which all randomness of evaluation and bootstrap is spawned.
        dtype: Storage dtype of features.
        extraction: Batch size, workers, device, progress.
        store: Feature store; None: the one in `GHBENCH_CACHE`.
        results: Folder of results; None: the one in `GHBENCH_HOME`.
        search: How neighbours are found: by NumPy, or by an exact index of FAISS. What is found is the same.
    """

    align: str | None = None
    overwrite: bool = False
    limit: int | None = None
    seed: int = 0
    dtype: StorageDtype = "float32"
    extraction: ExtractionOptions = field(default_factory=ExtractionOptions)
    store: FeatureStore | None = None
    results: Path | None = None
    search: Search = "numpy"

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"limit={self.limit}; expected at least 1 image")
        if self.seed < 0:
            raise UsageError(f"seed={self.seed}; expected a whole number from 0")
        if self.dtype not in get_args(StorageDtype):
            raise UsageError(
                f"features cannot be stored as {self.dtype!r}; expected {', '.join(get_args(StorageDtype))}"
            )
        if self.search not in {"numpy", "faiss"}:
            raise UsageError(f"neighbours cannot be found by {self.search!r}; expected numpy or faiss")
        if self.align is not None:
            alignment(self.align)
