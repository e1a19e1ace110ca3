"""The content key of features: everything that can change them, and nothing else."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from ghbench.digests import digest_json

StorageDtype = Literal["float32", "float16", "int8"]
"""How features are stored; `int8` is read as float32, see `ghbench.store.int8_shards`."""


@dataclass(frozen=True)
class FeatureKey:
    """The content key of the features of one dataset by one extractor.

    Args:
        extractor: Registered name.
        extractor_version: Version in the spec.
        options: Options of the spec string that built the extractor, less level and policy.
        weights_digest: sha256 that identifies the weights.
        preprocessing: Named resize step and size.
        align: Name, version and weights digest of the alignment.
        view: `plain` or `flipped`.
        backend: Library and precision of the computation.
        dtype: Storage dtype.
        dataset: Name, for readers; the digest decides.
        dataset_digest: Content digest of the dataset.
        decode_version: Version of the decoding step.
    """

    extractor: str
    extractor_version: str
    options: str
    weights_digest: str
    preprocessing: dict[str, Any]
    align: dict[str, Any]
    view: str
    backend: str
    dtype: str
    dataset: str
    dataset_digest: str
    decode_version: int

    @cached_property
    def digest(self) -> str:
        """sha256 over all parts."""
        return digest_json(self.parts())

    @property
    def folder(self) -> str:
        """Name of the key's folder: readable, and unique by its digest."""
        readable = re.sub(r"[^A-Za-z0-9._+-]+", "_", f"{self.extractor}-{self.dataset}-{self.view}").lstrip(".")
        return f"{readable[:100]}-{self.digest[:16]}"

    def parts(self) -> dict[str, Any]:
        """All parts as JSON values, for the manifest."""
        return asdict(self)
