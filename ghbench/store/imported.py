"""Imported features: checked once, kept in the home folder because ghbench cannot make them again."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from ghbench import atomic, locations
from ghbench.dataset import Dataset, content_digest
from ghbench.digests import digest_file, digest_json
from ghbench.errors import DataError, FeatureError, MissingError, UsageError
from ghbench.files import read_text
from ghbench.store.arrays_from_files import map_array, read_arrays

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_IDS = "ids"


class ImportedManifest(BaseModel):
    """`manifest.json` of imported features."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = 1
    name: str
    dataset: str
    dataset_digest: str
    rows: int
    dims: dict[str, int]
    files: dict[str, str]

    @property
    def digest(self) -> str:
        """Identity of the features: dataset and bytes."""
        return digest_json([self.dataset_digest, self.files])


@dataclass(frozen=True, slots=True)
class ImportedFeatures:
    """Imported features of one dataset."""

    folder: Path
    manifest: ImportedManifest

    def of(self, dataset: Dataset) -> dict[str, NDArray[Any]]:
        """Features by level, rows in the dataset's order, memory-mapped.

        Raises:
            MissingError: They are of another dataset or another version of it.
            DataError: A file has changed.
        """
        if content_digest(dataset) != self.manifest.dataset_digest:
            raise MissingError(
                f"imported features {self.manifest.name!r} are of dataset {self.manifest.dataset!r}, "
                f"not of these images of {dataset.card().name!r}",
                fix=f"ghbench cache import FEATURES.npy --as NAME --dataset {dataset.card().name}",
            )
        found = {}
        for level, sha256 in self.manifest.files.items():
            path = self.folder / f"{level}.npy"
            if not _NAME.fullmatch(level) or not path.is_file() or digest_file(path) != sha256:
                raise DataError(f"{path} has changed since the import", fix="import the features again")
            array = map_array(path)
            wanted = (len(dataset), self.manifest.dims.get(level))
            if array.shape != wanted or array.dtype != np.float32 or not np.isfinite(array).all():
                raise DataError(f"{path} is not what its manifest says", fix="import the features again")
            found[level] = array
        return found


def imported_folder() -> Path:
    """Folder of imported features."""
    return locations.home() / "imported"


def import_features(source: Path, name: str, dataset: Dataset) -> ImportedFeatures:
    """Import features made elsewhere.

    Args:
        source: `.npy` [N, D] with rows in the dataset's order, or `.npz` with one such array a level and, if the order
            differs, the array `ids` [N] naming each row.
        name: Their name, for `imported:name=NAME`.
        dataset: The dataset they belong to.

    Returns:
        The imported features.

    Raises:
        UsageError: The name is taken or not a valid folder name.
        DataError: The file is not an array file, or its rows are not those of the dataset.
        FeatureError: NaN, Inf or overflow of float32.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name imported features; letters, digits and . _ - only")
    folder = imported_folder() / name
    if folder.exists():
        raise UsageError(f"imported features {name!r} exist already", fix=f"remove {folder} or choose another name")
    levels = _in_dataset_order(_read_arrays(source), dataset, source)
    if not levels:
        raise DataError(f"{source} holds no features; expected one array [{len(dataset)}, D] a level")
    kept = {level: _validate(array, level, dataset, source) for level, array in levels.items()}
    files, dims = {}, {}
    with atomic.atomic_folder(folder) as making:
        for level, array in kept.items():
            content = io.BytesIO()
            np.save(content, np.ascontiguousarray(array), allow_pickle=False)
            atomic.write_bytes(making / f"{level}.npy", content.getvalue())
            files[level] = digest_file(making / f"{level}.npy")
            dims[level] = array.shape[1]
        manifest = ImportedManifest(
            name=name,
            dataset=dataset.card().name,
            dataset_digest=content_digest(dataset),
            rows=len(dataset),
            dims=dims,
            files=files,
        )
        atomic.write_text(making / "manifest.json", manifest.model_dump_json(indent=1) + "\n")
    return ImportedFeatures(folder, manifest)


def load_imported(name: str) -> ImportedFeatures:
    """Imported features by name.

    Raises:
        MissingError: There are none of that name.
    """
    folder = imported_folder() / name
    try:
        manifest = ImportedManifest.model_validate_json(read_text(folder / "manifest.json"))
    except (DataError, ValidationError, ValueError) as error:
        raise MissingError(
            f"no features were imported as {name!r}", fix=f"ghbench cache import FEATURES.npy --as {name} --dataset orl"
        ) from error
    return ImportedFeatures(folder, manifest)


def _read_arrays(source: Path) -> dict[str, NDArray[Any]]:
    if not source.exists():
        raise MissingError(f"{source} does not exist")
    return read_arrays(source)


def _in_dataset_order(arrays: dict[str, NDArray[Any]], dataset: Dataset, source: Path) -> dict[str, NDArray[Any]]:
    if _IDS not in arrays:
        return arrays
    named = arrays.pop(_IDS)
    if named.ndim != 1:
        raise DataError(f"{source}: {_IDS} has shape {named.shape}; expected one id a row")
    ids = [str(name) for name in named]
    row_of = {name: row for row, name in enumerate(ids)}
    missing = [name for name in dataset.ids if name not in row_of]
    if missing or len(row_of) != len(ids):
        what = f"id {missing[0]!r} is missing" if missing else "duplicate ids"
        raise DataError(f"{source}: {what}; expected each of the {len(dataset)} ids of {dataset.card().name!r} once")
    for level, array in arrays.items():
        if array.shape[:1] != named.shape:
            raise DataError(
                f"{source}, level {level!r}: shape {array.shape}; expected one row for each of {len(ids)} ids"
            )
    order = [row_of[name] for name in dataset.ids]
    return {level: array[order] for level, array in arrays.items()}


def _validate(array: NDArray[Any], level: str, dataset: Dataset, source: Path) -> NDArray[np.float32]:
    if not _NAME.fullmatch(level):  # it names a file
        raise DataError(f"{source}: {level!r} cannot name a level; letters, digits and . _ - only")
    if (
        array.ndim != 2
        or len(array) != len(dataset)
        or not array.shape[1]
        or not np.issubdtype(array.dtype, np.floating)
    ):
        raise DataError(
            f"{source}, level {level!r}: {array.dtype} {array.shape}; "
            f"expected floating [{len(dataset)}, D], one row for each image of {dataset.card().name!r}"
        )
    with np.errstate(over="ignore"):
        stored = array.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(stored).all(axis=1))
    if len(bad):
        raise FeatureError(
            f"{source}, level {level!r}: NaN, Inf or beyond float32 in rows {', '.join(map(str, bad[:8]))}"
        )
    return stored
