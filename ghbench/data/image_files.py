"""Datasets that are image files: entries, splits, random access, and digests that a second run need not compute."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray

from ghbench import locations
from ghbench.atomic import write_text
from ghbench.dataset import DatasetCard, Target
from ghbench.digests import digest_file, digest_json
from ghbench.errors import DataError
from ghbench.files import read_text, regular_file
from ghbench.imaging import DECODE_VERSION, decode, pixel_digest


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """One image file.

    Args:
        id: Unique and portable, no path of this machine.
        path: Where the file is.
        label: Name of its class or person, None without labels.
    """

    id: str
    path: Path
    label: str | None = None


class ImageFiles:
    """Image files in a fixed order; satisfies `ghbench.dataset.Dataset`.

    Args:
        card: Licence, citation and source.
        entries: The files, one a row; all have a label or none has.
        label_names: Order of the labels; by default they are sorted.
        splits: Rows by split name; by default one split, `all`.
        targets: What is known of the images beside their labels.

    Raises:
        DataError: No files, an id that stands twice, or labels for some files only.
    """

    recipe_digest: str | None = None

    def __init__(
        self,
        card: DatasetCard,
        entries: Iterable[ImageEntry],
        *,
        label_names: Sequence[str] | None = None,
        splits: Mapping[str, NDArray[np.int64]] | None = None,
        targets: Mapping[str, Target] | None = None,
    ) -> None:
        self.entries = tuple(entries)
        if not self.entries:
            raise DataError(f"dataset {card.name!r} holds no images")
        self._card = card
        self.ids: Sequence[str] = tuple(entry.id for entry in self.entries)
        _check_ids(self.ids, card.name)
        self.targets: Mapping[str, Target] = {**_labels(self.entries, label_names, card.name), **(targets or {})}
        everything = np.arange(len(self.entries), dtype=np.int64)
        self.splits: Mapping[str, NDArray[np.int64]] = splits if splits is not None else {"all": everything}
        self._digests: dict[str, tuple[str, ...]] = {}

    def card(self) -> DatasetCard:
        """Licence, citation and source."""
        return self._card

    def __len__(self) -> int:
        return len(self.entries)

    def image(self, row: int) -> NDArray[np.uint8]:
        """Decode one image: uint8 [H, W, 3] RGB."""
        return decode(self.entries[row].path)

    def identities(self) -> Sequence[str]:
        """sha256 of each row's file; kept in the cache until a file may have changed.

        Raises:
            DataError: A file cannot be read; the message names it.
        """
        return self._cached_digests("file_digests", "sha256", _digest_of_file)

    def image_digests(self) -> Sequence[str]:
        """Pixel digest of each row; kept in the cache until a file or what decodes it may have changed.

        Raises:
            DataError: A file cannot be decoded; the message names it.
        """
        decoder = f"decode {DECODE_VERSION} pillow {PIL.__version__}"
        return self._cached_digests("image_digests", decoder, lambda path: pixel_digest(decode(path)))

    def _cached_digests(self, name: str, way: str, digest: Callable[[Path], str]) -> tuple[str, ...]:
        """Digests of all files, from an earlier run where they were made in the same way of the same files."""
        if name not in self._digests:
            kept = locations.cache() / "datasets" / f"{digest_json([name, way, *map(_status, self.entries)])}.json"
            digests = _read_digests(kept, name, len(self))
            if digests is None:
                # Threads, not processes: Pillow and hashlib let go of the interpreter lock for nearly all of the work.
                with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
                    digests = tuple(pool.map(lambda entry: digest(entry.path), self.entries))
                write_text(kept, json.dumps({"dataset": self._card.name, name: digests}))
            self._digests[name] = digests
        return self._digests[name]


def _status(entry: ImageEntry) -> list[str | int]:
    """What tells a changed file from an unchanged one without reading it.

    Size and time of modification can be those of the file before; the inode's own time cannot be set.
    """
    try:
        status = entry.path.stat()
    except OSError as error:
        raise _unreadable(entry.path, error) from error
    numbers = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return [entry.id, str(entry.path.absolute()), *numbers]


def _digest_of_file(path: Path) -> str:
    try:
        return digest_file(regular_file(path))
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read: {error.strerror}; expected an image file")


def _check_ids(ids: Sequence[str], dataset: str) -> None:
    seen: set[str] = set()
    for name in ids:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"the file name {name!a} of dataset {dataset!r} is not UTF-8", fix="rename the file, or move it away"
            ) from error
        if name in seen:
            raise DataError(f"id {name!r} stands twice in dataset {dataset!r}; expected unique ids")
        seen.add(name)


def _labels(entries: Sequence[ImageEntry], order: Sequence[str] | None, dataset: str) -> dict[str, Target]:
    given = [entry.label for entry in entries if entry.label is not None]
    if not given:
        return {}
    if len(given) != len(entries):
        unlabelled = next(entry.id for entry in entries if entry.label is None)
        raise DataError(f"{unlabelled!r} of dataset {dataset!r} has no label, others have; expected all or none")
    names = tuple(order) if order is not None else tuple(sorted(set(given)))
    number = {name: index for index, name in enumerate(names)}
    return {"label": Target("label", np.array([number[label] for label in given], dtype=np.int64), "class", names)}


def _read_digests(path: Path, name: str, count: int) -> tuple[str, ...] | None:
    """Digests of an earlier run; None if there are none or the file is damaged, for they can be made again."""
    try:
        digests = json.loads(read_text(path))[name]
    except (DataError, ValueError, KeyError, TypeError, RecursionError):
        return None
    whole = isinstance(digests, list) and len(digests) == count and all(isinstance(item, str) for item in digests)
    return tuple(digests) if whole else None
