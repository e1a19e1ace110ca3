"""Reads and writes representations: safetensors that say how to build them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from ghbench import checkpoints
from ghbench.checkpoints import Checkpoint, match_keys
from ghbench.contrafeat.representation.network import RepresentationConfig, RepresentationDecoder, RepresentationEncoder
from ghbench.digests import digest_array, digest_json, digest_lines
from ghbench.errors import DataError, MissingError
from ghbench.extractor import TrainingRecord
from ghbench.ghfeat.files.description import training_record

FORMAT, NETWORK, DECODER = "contrafeat-representation", "representation", "decoder"
TRAIN = "ghbench train representation"
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class RepresentationDescription:
    """What a representation's file says; no network is built for it.

    Args:
        path: The file.
        config: Architecture.
        licence: Terms of the weights.
        record: Training record.
        about: Anything else, as JSON values: method, options, data, measurements.
        digest: sha256 of the encoder's architecture and arrays.
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
    path: Path,
    encoder: RepresentationEncoder,
    decoder: RepresentationDecoder,
    *,
    licence: str,
    record: TrainingRecord,
    about: Mapping[str, Any],
) -> None:
    """Write both networks as safetensors, atomically.

    Raises:
        DataError: A weight is not finite.
    """
    arrays = {
        f"{network}/{name}": np.asarray(value.detach().cpu().float().contiguous().numpy())
        for network, module in ((NETWORK, encoder), (DECODER, decoder))
        for name, value in module.state_dict().items()
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
    return _built(RepresentationEncoder(described.config), described, NETWORK)


def build_decoder(described: RepresentationDescription) -> RepresentationDecoder:
    """The decoder that was trained with it, frozen, on the CPU; its answers are logits.

    Raises:
        DataError: The file has none, or its arrays do not fit the architecture.
    """
    return _built(RepresentationDecoder(described.config), described, DECODER)


def _built(network: Network, described: RepresentationDescription, name: str) -> Network:
    tensors = described.checkpoint.network(name)
    match_keys(tensors, {key: tuple(value.shape) for key, value in network.state_dict().items()})
    network.load_state_dict({key: torch.from_numpy(np.array(array)).float() for key, array in tensors.items()})
    return network.eval().requires_grad_(requires_grad=False)
