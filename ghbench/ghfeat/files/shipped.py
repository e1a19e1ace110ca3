"""The encoders that come along, by name, and where any encoder's file lies. No torch."""

from __future__ import annotations

from pathlib import Path

from ghbench.errors import MissingError, UsageError
from ghbench.generators.first_party import FACES, shipped_file
from ghbench.ghfeat.files.description import EncoderDescription
from ghbench.spec_string import parse_recorded

DEFAULT = "faces128"
SHIPPED = {DEFAULT: "ghfeat-faces128", "fashion32": "ghfeat-fashion32", "mnist32": "ghfeat-mnist32"}
"""Names of the encoders that come along, and their folders in `ghbench/weights`."""


def weights_file(weights: str) -> Path:
    """The file of an encoder.

    Args:
        weights: A name of `SHIPPED`, or a path.

    Raises:
        MissingError: Shipped weights that this installation does not have, or no such file.
        UsageError: Neither a name nor a file.
    """
    if weights in SHIPPED:
        path = shipped_file(SHIPPED[weights])
        if not path.is_file():
            raise MissingError(
                f"the encoder {SHIPPED[weights]} is not in this installation",
                fix="pip install --force-reinstall ghbench, or train it: make train-ghfeat",
            )
        return path
    path = Path(weights).expanduser()
    if path.is_dir() and (path / "model.safetensors").is_file():
        return path / "model.safetensors"
    if path.is_file():
        return path
    if path.suffix or "/" in weights:
        raise MissingError(f"there is no encoder {weights}", fix=f"name a file, or one of {', '.join(SHIPPED)}")
    raise UsageError(f"no encoder is called {weights!r}", fix=f"weights={', '.join(SHIPPED)}, or the path of a file")


def usual_alignment(description: EncoderDescription) -> str:
    """The alignment under which an encoder saw its pictures.

    `ffhq` for encoders of faces, `none` for all others. The authors' file does not say what its pictures are; it is
    taken for that of FFHQ.
    """
    if description.official:
        return "ffhq"
    try:
        return "ffhq" if parse_recorded(description.generator or "").name == FACES else "none"
    except UsageError:  # no name, or the path of somebody's checkpoint
        return "none"
