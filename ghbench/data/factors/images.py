"""What datasets of images with known factors share: some rows of a large file, copied once to where any can be had."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ghbench import locations
from ghbench.atomic import atomic_file
from ghbench.data.split_rows import consecutive_splits
from ghbench.dataset import DatasetCard, Target
from ghbench.digests import digest_file, digest_json
from ghbench.errors import DataError, MissingError, UsageError
from ghbench.files import exists, is_folder, user_path
from ghbench.imaging import pixel_digest
from ghbench.progress import current
from ghbench.store.arrays_from_files import map_array

VERSION, SEED, BLOCK, MOST = 1, 0, 2_048, 1 << 22
"""Grows when the same options may give other rows; seed of the choice of rows; rows that readers hold at once; most
rows of a file."""


@dataclass(frozen=True, eq=False)
class Contents:
    """What a file holds, as known without reading a pixel.

    Args:
        factors: Numbers of the values of each factor, from 0: int64 [N, K].
        names: Of the factors.
        shape: Of an image: [H, W] or [H, W, 3].
        values: The values themselves [N, V] where the file has them.
        value_names: Their names; by default those of the factors.
    """

    factors: NDArray[np.int64]
    names: tuple[str, ...]
    shape: tuple[int, ...]
    values: NDArray[np.float64] | None = None
    value_names: tuple[str, ...] = ()


class FactorImages(ABC):
    """Images drawn at random from a file with all combinations of some factors; satisfies `ghbench.dataset.Dataset`.

    Rows for training and for testing are chosen with a fixed seed and never overlap. They are copied from the file
    once, in one pass and a block at a time, into the cache; from there any image can be had without reading the others.
    Ids are row numbers of the file. Target `factors`: int64 [N, K]; `factor-values` where the file has values.

    Args:
        path: The file or folder, or the folder that the file lies in; by default one among your datasets.
        train: Images to learn from.
        test: Images to judge on.
        published: Whether it must be what was published, by its checksum where that is known, and by its shape; False
            for a part of it, or a file of your own in the same format.

    Raises:
        MissingError: There is nothing at the path.
        UsageError: More images are asked for than there are, or none.
        DataError: It is damaged, of another format, or not what was published.
    """

    described: ClassVar[DatasetCard]
    file: ClassVar[str]
    """Its usual name; empty for a folder."""
    address: ClassVar[str]
    """Where to get it."""
    total: ClassVar[int]
    """Images of the published file."""
    checksums: ClassVar[Mapping[str, str]] = {}
    """sha256 of published files by name, of those that somebody has published."""
    recipe_digest: str | None = None

    def __init__(self, path: str | None = None, train: int = 10_000, test: int = 5_000, published: bool = True) -> None:
        self.path, self.published = self._found(path), published
        self._contents = self._read()
        count = len(self._contents.factors)
        if published and count != self.total:
            raise DataError(
                f"{self.path} has {count:,} images; {self.described.name} has {self.total:,}",
                fix="published=false, if it is meant to be something else",
            )
        if min(train, test) < 0 or not 0 < train + test <= count:
            raise UsageError(f"train={train} and test={test} of the {count:,} images of {self.described.name}")
        chosen = np.random.default_rng([SEED, VERSION]).permutation(count)[: train + test]
        self.rows = np.concatenate([np.sort(chosen[:train]), np.sort(chosen[train:])])
        self.ids: Sequence[str] = tuple(f"{row:07d}" for row in self.rows.tolist())
        counts = {"train": train, "test": test}
        self.splits: Mapping[str, NDArray[np.int64]] = consecutive_splits(
            {name: number for name, number in counts.items() if number}
        )

    def card(self) -> DatasetCard:
        """Licence, citation and source; of another file than the published one, its name says nothing."""
        return self.described if self.published else replace(self.described, named=False)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def targets(self) -> Mapping[str, Target]:
        """The factors of each image, and their values where they are known."""
        held = self._contents
        found = [Target("factors", held.factors[self.rows], "numbers of values", held.names)]
        if held.values is not None:
            names = held.value_names or held.names
            found.append(Target("factor-values", held.values[self.rows], "as published", names))
        return {target.name: target for target in found}

    def pixels(self) -> NDArray[np.uint8]:
        """All images at once: uint8 [N, H, W] or [N, H, W, 3]."""
        return np.asarray(self._copied[self._places])

    def image(self, row: int) -> NDArray[np.uint8]:
        """One image, grey replicated: uint8 [H, W, 3]."""
        image = self._copied[self._places[row]]
        return np.repeat(image[:, :, None], 3, axis=2) if image.ndim == 2 else np.array(image)

    def identities(self) -> Sequence[str]:
        """Pixel digest of each row."""
        return self._digests

    def image_digests(self) -> Sequence[str]:
        """Pixel digest of each row."""
        return self._digests

    @abstractmethod
    def _read(self) -> Contents:
        """What the file holds; reads no pixels."""

    @abstractmethod
    def _parts(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """All images in parts [n, *shape], each with the row of its first one, in any order."""

    def _files(self) -> Sequence[Path]:
        """The files that are read."""
        return [self.path]

    @cached_property
    def _digests(self) -> tuple[str, ...]:
        return tuple(pixel_digest(self.image(row)) for row in range(len(self)))

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """Where each row lies in the copy, which has the file's order."""
        return np.argsort(np.argsort(self.rows))

    @cached_property
    def _copied(self) -> NDArray[np.uint8]:
        """The copy of the chosen rows, memory-mapped; made where it is not there, or of other files."""
        files = [(str(path.absolute()), path.stat().st_size, path.stat().st_mtime_ns) for path in self._files()]
        order = np.sort(self.rows)
        key = digest_json([VERSION, self.described.name, self.published, files, order.tolist()])
        path = locations.cache() / "factors" / f"{self.described.name}-{key[:32]}.npy"
        shape = (len(order), *self._contents.shape)
        if not exists(path) or map_array(path).shape != shape:
            self._verify()
            self._copy(path, order, shape)
        return map_array(path)

    def _copy(self, path: Path, order: NDArray[np.int64], shape: tuple[int, ...]) -> None:
        total, label = len(self._contents.factors), f"images of {self.described.name}"
        seen = 0
        with atomic_file(path) as stream:
            npy.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
            head, width = stream.tell(), int(np.prod(shape[1:]))
            for start, images in self._parts():
                first, end = np.searchsorted(order, [start, start + len(images)])
                stream.seek(head + int(first) * width)
                stream.write(np.ascontiguousarray(images[order[first:end] - start]).data)
                seen += len(images)
                current()(seen, total, label)
            if seen != total:
                raise DataError(f"{self.path} holds {seen:,} images; expected {total:,}", fix="get it again")

    def _verify(self) -> None:
        """Compare files with what was published, of those whose checksum is known.

        Raises:
            DataError: One differs.
        """
        for path in self._files() if self.published else []:
            expected = self.checksums.get(path.name if len(self.checksums) > 1 else self.file)
            if expected is not None and (found := digest_file(path)) != expected:
                raise DataError(
                    f"{path} is not the published file: its sha256 is {found}, expected {expected}",
                    fix=f"get it again from {self.address}, or published=false",
                )

    def _found(self, path: str | None) -> Path:
        root = user_path(path) if path else locations.data() / self.described.name
        whole = root / self.file if self.file and is_folder(root) else root
        if not exists(whole) or (self.file and is_folder(whole)):
            what = self.file or "the files"
            raise MissingError(f"{whole} is missing", fix=f"download {what} from {self.address}, and name it: path=...")
        return whole


def few_enough(path: Path, count: int) -> None:
    """Refuse a header that declares more images than any such dataset has: its tables would not fit into memory.

    Raises:
        DataError: There are too many, or none.
    """
    if not 1 <= count <= MOST:
        raise DataError(f"{path} declares {count:,} images; expected 1 to {MOST:,}")


def numbered(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Values [N, K] of each column as numbers from 0 in rising order.

    Raises:
        DataError: One is not finite.
    """
    if not np.isfinite(values).all():
        raise DataError("a factor has a value that is not finite")
    return np.stack([np.unique(column, return_inverse=True)[1] for column in values.T], axis=1).astype(np.int64)


def combinations(sizes: Sequence[int]) -> NDArray[np.int64]:
    """All combinations of factors with so many values [N, K], the last factor changing fastest."""
    return np.stack(np.unravel_index(np.arange(int(np.prod(sizes))), tuple(sizes)), axis=1).astype(np.int64)
