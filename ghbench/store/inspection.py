"""What is in a store's folders, without knowing the keys: `ghbench cache`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ghbench.store import level_files, manifest
from ghbench.store.key import FeatureKey
from ghbench.store.manifest import KeyManifest, LevelManifest
from ghbench.store.shards import LEVEL, MANIFEST, fits


def describe_folder(folder: Path) -> dict[str, Any]:
    """Content of a key's folder for `ghbench cache list`.

    Returns:
        Key parts, levels with their state, bytes, and when it was made and last read, as ISO 8601.
    """
    known = manifest.read(KeyManifest, folder / MANIFEST)
    levels, notes = {}, sorted(folder.glob(f"*/{LEVEL}"))
    for path in notes:
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
        "made": min(map(_time, notes or [folder / MANIFEST])).isoformat(timespec="seconds"),
        "used": _time(folder / MANIFEST).isoformat(timespec="seconds"),
    }


def chosen_for_removal(
    described: Iterable[Mapping[str, Any]], *, unused: timedelta | None = None, keep: int | None = None
) -> Sequence[str]:
    """Which folders go by a policy.

    Args:
        described: What `describe_folder` says of each.
        unused: Those that were not read for so long go.
        keep: The least recently read go until at most so many bytes are left; None for no such bound.

    Returns:
        Names of folders, the least recently read first; all where there is no policy.
    """
    left = sorted(described, key=lambda one: str(one["used"]))
    if unused is None and keep is None:
        return [one["folder"] for one in left]
    size, limit = sum(one["bytes"] for one in left), None if unused is None else datetime.now(UTC) - unused
    chosen = []
    for one in left:
        old = limit is not None and datetime.fromisoformat(one["used"]) < limit
        if old or (keep is not None and size > keep):
            chosen.append(one["folder"])
            size -= one["bytes"]
    return chosen


def _time(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:  # another process has just deleted it
        return datetime.now(UTC)


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


def damaged_files(folder: Path) -> list[Path]:
    """Manifests of a key that cannot be read or lack shards of a complete level; shards without the recorded sha256."""
    known = manifest.read(KeyManifest, folder / MANIFEST)
    key = known if known is not None and _is_readable(known.key) else None
    damaged = [folder / MANIFEST] if key is None else []
    for path in sorted(folder.glob(f"[!.]*/{LEVEL}")):
        note = manifest.read(LevelManifest, path)
        if note is None or (note.state == "complete" and key is not None and not fits(note, key)):
            damaged.append(path)
        else:
            bad = (number for number in note.shards if not level_files.is_intact(path.parent, number, note))
            damaged += [level_files.shard_path(path.parent, number) for number in bad]
    return damaged
