"""Cars3D: 183 car models from all sides; you download it yourself."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ghbench.data.factors.images import Contents, FactorImages, combinations
from ghbench.dataset import DatasetCard
from ghbench.errors import DataError
from ghbench.files import is_folder, open_regular, read_as

SIDE, AZIMUTHS, ELEVATIONS = 128, 24, 4
SHAPE = (SIDE, SIDE, 3, AZIMUTHS, ELEVATIONS)
VARIABLE, LARGEST, MOST = "im", 64 * 2**20, 4_096
"""The variable that is read; bytes of a file, and number of files, that are accepted."""


class Cars3d(FactorImages):
    """Cars3D, from its archive or the folder of its `.mat` files: elevation (4), azimuth (24), and which car (183).

    Cars are numbered by the names of their files. With 183 values no code of 20 bins can tell every car.
    """

    described = DatasetCard(
        name="cars3d",
        title="Cars3D: 17,568 images of 183 car models",
        licence="not stated",
        citation="S. Reed, Y. Zhang, Y. Zhang and H. Lee, Deep Visual Analogy-Making, NIPS 2015",
        source="http://www.scottreed.info/files/nips2015-analogy-data.tar.gz, put here by you; checked by shape alone, "
        "for no sha256 of the archive is published",
        may_show=False,
        domain="renderer",
    )
    file = ""
    address = "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz"
    total = 17_568

    def _read(self) -> Contents:
        self._names = sorted(self._cars())
        if not self._names or len(set(self._names)) != len(self._names):
            raise DataError(f"{self.path} has no .mat files of cars, or several of one name")
        cars, azimuths, elevations = combinations((len(self._names), AZIMUTHS, ELEVATIONS)).T
        factors = np.stack([elevations, azimuths, cars], axis=1)
        return Contents(factors, ("elevation", "azimuth", "object_type"), (SIDE, SIDE, 3))

    def _parts(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        if is_folder(self.path):
            for name in self._names:
                with open_regular(self.path / name) as stream:
                    yield self._first(name), _images(self.path / name, stream)
            return
        with self._archive() as archive:
            for member in archive:
                packed = archive.extractfile(member) if _is_car(member) else None
                if packed is not None:
                    name = PurePosixPath(member.name).name
                    yield self._first(name), _images(self.path / name, packed)

    def _first(self, name: str) -> int:
        return AZIMUTHS * ELEVATIONS * self._names.index(name)

    def _files(self) -> list[Path]:
        return [self.path / name for name in self._names] if is_folder(self.path) else [self.path]

    def _cars(self) -> list[str]:
        if is_folder(self.path):
            return [path.name for path in self.path.iterdir() if path.suffix == ".mat"][:MOST]
        with self._archive() as archive:
            return [PurePosixPath(member.name).name for member in archive if _is_car(member)][:MOST]

    @contextmanager
    def _archive(self) -> Iterator[tarfile.TarFile]:
        """The archive, from its beginning to its end; nothing is unpacked to disk."""
        with (
            read_as(self.path, "a whole archive of .mat files", "get it again"), open_regular(self.path) as stream,
            tarfile.open(fileobj=stream, mode="r|*") as archive,
        ):  # fmt: skip
            yield archive


def _is_car(member: tarfile.TarInfo) -> bool:
    path = PurePosixPath(member.name)
    return member.isreg() and path.suffix == ".mat" and path.parent.name == "cars"


def _images(path: Path, stream: IO[bytes]) -> NDArray[np.uint8]:
    """Images of one car [96, 128, 128, 3], elevations changing fastest.

    Raises:
        DataError: The file is none, is too large, or has another array; read without running anything in it.
    """
    from scipy import io as matlab

    reader: Any = matlab  # its stubs do not know that it reads streams
    content = stream.read(LARGEST + 1)
    try:
        # Types are looked at first: only an array of numbers of this shape is read.
        if len(content) > LARGEST or (VARIABLE, SHAPE, "uint8") not in reader.whosmat(io.BytesIO(content)):
            raise ValueError(f"has no variable {VARIABLE}, uint8 {SHAPE}")
        values = reader.loadmat(io.BytesIO(content), variable_names=[VARIABLE])[VARIABLE]
    except Exception as error:
        raise DataError(f"{path} is not a car of Cars3D: {error}"[:400], fix="get it again") from error
    return np.asarray(values, np.uint8).transpose(3, 4, 0, 1, 2).reshape(-1, SIDE, SIDE, 3)
