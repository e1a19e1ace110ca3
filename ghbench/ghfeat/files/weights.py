"""Reads and writes encoders: our own safetensors, which say how to build them, and the authors' pickles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ghbench import checkpoints
from ghbench.checkpoints import Checkpoint, match_keys
from ghbench.checkpoints.unpickler import DAMAGE
from ghbench.digests import digest_array, digest_lines
from ghbench.errors import DataError
from ghbench.extractor import OwnMetric, TrainingRecord
from ghbench.ghfeat.files.description import NETWORK, description_of
from ghbench.ghfeat.files.metric import metric_arrays
from ghbench.ghfeat.files.official import official_encoder
from ghbench.ghfeat.network.config import EncoderConfig
from ghbench.ghfeat.network.encoder import Encoder

FORMAT = "ghfeat-encoder"


@dataclass(frozen=True)
class SavedEncoder:
    """An encoder and what its file says about it.

    Args:
        encoder: The encoder in evaluation mode, on the CPU, float32.
        licence: Terms of the weights.
        record: Training record.
        about: Anything else, as JSON values: generator, recipe, measurements.
        digest: sha256 of the file.
        official: Whether these are the authors' weights.
    """

    encoder: Encoder
    licence: str
    record: TrainingRecord
    about: dict[str, Any] = field(default_factory=dict)
    digest: str = ""
    official: bool = False


def save_encoder(
    path: Path,
    encoder: Encoder,
    *,
    licence: str,
    record: TrainingRecord,
    about: Mapping[str, Any] | None = None,
    half: bool = False,
    metric: OwnMetric | None = None,
) -> None:
    """Write an encoder as safetensors, atomically; its statistics of codes are among its tensors.

    Args:
        path: File to write.
        encoder: The encoder; unwrap it first if it is wrapped or compiled.
        licence: Terms of the weights.
        record: Training record.
        about: Anything else, as JSON values.
        half: Store matrices and kernels in float16, unless a number in them is too large for it. Vectors (norms,
            biases, statistics of codes) stay in float32: they are small, and variances can exceed float16's range.
        metric: In which its codes are compared; `about` says how it was learned.

    Raises:
        DataError: A weight is not finite.
    """
    arrays = {f"{NETWORK}/{name}": _array(tensor, half) for name, tensor in encoder.state_dict().items()}
    if metric is not None:
        arrays |= metric_arrays(metric, encoder.config.layout)
    digest = digest_lines(f"{name} {digest_array(array)}" for name, array in arrays.items())
    listed = asdict(record)
    listed["image_digests"] = None if record.image_digests is None else sorted(record.image_digests)
    content = Checkpoint(FORMAT, arrays, {"record": listed, "about": dict(about or {})}, digest)
    checkpoints.write(
        path,
        content,
        licence=licence,
        architecture={NETWORK: encoder.config.to_json()},
    )


def load_encoder(path: Path | str) -> SavedEncoder:
    """Load an encoder: our own file, the authors' pickle, or its conversion by `ghbench convert`.

    Raises:
        DataError: The file is damaged, has no encoder, or its arrays do not fit the architecture.
    """
    checkpoint = checkpoints.read(path)
    about = description_of(Path(path), checkpoint)
    encoder = official_encoder(checkpoint) if about.official else _build(checkpoint.network(NETWORK), about.config)
    return SavedEncoder(encoder, about.licence, about.record, about.about, about.digest, about.official)


def _build(tensors: Mapping[str, NDArray[Any]], config: EncoderConfig) -> Encoder:
    # Compare shapes before allocating what the file asks for.
    try:
        with torch.device("meta"):
            encoder = Encoder(config)
    except (RuntimeError, *DAMAGE) as error:
        raise DataError(f"cannot build the file's encoder: {error}", fix="get the weights again") from error
    wanted = encoder.state_dict()
    match_keys(tensors, {name: tuple(value.shape) for name, value in wanted.items()})
    state = {name: torch.from_numpy(array).to(wanted[name].dtype) for name, array in tensors.items()}
    encoder.load_state_dict(state, assign=True)
    return encoder.eval()


def _array(tensor: torch.Tensor, half: bool) -> NDArray[Any]:
    values = tensor.detach().cpu()
    if values.is_floating_point():
        values = values.float()
        if half and values.ndim > 1 and bool(torch.isfinite(values.half()).all()):
            values = values.half()
    return np.asarray(values.contiguous().numpy())
