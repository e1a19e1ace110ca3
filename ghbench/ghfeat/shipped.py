"""The encoders that come along, by name, and where any encoder's file lies. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ghbench.errors import MissingError, UsageError
from ghbench.generators.first_party import FACES, shipped_file
from ghbench.ghfeat.description import EncoderDescription
from ghbench.spec_string import parse


@dataclass(frozen=True, slots=True)
class ShippedEncoder:
    """Weights that we trained.

    Args:
        folder: Their folder in `ghbench/weights`.
        command: How to train them again.
    """

    folder: str
    command: str


DEFAULT = "faces128"
SHIPPED = {
    DEFAULT: ShippedEncoder("ghfeat-faces128", f"ghbench train ghfeat --generator {FACES} --size 128 --run faces128"),
    "fashion32": ShippedEncoder(
        "ghfeat-fashion32", "ghbench train ghfeat --generator stylegan1-fashion32 --size 32 --run ghfeat-fashion32"
    ),
    "mnist32": ShippedEncoder(
        "ghfeat-mnist32", "ghbench train ghfeat --generator stylegan2-mnist32 --size 32 --run ghfeat-mnist32"
    ),
}


def weights_file(weights: str) -> Path:
    """The file of an encoder.

    Args:
        weights: A name of `SHIPPED`, or a path.

    Raises:
        MissingError: Shipped weights that this installation does not have, or no such file.
        UsageError: Neither a name nor a file.
    """
    if weights in SHIPPED:
        shipped = SHIPPED[weights]
        path = shipped_file(shipped.folder)
        if not path.is_file():
            raise MissingError(f"the encoder {shipped.folder} is not in this installation", fix=shipped.command)
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
    generator = description.generator or ""
    return "ffhq" if generator and parse(generator.partition(":")[0]).name == FACES else "none"
