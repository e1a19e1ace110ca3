"""The declared assets, read from `manifest.toml` beside this file, and from those of plugins.

A package declares its own by an entry point of the group `ghbench.assets` whose value is one of its folders as a dotted
name; the `manifest.toml` in it is read, and nothing of the package is imported.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from pydantic import ValidationError

from ghbench.assets.installed_folders import installed_folders
from ghbench.assets.model import Asset
from ghbench.errors import DataError, UsageError
from ghbench.files import read_text

MANIFEST = Path(__file__).with_name("manifest.toml")
GROUP = "ghbench.assets"
LARGEST = 2**22
"""Bytes of a manifest that are read."""


def get(name: str) -> Asset:
    """The asset of this name.

    Raises:
        UsageError: There is no such asset, and the message suggests similar names and says which packages' manifests
            cannot be read; or two packages declare it.
    """
    ours = _read(MANIFEST)
    if name in ours:
        return ours[name]
    theirs, _ = _of_packages()
    found = {package: assets[name] for package, assets in theirs.items() if name in assets}
    if len(found) > 1:
        raise UsageError(f"{' and '.join(sorted(found))} both declare an asset {name!r}", fix="uninstall one of them")
    if found:
        return next(iter(found.values()))
    wrong = unreadable()
    near = difflib.get_close_matches(name, names(), n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    hint += "".join(f"\n{line}" for line in wrong)
    raise UsageError(f"there is no asset {name!r}{hint}", fix="ghbench doctor" if wrong else "ghbench assets list")


def names() -> list[str]:
    """Names of all declared assets that are declared once, sorted."""
    theirs = [name for assets in _of_packages()[0].values() for name in assets]
    return sorted({*_read(MANIFEST), *(name for name in theirs if theirs.count(name) == 1)})


def unreadable() -> list[str]:
    """What is wrong with manifests of packages that cannot be read, a line each."""
    return [error.message.partition("\n")[0] for error in _of_packages()[1]]


@cache
def _of_packages() -> tuple[Mapping[str, Mapping[str, Asset]], list[DataError]]:
    """Assets of other packages by package, and what is wrong with manifests that cannot be read."""
    found: dict[str, Mapping[str, Asset]] = {}
    wrong: list[DataError] = []
    for point in entry_points(group=GROUP):
        package = point.dist.name if point.dist is not None else point.name
        try:
            found[package] = {**found.get(package, {}), **_of_package(point, package)}
        except DataError as error:
            wrong.append(error)
    return found, wrong


def _of_package(point: EntryPoint, package: str) -> Mapping[str, Asset]:
    files = [folder / MANIFEST.name for folder in installed_folders(point.value)]
    path = next((file for file in files if file.is_file()), None)
    if path is None:
        raise DataError(f"package {package} declares assets in {point.value}, which has no {MANIFEST.name}")
    try:
        return _read(path)
    except (ValidationError, TypeError, ValueError, RecursionError) as error:  # TOML's own error is a ValueError
        raise DataError(f"the assets of package {package} cannot be read: {error}") from error


@cache
def _read(path: Path) -> dict[str, Asset]:
    return {name: Asset(name=name, **entry) for name, entry in tomllib.loads(read_text(path, largest=LARGEST)).items()}
