"""Finds an encoder's file, shipped or the user's, and says what it takes. No torch."""

from __future__ import annotations

from pathlib import Path

from ghbench.errors import MissingError, UsageError
from ghbench.extractor import Preprocessing
from ghbench.files import user_path
from ghbench.generators.first_party import FACES
from ghbench.generators.shipped_weights import installed_file
from ghbench.ghfeat.files.description import EncoderDescription
from ghbench.spec_string import parse_recorded

DEFAULT = "faces128"
SHIPPED = {
    DEFAULT: "ghfeat-faces128", "faces64": "ghfeat-faces64", "fashion32": "ghfeat-fashion32",
    "mnist32": "ghfeat-mnist32",
}  # fmt: skip
"""Names of the shipped encoders, and the names of their weights."""


def weights_file(weights: str) -> Path:
    """The file of an encoder.

    Args:
        weights: A name of `SHIPPED`, or a path.

    Raises:
        MissingError: This installation lacks the shipped weights, or there is no such file.
        UsageError: Neither a name nor a file.
    """
    if weights in SHIPPED:
        return installed_file(SHIPPED[weights], "make train-ghfeat")
    path = user_path(weights)
    if path.is_dir() and (path / "model.safetensors").is_file():
        return path / "model.safetensors"
    if path.is_file():
        return path
    if path.suffix or "/" in weights:
        raise MissingError(f"no encoder at {weights}", fix=f"the path of a file, or one of {', '.join(SHIPPED)}")
    raise UsageError(f"no encoder {weights!r}", fix=f"weights={', '.join(SHIPPED)}, or the path of a file")


def input_of(description: EncoderDescription) -> Preprocessing:
    """What an encoder takes: images of its size, in the alignment that it was trained on."""
    side = description.config.size
    return Preprocessing((side, side), align=_usual_alignment(description), normalise="divided by 127.5, less 1")


def _usual_alignment(description: EncoderDescription) -> str:
    """The alignment of the images that an encoder was trained on.

    `ffhq` for encoders of faces, `none` for all others. The authors' file does not say; we assume FFHQ.
    """
    if description.official:
        return "ffhq"
    try:
        # A control that no generator draws still is an encoder of the images that one drew.
        options = description.about.get("options")
        named = description.generator or (options.get("generator") if isinstance(options, dict) else None)
        return "ffhq" if parse_recorded(str(named or "")).name == FACES else "none"
    except UsageError:  # no name, or the path of a checkpoint
        return "none"
