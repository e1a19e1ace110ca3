"""Reads and writes representations: safetensors that say how to build them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ghbench import checkpoints
from ghbench.checkpoints import Checkpoint, match_keys
from ghbench.contrafeat.representation.network import RepresentationConfig, RepresentationEncoder
from ghbench.digests import digest_array, digest_json, digest_lines
from ghbench.errors import DataError, MissingError
from ghbench.extractor import TrainingRecord
from ghbench.ghfeat.files.description import training_record

FORMAT, NETWORK = "contrafeat-representation", "representation"
TRAIN = "ghbench train representation"


@dataclass(frozen=True)
class RepresentationDescription:
    """What a representation's file says; no network is built for it.

    Args:
        path: The file.
        config: Architecture.
        licence: Terms of the weights.
        record: Training record.
        about: Anything else, as JSON values: method, options, data, measurements.
        digest: sha256 of architecture and arrays.
        checkpoint: The file's arrays.
    """

    path: Path
    config: RepresentationConfig
    licence: str
    record: TrainingRecord
    about: Mapping[str, Any]
    digest: str
    checkpoint: Checkpoint


def save_representation(
    path: Path, encoder: RepresentationEncoder, *, licence: str, record: TrainingRecord, about: Mapping[str, Any]
) -> None:
    """Write the encoder as safetensors, atomically.

    Raises:
        DataError: A weight is not finite.
    """
    arrays = {
        f"{NETWORK}/{name}": np.asarray(value.detach().cpu().float().contiguous().numpy())
        for name, value in encoder.state_dict().items()
    }
    digest = digest_lines(f"{name} {digest_array(array)}" for name, array in arrays.items())
    stated = {"record": asdict(record), "about": dict(about)}
    architecture = {NETWORK: encoder.config.to_json()}
    checkpoints.write(path, Checkpoint(FORMAT, arrays, stated, digest), licence=licence, architecture=architecture)


def describe_representation(path: Path) -> RepresentationDescription:
    """Read what a representation's file says.

    Raises:
        MissingError: There is no such file.
        DataError: The file is damaged or has no representation.
    """
    if not path.is_file():
        raise MissingError(f"there is no representation {path}", fix=f"{TRAIN} ... --run NAME")
    checkpoint = checkpoints.read(path)
    stated = checkpoint.config.get("config") or {}
    about, architecture = stated.get("about"), checkpoint.config.get("architecture")
    if not isinstance(about, dict) or not isinstance(architecture, dict):
        raise DataError(f"{path} has no representation", fix=f"name a file that `{TRAIN}` wrote")
    config = RepresentationConfig.from_json(architecture.get(NETWORK))
    tensors = checkpoint.network(NETWORK)
    lines = [f"{name} {digest_array(np.asarray(tensors[name]))}" for name in sorted(tensors)]
    return RepresentationDescription(
        path, config, str(checkpoint.config.get("licence", "not stated")), training_record(stated.get("record")),
        about, digest_lines([digest_json(config.to_json()), *lines]), checkpoint,
    )  # fmt: skip


def build_representation(described: RepresentationDescription) -> RepresentationEncoder:
    """The encoder of a file, frozen, on the CPU.

    Raises:
        DataError: Its arrays do not fit the architecture.
    """
    network = RepresentationEncoder(described.config)
    tensors = described.checkpoint.network(NETWORK)
    match_keys(tensors, {name: tuple(value.shape) for name, value in network.state_dict().items()})
    network.load_state_dict({name: torch.from_numpy(np.array(array)).float() for name, array in tensors.items()})
    return network.eval().requires_grad_(requires_grad=False)
