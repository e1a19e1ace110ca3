"""The declared assets, read from `manifest.toml` beside this file."""

from __future__ import annotations

import difflib
import tomllib
from functools import cache
from pathlib import Path

from ghbench.assets.model import Asset
from ghbench.errors import UsageError

MANIFEST = Path(__file__).with_name("manifest.toml")


def get(name: str) -> Asset:
    """The asset of this name.

    Raises:
        UsageError: There is no such asset; the message suggests similar names.
    """
    assets = _read(MANIFEST)
    if name in assets:
        return assets[name]
    near = difflib.get_close_matches(name, assets, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UsageError(f"there is no asset {name!r}{hint}", fix="ghbench assets list")


def names() -> list[str]:
    """Names of all declared assets, sorted."""
    return sorted(_read(MANIFEST))


@cache
def _read(path: Path) -> dict[str, Asset]:
    with path.open("rb") as stream:
        return {name: Asset(name=name, **entry) for name, entry in tomllib.load(stream).items()}
