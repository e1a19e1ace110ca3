"""ghbench's own format: safetensors with source format, configuration, digest and notes as metadata."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.atomic import write_bytes
from ghbench.checkpoints.checkpoint import Checkpoint
from ghbench.checkpoints.unpickler import DAMAGE
from ghbench.digests import digest_file
from ghbench.errors import DataError
from ghbench.files import regular_file
from ghbench.outputs import MADE_BY

FORMAT = "native"
_METADATA = MADE_BY


def write(path: Path, checkpoint: Checkpoint, *, licence: str, architecture: Mapping[str, Any] | None = None) -> None:
    """Write a checkpoint as safetensors, atomically.

    Args:
        path: The file to write.
        checkpoint: Arrays and metadata; its digest becomes the source digest.
        licence: Licence of the weights.
        architecture: What is needed to rebuild the networks, as JSON values.

    Raises:
        DataError: An array holds NaN or infinity; a file that stands at `path` stays as it is.
    """
    from safetensors.numpy import save

    about = {
        "format": checkpoint.format,
        "config": checkpoint.config,
        "source_digest": checkpoint.digest,
        "notes": list(checkpoint.notes),
        "licence": licence,
        "architecture": dict(architecture or {}),
    }
    arrays = {name: np.require(array, requirements="C") for name, array in checkpoint.tensors.items()}
    broken = [name for name, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
    if broken:
        raise DataError(
            f"{path.name} is not written: {', '.join(broken[:3])}{', ...' if broken[3:] else ''} not finite",
            fix="take weights from before the training diverged",
        )
    write_bytes(path, save(arrays, metadata={_METADATA: json.dumps(about, sort_keys=True)}))


def read(path: Path) -> Checkpoint:
    """Read any safetensors file.

    Args:
        path: The file.

    Returns:
        The arrays, bfloat16 as float32; for files written by `write`, `config` holds format, configuration and digest
        of the source, licence and architecture.

    Raises:
        DataError: The file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    regular_file(path)
    try:
        with safe_open(path, framework="numpy") as file:
            names = list(file.keys())
            coarse = {name for name in names if file.get_slice(name).get_dtype() == "BF16"}
            tensors = {name: file.get_tensor(name) for name in names if name not in coarse}
            metadata = file.metadata() or {}
        if coarse:
            tensors |= _from_bfloat16(path, coarse)
        about = json.loads(metadata[_METADATA]) if _METADATA in metadata else {"metadata": metadata}
    except (SafetensorError, OSError, *DAMAGE) as error:
        raise DataError(f"{path} is not a readable safetensors file: {error}", fix="get the file again") from error
    if not isinstance(about, dict):
        raise DataError(f"{path} has unreadable metadata", fix="convert the source again: ghbench convert")
    for name, part in (("architecture", about.get("architecture")), ("config", about.get("config"))):
        if part is not None and not isinstance(part, dict):
            raise DataError(f"{path} has an unreadable {name}", fix="convert the source again: ghbench convert")
    notes = about.pop("notes", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise DataError(f"{path} has unreadable notes", fix="convert the source again: ghbench convert")
    return Checkpoint(FORMAT, tensors, about, digest_file(path), tuple(notes))


def _from_bfloat16(path: Path, names: Collection[str]) -> dict[str, NDArray[np.float32]]:
    """These arrays as float32: NumPy has no bfloat16, whose bits are the upper half of float32's."""
    from safetensors import deserialize

    found = {name: about for name, about in deserialize(path.read_bytes()) if name in names}  # type: ignore[no-untyped-call]
    upper = {name: np.frombuffer(about["data"], "<u2").astype("<u4") << 16 for name, about in found.items()}
    return {name: bits.view("<f4").reshape(found[name]["shape"]) for name, bits in upper.items()}
