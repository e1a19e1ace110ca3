"""Datasets that are picture files: entries, splits, random access, and digests that a second run need not compute."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray

from ghbench import locations
from ghbench.atomic import write_text
from ghbench.dataset import DatasetCard
from ghbench.digests import digest_lines
from ghbench.errors import DataError
from ghbench.imaging import DECODE_VERSION, decode, pixel_digest


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """One picture file.

    Args:
        id: Unique and portable, no path of this machine.
        path: Where the file is.
        label: Name of its class or person, None without labels.
    """

    id: str
    path: Path
    label: str | None = None


class ImageFiles:
    """Picture files in a fixed order; satisfies `ghbench.dataset.Dataset`.

    Args:
        card: Licence, citation and source.
        entries: The files, one a row; all have a label or none has.
        label_names: Order of the labels; by default they are sorted.
        splits: Rows by split name; by default one split, `all`.

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
    ) -> None:
        self.entries = tuple(entries)
        if not self.entries:
            raise DataError(f"dataset {card.name!r} holds no pictures")
        self._card = card
        self.ids: Sequence[str] = tuple(entry.id for entry in self.entries)
        _check_unique(self.ids, card.name)
        self.label_names, self.labels = _labels(self.entries, label_names, card.name)
        everything = np.arange(len(self.entries), dtype=np.int64)
        self.splits: Mapping[str, NDArray[np.int64]] = splits if splits is not None else {"all": everything}
        self._digests: tuple[str, ...] | None = None

    def card(self) -> DatasetCard:
        """Licence, citation and source."""
        return self._card

    def __len__(self) -> int:
        return len(self.entries)

    def image(self, row: int) -> NDArray[np.uint8]:
        """Decode one picture: uint8 [H, W, 3] RGB."""
        return decode(self.entries[row].path)

    def image_digests(self) -> Sequence[str]:
        """Pixel digest of each row; kept in the cache until a file's path, size or time of change differs.

        Raises:
            DataError: A file cannot be decoded; the message names it.
        """
        if self._digests is None:
            kept = locations.cache() / "datasets" / f"{self._files_digest()}.json"
            self._digests = _read_digests(kept, len(self))
            if self._digests is None:
                self._digests = self._compute_digests()
                write_text(kept, json.dumps({"dataset": self._card.name, "image_digests": self._digests}))
        return self._digests

    def _compute_digests(self) -> tuple[str, ...]:
        # Threads, not processes: Pillow and hashlib let go of the interpreter lock for nearly all of the work.
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            return tuple(pool.map(lambda entry: pixel_digest(decode(entry.path)), self.entries))

    def _files_digest(self) -> str:
        """Digest of what tells a changed file from an unchanged one without reading it, and of what decodes it."""
        lines = [f"decode {DECODE_VERSION} pillow {PIL.__version__}"]
        for entry in self.entries:
            try:
                status = entry.path.stat()
            except OSError as error:
                raise DataError(f"{entry.path} cannot be read: {error.strerror}; expected a picture file") from error
            lines.append(f"{entry.id}\t{entry.path.absolute()}\t{status.st_size}\t{status.st_mtime_ns}")
        return digest_lines(lines)


def _check_unique(ids: Sequence[str], dataset: str) -> None:
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise DataError(f"id {name!r} stands twice in dataset {dataset!r}; expected unique ids")
        seen.add(name)


def _labels(
    entries: Sequence[ImageEntry], order: Sequence[str] | None, dataset: str
) -> tuple[Sequence[str], NDArray[np.int64] | None]:
    given = [entry.label for entry in entries if entry.label is not None]
    if not given:
        return (), None
    if len(given) != len(entries):
        unlabelled = next(entry.id for entry in entries if entry.label is None)
        raise DataError(f"{unlabelled!r} of dataset {dataset!r} has no label, others have; expected all or none")
    names = tuple(order) if order is not None else tuple(sorted(set(given)))
    number = {name: index for index, name in enumerate(names)}
    return names, np.array([number[label] for label in given], dtype=np.int64)


def _read_digests(path: Path, count: int) -> tuple[str, ...] | None:
    """Digests of an earlier run; None if there are none or the file is damaged, for they can be made again."""
    try:
        digests = json.loads(path.read_text(encoding="utf-8"))["image_digests"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = isinstance(digests, list) and len(digests) == count and all(isinstance(item, str) for item in digests)
    return tuple(digests) if whole else None
