"""Reads and writes navigators: safetensors that say how to build them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ghbench import checkpoints
from ghbench.checkpoints import Checkpoint, match_keys
from ghbench.contrafeat.network.config import NavigatorConfig
from ghbench.contrafeat.network.navigator import NavigatorNetwork
from ghbench.digests import digest_array, digest_json, digest_lines
from ghbench.errors import DataError, MissingError
from ghbench.extractor import TrainingRecord
from ghbench.ghfeat.files.description import training_record

FORMAT = "contrafeat-navigator"
NETWORK, PROTOTYPES = "navigator", "prototypes/images"


@dataclass(frozen=True)
class NavigatorDescription:
    """What a navigator's file says; no network is built for it.

    Args:
        path: The file.
        config: Architecture.
        licence: Terms of the weights.
        record: Training record.
        about: Anything else, as JSON values: generator, options, measurements.
        digest: sha256 of architecture and arrays; names of directions are no part of it.
        checkpoint: The file's arrays.
    """

    path: Path
    config: NavigatorConfig
    licence: str
    record: TrainingRecord
    about: Mapping[str, Any]
    digest: str
    checkpoint: Checkpoint

    @property
    def generator(self) -> str:
        """Spec string of its generator, as the file has it."""
        return str(self.about["generator"])

    @property
    def generator_digest(self) -> str:
        """Digest of its generator's weights."""
        return str(self.about["generator_digest"])

    @property
    def variant(self) -> str:
        """What it learned from."""
        options = self.about.get("options")
        return str(options.get("variant", "binary")) if isinstance(options, dict) else "binary"


def save_navigator(
    path: Path, navigator: NavigatorNetwork, *, licence: str, record: TrainingRecord, about: Mapping[str, Any],
    prototypes: Tensor | None = None,
) -> None:  # fmt: skip
    """Write a navigator as safetensors, atomically.

    Args:
        path: File to write.
        navigator: The navigator.
        licence: Terms of the weights.
        record: Training record.
        about: `generator`, its spec string, `generator_digest`, and anything else, as JSON values.
        prototypes: Images [K, 3, R, R] in [-1, 1], kept as float16; None for none.

    Raises:
        DataError: A weight is not finite.
    """
    arrays = {
        f"{NETWORK}/{name}": np.asarray(value.detach().cpu().float().contiguous().numpy())
        for name, value in navigator.state_dict().items()
    }
    if prototypes is not None:
        arrays[PROTOTYPES] = np.asarray(prototypes.detach().cpu().half().contiguous().numpy())
    digest = digest_lines(f"{name} {digest_array(array)}" for name, array in arrays.items())
    listed = asdict(record)
    listed["image_digests"] = None if record.image_digests is None else sorted(record.image_digests)
    checkpoints.write(
        path,
        Checkpoint(FORMAT, arrays, {"record": listed, "about": dict(about)}, digest),
        licence=licence,
        architecture={NETWORK: navigator.config.to_json()},
    )


def describe_navigator(path: Path) -> NavigatorDescription:
    """Read what a navigator's file says.

    Raises:
        MissingError: There is no such file.
        DataError: The file is damaged or has no navigator.
    """
    if not path.is_file():
        raise MissingError(f"there is no navigator {path}", fix="name a file that `ghbench train contrafeat` wrote")
    checkpoint = checkpoints.read(path)
    architecture = (checkpoint.config.get("architecture") or {}).get(NETWORK)
    stated = checkpoint.config.get("config") or {}
    about = stated.get("about")
    complete = isinstance(about, dict) and {"generator", "generator_digest"} <= set(about)
    if not isinstance(architecture, dict) or not isinstance(about, dict) or not complete:
        raise DataError(f"{path} has no navigator", fix="name a file that `ghbench train contrafeat` wrote")
    config = NavigatorConfig.from_json(architecture)
    return NavigatorDescription(
        path, config, str(checkpoint.config.get("licence", "not stated")), training_record(stated.get("record")),
        about, _digest(config, checkpoint.network(NETWORK)), checkpoint,
    )  # fmt: skip


def name_directions(path: Path, names: Mapping[str, tuple[int, float]], evidence: str) -> None:
    """Write names of directions into a navigator's file, atomically, in the place of those that it has.

    Args:
        path: The file.
        names: Number and sign of a direction by name.
        evidence: What the names rest on.
    """
    described = describe_navigator(path)
    checkpoint = described.checkpoint
    stated = dict(checkpoint.config.get("config") or {})
    listed = {name: [number, sign] for name, (number, sign) in names.items()}
    stated["about"] = {**described.about, "names": listed, "names rest on": evidence}
    checkpoints.write(
        path,
        Checkpoint(FORMAT, checkpoint.tensors, stated, checkpoint.digest),
        licence=described.licence,
        architecture={NETWORK: described.config.to_json()},
    )


def build_navigator(described: NavigatorDescription) -> NavigatorNetwork:
    """The navigator of a file, frozen, on the CPU.

    Raises:
        DataError: Its arrays do not fit the architecture.
    """
    network = NavigatorNetwork(described.config)
    wanted = network.state_dict()
    tensors = described.checkpoint.network(NETWORK)
    match_keys(tensors, {name: tuple(value.shape) for name, value in wanted.items()})
    network.load_state_dict({name: torch.from_numpy(np.array(array)).float() for name, array in tensors.items()})
    return network.eval().requires_grad_(requires_grad=False)


def _digest(config: NavigatorConfig, tensors: Mapping[str, Any]) -> str:
    """Digest of what decides directions."""
    lines = [f"{name} {digest_array(np.asarray(tensors[name]))}" for name in sorted(tensors)]
    return digest_lines([digest_json(config.to_json()), *lines])
