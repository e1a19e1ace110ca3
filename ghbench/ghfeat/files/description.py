"""Reads what an encoder's file says about itself, without torch and without building the encoder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ghbench import checkpoints
from ghbench.checkpoints import Checkpoint
from ghbench.errors import DataError, MissingError
from ghbench.extractor import OwnMetric, TrainingRecord
from ghbench.ghfeat.files.metric import read_metric
from ghbench.ghfeat.network.config import EncoderConfig

NETWORK = "encoder"
"""Its name in our files."""
OFFICIAL = "E"
"""The encoder's name in the authors' pickles."""
OFFICIAL_LICENCE = "not stated by the authors; made with NVIDIA's StyleGAN, which is CC BY-NC 4.0"
_GENERATORS = {"Gs", "G", "generator"}


@dataclass(frozen=True)
class EncoderDescription:
    """What an encoder's file says.

    Args:
        path: The file.
        config: Architecture.
        licence: Terms of the weights.
        record: Training record.
        about: Anything else, as JSON values: generator, options, measurements.
        digest: sha256 of the file.
        official: Whether these are the authors' weights.
        generator: Its generator: a spec string or the path of a checkpoint, which may be this file; None if the file
            does not say.
        generator_digest: Digest of the generator's weights, None if it is unknown or the generator is in the file.
        standardised: Whether the file holds mean and standard deviation of the generator's codes.
        metric: In which its codes are compared; None: as they are.
        parameters: Weights and biases of the encoder.
    """

    path: Path
    config: EncoderConfig
    licence: str
    record: TrainingRecord
    about: dict[str, Any] = field(default_factory=dict)
    digest: str = ""
    official: bool = False
    generator: str | None = None
    generator_digest: str | None = None
    standardised: bool = False
    metric: OwnMetric | None = None
    parameters: int | None = None


def describe_encoder(path: Path) -> EncoderDescription:
    """Read the description of an encoder from its file.

    Args:
        path: Our own file, the authors' pickle, or its conversion by `ghbench convert`.

    Raises:
        MissingError: There is no such file.
        DataError: The file is damaged or has no encoder.
    """
    if not path.is_file():
        raise MissingError(
            f"there is no encoder {path}",
            fix="name a file that `ghbench train ghfeat` wrote, or the authors' encoder pickle",
        )
    return description_of(path, checkpoints.read(path))


def description_of(path: Path, checkpoint: Checkpoint) -> EncoderDescription:
    """The description in a checkpoint that was read from `path`; see `describe_encoder`."""
    if OFFICIAL in checkpoint.networks:
        return _official(path, checkpoint)
    architecture = (checkpoint.config.get("architecture") or {}).get(NETWORK)
    if not isinstance(architecture, dict):
        raise DataError(
            f"{path} has no encoder; its networks are {', '.join(checkpoint.networks) or 'none'}",
            fix="name a file that `ghbench train ghfeat` wrote, or the authors' encoder",
        )
    stated = checkpoint.config.get("config") or {}
    about = stated.get("about") or {}
    if not isinstance(about, dict):
        raise DataError(f"{path} has an unreadable description", fix="get the weights again")
    config = EncoderConfig.from_json(architecture)
    own = {name: array for name, array in checkpoint.tensors.items() if name.startswith(f"{NETWORK}/")}
    means = (array for name, array in own.items() if name.startswith(f"{NETWORK}/mean_"))
    return EncoderDescription(
        path,
        config,
        str(checkpoint.config.get("licence", "not stated")),
        training_record(stated.get("record")),
        about,
        checkpoint.digest,
        generator=_text(about.get("generator")),
        generator_digest=_text(about.get("generator_digest")),
        standardised=any(bool(np.any(array)) for array in means),
        metric=read_metric(checkpoint.tensors, about, config.layout),
        parameters=sum(array.size for name, array in own.items() if name.endswith((".weight", ".bias"))),
    )


def _official(path: Path, checkpoint: Checkpoint) -> EncoderDescription:
    from ghbench.ghfeat.files.official import official_config

    return EncoderDescription(
        path,
        official_config(checkpoint),
        str(checkpoint.config.get("licence") or OFFICIAL_LICENCE),
        TrainingRecord(("not stated in the file",), image_digests=None, supervision="unsupervised"),
        digest=checkpoint.digest,
        official=True,
        generator=str(path) if _GENERATORS & set(checkpoint.networks) else None,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def training_record(value: Any) -> TrainingRecord:
    """A training record from the JSON values in a file.

    Raises:
        DataError: It is not one.
    """
    try:
        digests = value["image_digests"]
        return TrainingRecord(
            datasets=tuple(value["datasets"]),
            image_digests=None if digests is None else frozenset(digests),
            networks=tuple(value["networks"]),
            supervision=value["supervision"],
            domain=value["domain"],
        )
    except (KeyError, TypeError) as error:
        raise DataError("the file has no training record", fix="get the weights again") from error
