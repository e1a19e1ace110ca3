"""The store's manifests: the key in clear, and for each level its shards and whether it is complete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ghbench import atomic
from ghbench.digests import digest_json
from ghbench.errors import UserError
from ghbench.files import read_text

SCHEMA_VERSION = 1
T = TypeVar("T", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class KeyManifest(_Part):
    """`manifest.json` of a key."""

    schema_version: int = SCHEMA_VERSION
    key: dict[str, Any]
    rows: int = Field(ge=0)
    row_ids_digest: str
    shard_rows: int = Field(gt=0)

    @field_validator("key")
    @classmethod
    def _has_a_digest(cls, key: dict[str, Any]) -> dict[str, Any]:
        digest_json(key)  # NaN and numbers of thousands of digits have none: a ValueError
        found: dict[str, Any] = json.loads(json.dumps(key))  # as it is read back, with lists for tuples
        return found


class ShardEntry(_Part):
    """One shard on disk."""

    rows: tuple[int, int]
    sha256: str
    fallbacks: int = 0
    padded: float = 0.0
    seconds: float = 0.0
    memory_mb: float = 0.0


class LevelManifest(_Part):
    """`level.json` of a level; `state` becomes `complete` last."""

    schema_version: int = SCHEMA_VERSION
    level: str
    state: Literal["partial", "complete"]
    dtype: str
    shape: tuple[int, int]
    shards: dict[int, ShardEntry]
    warnings: list[str] = []


def read(model: type[T], path: Path) -> T | None:
    """Read a manifest; None if it is missing, damaged or of another schema: its content is made again."""
    try:
        found = model.model_validate_json(read_text(path))
    except (UserError, ValidationError, ValueError):
        return None
    return found if getattr(found, "schema_version", None) == SCHEMA_VERSION else None


def write(manifest: BaseModel, path: Path) -> None:
    """Write a manifest atomically."""
    atomic.write_text(path, manifest.model_dump_json(indent=1) + "\n")
