"""Imported features: checked once, kept in the home folder because ghbench cannot make them again."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from ghbench import atomic, locations
from ghbench.dataset import Dataset, content_digest
from ghbench.digests import digest_file, digest_json
from ghbench.errors import DataError, FeatureError, MissingError, UsageError
from ghbench.extractor import Domain
from ghbench.files import read_text
from ghbench.store.arrays_from_files import map_array, write_array
from ghbench.store.feature_files import IDS, FeatureFile, read_features

Part = TypeVar("Part", bound=BaseModel)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class ImportedTraining(BaseModel):
    """What a network learned from, as whoever imports its features states it."""

    model_config = ConfigDict(extra="forbid")

    datasets: list[str] = []
    supervision: str = "not stated"
    domain: Domain = "not stated"
    licence: str = "not stated"


class Comparison(BaseModel):
    """How features are compared, as the file of `ghbench extract` says; other files say nothing."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    similarity: Literal["cosine", "l2"] = "cosine"
    centred: bool = False
    mean: dict[str, list[float]] | None = None


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
    training: ImportedTraining | None = None
    comparison: Comparison | None = None

    @property
    def digest(self) -> str:
        """Identity of the features: dataset, bytes and how they are compared."""
        compared = [] if self.comparison is None else [self.comparison.model_dump(mode="json")]
        return digest_json([self.dataset_digest, self.files, *compared])


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


def import_features(
    source: Path,
    name: str,
    dataset: Dataset,
    *,
    ids: str = IDS,
    replace: bool = False,
    training: ImportedTraining | None = None,
) -> ImportedFeatures:
    """Import features made elsewhere.

    Args:
        source: `.npy` [N, D] with rows in the dataset's order, or `.npz`, `.parquet`, `.safetensors` with one array or
            column a level and, if the order differs, `ids` [N] naming each row; see `read_features`.
        name: Their name, for `imported:name=NAME`.
        dataset: The dataset they belong to.
        ids: Name of the array or column of ids, or a text file with one id a line.
        replace: Whether to replace features of that name.
        training: What the network learned from; None: as the file of `ghbench extract` states it, else not stated.

    Returns:
        The imported features.

    Raises:
        UsageError: The name is taken or not a valid folder name.
        UserError: Another process imports features of that name.
        DataError: The file is not an array file, or its rows are not those of the dataset.
        FeatureError: NaN, Inf or overflow of float32.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name imported features; letters, digits and . _ - only")
    folder = imported_folder() / name
    if folder.exists() and not replace:
        raise UsageError(f"imported features {name!r} exist already", fix="add --replace, or choose another name")
    with atomic.atomic_folder(folder, replace=replace) as making:
        manifest = _import(source, name, making, dataset, ids, training)
    return ImportedFeatures(folder, manifest)


def _import(
    source: Path, name: str, making: Path, dataset: Dataset, ids: str, training: ImportedTraining | None
) -> ImportedManifest:
    """Write the features and, last, their manifest into the folder `making`."""
    listed = Path(ids)
    from_list = ids != IDS and listed.is_file()
    found = read_features(source, IDS if from_list else ids)
    names = _listed_ids(listed) if from_list else found.ids
    if ids != IDS and names is None:
        raise DataError(f"{source} has no ids called {ids!r}, and there is no such file")
    levels = _in_dataset_order(found.levels, names, dataset, source)
    if not levels:
        raise DataError(f"{source} holds no features; expected one array [{len(dataset)}, D] a level")
    kept = {level: _validate(array, level, dataset, source) for level, array in levels.items()}
    comparison = _statement(Comparison, found, "comparison", source)
    for level, mean in (comparison.mean or {} if comparison else {}).items():
        if level not in kept or len(mean) != kept[level].shape[1]:
            raise DataError(f"{source}: the mean of level {level!r} does not fit its features")
    files = {}
    for level, array in kept.items():
        with atomic.atomic_file(making / f"{level}.npy") as stream:
            write_array(stream, array)
        files[level] = digest_file(making / f"{level}.npy")
    manifest = ImportedManifest(
        name=name,
        dataset=dataset.card().name,
        dataset_digest=content_digest(dataset),
        rows=len(dataset),
        dims={level: array.shape[1] for level, array in kept.items()},
        files=files,
        training=training or _statement(ImportedTraining, found, "training", source),
        comparison=comparison,
    )
    atomic.write_text(making / "manifest.json", manifest.model_dump_json(indent=1, exclude_none=True) + "\n")
    return manifest


def _statement(model: type[Part], found: FeatureFile, name: str, source: Path) -> Part | None:
    """What `ghbench extract` wrote beside the features."""
    if name not in found.about:
        return None
    try:
        return model.model_validate(found.about[name])
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{source}: its {name} is not what ghbench extract writes: {first['msg']}") from error


def _listed_ids(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text; expected one id a line") from error


def imported_manifests() -> list[ImportedManifest]:
    """Manifests of all imported features, sorted by name; what is damaged is left out."""
    found = []
    for path in sorted(imported_folder().glob("[!.]*/manifest.json")):
        with suppress(MissingError):
            found.append(load_imported(path.parent.name).manifest)
    return found


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


def _in_dataset_order(
    arrays: dict[str, NDArray[Any]], ids: list[str] | None, dataset: Dataset, source: Path
) -> dict[str, NDArray[Any]]:
    if ids is None:
        return arrays
    row_of = {name: row for row, name in enumerate(ids)}
    missing = [name for name in dataset.ids if name not in row_of]
    if missing or len(row_of) != len(ids):
        what = f"id {missing[0]!r} is missing" if missing else "duplicate ids"
        raise DataError(f"{source}: {what}; expected each of the {len(dataset)} ids of {dataset.card().name!r} once")
    wrong = next((level for level, array in arrays.items() if array.ndim == 0 or len(array) != len(ids)), None)
    if wrong is not None:
        raise DataError(
            f"{source}, level {wrong!r}: {arrays[wrong].shape} beside {len(ids)} ids; expected one row an id"
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
            f"{source}, level {level!r}: NaN, Inf or beyond float32, rows {', '.join(map(str, bad[:8]))}"
        )
    return stored
