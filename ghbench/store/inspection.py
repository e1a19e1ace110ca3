"""What is in a store's folders, without knowing the keys: `ghbench cache`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ghbench.store import level_files, manifest
from ghbench.store.key import FeatureKey
from ghbench.store.manifest import KeyManifest, LevelManifest


def describe_folder(folder: Path) -> dict[str, Any]:
    """Content of a key's folder for `ghbench cache list`: key parts, levels with their state, bytes."""
    known = manifest.read(KeyManifest, folder / "manifest.json")
    levels = {}
    for path in sorted(folder.glob("*/level.json")):
        note = manifest.read(LevelManifest, path)
        levels[path.parent.name] = "unreadable" if note is None else note.state
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    # The next run replaces an unreadable manifest; until then only the folder's name tells what it is.
    unreadable = dict.fromkeys(FeatureKey.__dataclass_fields__, "?") | {
        "extractor": folder.name,
        "align": {"name": "?"},
    }
    return {
        "folder": folder.name,
        "key": unreadable if known is None else known.key,
        "rows": 0 if known is None else known.rows,
        "levels": levels,
        "bytes": size,
    }


def damaged_shards(folder: Path) -> list[Path]:
    """Shards of a key that are missing or lack the recorded sha256."""
    damaged = []
    for path in sorted(folder.glob("*/level.json")):
        note = manifest.read(LevelManifest, path)
        for number, entry in (note.shards if note else {}).items():
            if not level_files.is_intact(path.parent, number, entry):
                damaged.append(level_files.shard_path(path.parent, number))
    return damaged
