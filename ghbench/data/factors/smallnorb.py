"""SmallNORB: 48,600 grey photographs of 50 toys from all sides; you download it yourself."""

from __future__ import annotations

import gzip
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ghbench.data.factors.images import BLOCK, Contents, FactorImages, few_enough
from ghbench.dataset import DatasetCard
from ghbench.errors import DataError, MissingError
from ghbench.files import exists, open_regular, read_as
from ghbench.store.arrays_from_files import parts_of

PARTS = ("smallnorb-5x46789x9x18x6x2x96x96-training", "smallnorb-5x01235x9x18x6x2x96x96-testing")
KINDS: Mapping[int, str] = {0x1E3D4C55: "|u1", 0x1E3D4C54: "<i4"}
"""Types by the magic number that a file begins with; these two are in use."""
NAMES = ("category", "elevation", "azimuth", "lighting")
SIDE, CAMERAS = 96, 2


class SmallNorb(FactorImages):
    """SmallNORB, from its six `.mat` files, gzipped or not: category (5), elevation (9), azimuth (18), lighting (6).

    Both published halves together, of the first camera, as disentanglement_lib has them: training files first. Which of
    ten toys of its category is shown is no factor, for the same number means another toy in each category; it is in
    `factor-values`, with elevation and azimuth as the file has them (30 degrees + 5 times, and 10 times the number).
    """

    described = DatasetCard(
        name="smallnorb",
        title="Small NORB: 48,600 photographs of 50 toys",
        licence="for research; may not be sold",
        citation="Y. LeCun, F. J. Huang and L. Bottou, Learning Methods for Generic Object Recognition with Invariance "
        "to Pose and Lighting, CVPR 2004",
        source="https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/, put here by you; gzipped files are checked by their "
        "sha256",
        may_show=False,
    )
    file = ""
    address = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
    total = 48_600
    # As TensorFlow Datasets records them (url_checksums/smallnorb.txt).
    checksums: ClassVar[Mapping[str, str]] = {
        f"{PARTS[0]}-cat.mat.gz": "2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa",
        f"{PARTS[0]}-dat.mat.gz": "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873",
        f"{PARTS[0]}-info.mat.gz": "de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32",
        f"{PARTS[1]}-cat.mat.gz": "ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff",
        f"{PARTS[1]}-dat.mat.gz": "cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474",
        f"{PARTS[1]}-info.mat.gz": "16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2",
    }

    def _read(self) -> Contents:
        tables = []
        for part in PARTS:
            with opened_matrix(self._file(part, "dat")) as (_, shape, dtype):
                if dtype != np.uint8 or shape[1:] != (CAMERAS, SIDE, SIDE):
                    raise DataError(f"{self._file(part, 'dat')} holds {dtype} {shape}; expected uint8 [N, 2, 96, 96]")
            few_enough(self.path, shape[0])
            category, told = (self._table(part, kind, shape[0], width) for kind, width in (("cat", 1), ("info", 4)))
            tables.append(np.concatenate([category, told], axis=1))
        table = np.concatenate(tables)
        factors = table[:, [0, 2, 3, 4]]
        factors[:, 2] //= 2  # azimuths are even numbers
        if table.min(initial=0) < 0 or table.max(initial=0) > 999:
            raise DataError(f"{self.path}: categories or positions are no small numbers")
        return Contents(factors, NAMES, (SIDE, SIDE), table.astype(np.float64), ("category", "instance", *NAMES[1:]))

    def _table(self, part: str, kind: str, count: int, width: int) -> NDArray[np.int64]:
        path = self._file(part, kind)
        with opened_matrix(path) as (stream, shape, dtype):
            if shape not in ((count,) if width == 1 else (), (count, width)) or dtype.kind != "i":
                raise DataError(f"{path} holds {dtype} {shape}; expected int32 [{count}, {width}]")
            return np.concatenate(list(_rows(stream, shape, dtype))).reshape(count, width).astype(np.int64)

    def _parts(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        start = 0
        for part in PARTS:
            with opened_matrix(self._file(part, "dat")) as (stream, shape, dtype):
                for pairs in _rows(stream, shape, dtype):
                    yield start, np.asarray(pairs[:, 0], np.uint8)
                    start += len(pairs)

    def _files(self) -> Sequence[Path]:
        return [self._file(part, kind) for part in PARTS for kind in ("dat", "cat", "info")]

    def _file(self, part: str, kind: str) -> Path:
        names = [self.path / f"{part}-{kind}.mat{ending}" for ending in (".gz", "")]
        found = [path for path in names if exists(path)]
        if not found:
            raise MissingError(f"{names[0]} is missing", fix=f"download the six files from {self.address}")
        return found[0]


@contextmanager
def opened_matrix(path: Path) -> Iterator[tuple[Any, tuple[int, ...], np.dtype[Any]]]:
    """A file in NORB's matrix format, gzipped or not, at its first value; with the shape and dtype of its values.

    The format, all little-endian: a magic number for the type, the number of dimensions, at least three sizes, of which
    those beyond the dimensions mean nothing, and the values in C order.

    Raises:
        DataError: It is none, or is damaged.
    """
    with read_as(path, "a whole matrix in NORB's format", "get it again"), open_regular(path) as plain:
        packed = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        with gzip.GzipFile(fileobj=plain) if packed else plain as stream:
            magic, dimensions = struct.unpack("<II", stream.read(8))
            if magic not in KINDS or not 1 <= dimensions <= 8:
                raise ValueError(f"begins with {magic:08x} and {dimensions} dimensions")
            count = max(3, dimensions)
            sizes = struct.unpack(f"<{count}i", stream.read(4 * count))[:dimensions]
            if min(sizes) < 1 or math.prod(sizes[1:]) > 1 << 24:
                raise ValueError(f"shape {sizes}")
            yield stream, sizes, np.dtype(KINDS[magic])


def _rows(stream: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[NDArray[np.integer[Any]]]:
    """Values in parts of some rows.

    Raises:
        EOFError: There are fewer, or more, than the shape says.
    """
    yield from parts_of(stream, shape, dtype, BLOCK)
    if stream.read(1):
        raise EOFError("is longer than its shape")
