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
    size = sum(_size(path) for path in folder.rglob("*"))
    # The next run replaces an unreadable manifest; until then only the folder's name tells what it is.
    unreadable = dict.fromkeys(FeatureKey.__dataclass_fields__, "?") | {
        "extractor": folder.name,
        "align": {"name": "?"},
    }
    return {
        "folder": folder.name,
        "key": known.key if known is not None and _is_readable(known.key) else unreadable,
        "rows": 0 if known is None else known.rows,
        "levels": levels,
        "bytes": size,
    }


def _is_readable(key: dict[str, Any]) -> bool:
    named = [key.get(part) for part in ("extractor", "dataset", "view")]
    align = key.get("align")
    named.append(align.get("name") if isinstance(align, dict) else None)
    return set(key) == set(FeatureKey.__dataclass_fields__) and all(isinstance(name, str) for name in named)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:  # another process has just deleted it
        return 0


def damaged_shards(folder: Path) -> list[Path]:
    """Shards of a key that are missing or lack the recorded sha256."""
    damaged = []
    for path in sorted(folder.glob("*/level.json")):
        note = manifest.read(LevelManifest, path)
        if note is not None:
            bad = (number for number in note.shards if not level_files.is_intact(path.parent, number, note))
            damaged += [level_files.shard_path(path.parent, number) for number in bad]
    return damaged
