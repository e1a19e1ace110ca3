"""Reads `torch.save` files, zip format and legacy, without torch.

PyTorch's weights-only reader does not replace this one: memory-mapped, it reads past the end of a storage that is
shorter than declared, and in the legacy format it allocates the declared sizes before it reads the data.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

from ghbench.checkpoints.file_buffer import open_buffer
from ghbench.checkpoints.pickled_arrays import NUMPY
from ghbench.checkpoints.plain_globals import CONTAINERS, EASY_DICT, NAMESPACE
from ghbench.checkpoints.records import Budget, refusal
from ghbench.checkpoints.stylegan2_ada import PERSISTENT
from ghbench.checkpoints.torch_tensors import TENSORS, Storage, load_legacy, storage_by_id
from ghbench.checkpoints.unpickler import DAMAGE, Unpickler
from ghbench.errors import DataError
from ghbench.files import open_regular

ALLOWED = {**CONTAINERS, **EASY_DICT, **NUMPY, **TENSORS, **NAMESPACE, **PERSISTENT}
ZIP_HEAD = b"PK\x03\x04"
# The legacy format starts with a pickle (protocol 2) of PyTorch's magic number.
LEGACY_HEAD = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_MAX_MEMBERS = 100_000


def load_torch_file(path: Path) -> Any:
    """Read a `.pt` or `.pth` file.

    Args:
        path: File in PyTorch's zip format or the legacy one.

    Returns:
        The saved object; tensors are `Tensor`s, an `argparse.Namespace` is a `Record`.

    Raises:
        DataError: The file is damaged or asks for a forbidden name.
    """
    # Not `zipfile.is_zipfile`: it also finds archives at the end of other files, and can raise.
    with open_buffer(path) as buffer:
        if buffer[: len(ZIP_HEAD)] != ZIP_HEAD:
            return load_legacy(buffer, ALLOWED, Budget.for_file(len(buffer)))
    return _load_zip(path, storages=True)


def check_torch_file(path: Path) -> None:
    """Check a `.pt` or `.pth` file before torch reads it.

    PyTorch's own reader executes nothing either, but it unpacks compressed members and copies lists without a bound.

    Raises:
        DataError: It is damaged, or asks for more than it holds or for a forbidden name.
    """
    with open_regular(path) as stream:
        zipped = stream.read(len(ZIP_HEAD)) == ZIP_HEAD
    if zipped:
        _load_zip(path, storages=False)
    else:
        load_torch_file(path)


def _load_zip(path: Path, *, storages: bool) -> Any:
    try:
        with open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
            return _read_archive(archive, os.fstat(stream.fileno()).st_size, fill=storages)
    except DataError:
        raise
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, *DAMAGE) as error:
        raise DataError(f"{path} is a damaged zip file: {error}", fix="get the file again") from error


def _read_archive(archive: zipfile.ZipFile, size: int, *, fill: bool) -> Any:
    budget = Budget.for_file(size)
    members = _members(archive, size)
    pickles = [name for name in members if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise refusal("the zip file was not written by torch.save")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}constants.pkl" in members:
        raise refusal("a TorchScript archive is a program, not a checkpoint")
    if f"{root}byteorder" in members and archive.read(f"{root}byteorder") != b"little":
        raise refusal("the file was written on a big-endian machine")
    storages: dict[str, Storage] = {}
    machine = Unpickler(
        archive.read(pickles[0]),
        ALLOWED,
        budget,
        persistent=lambda identity: storage_by_id(identity, storages, budget),
    )
    result = machine.load()
    for key, storage in storages.items():
        content = members.get(f"{root}data/{key}")
        if content is None:
            raise refusal(f"the zip file has no 'data/{key}'")
        if content.file_size != storage.size:
            raise refusal(f"the storage {key!r} of {storage.size} declared bytes has {content.file_size}")
        if fill:
            storage.fill(archive.read(content))
    return result


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Members by name. PyTorch does not compress, so those of an honest file are together no larger than the file."""
    entries = archive.infolist()
    members = {entry.filename: entry for entry in entries}
    if len(members) != len(entries) or len(entries) > _MAX_MEMBERS:
        raise refusal("the zip file was not written by torch.save")
    for entry in entries:
        size -= entry.file_size
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size or size < 0:
            raise refusal(f"{entry.filename[:200]!r} is compressed or larger than the file")
    return members
