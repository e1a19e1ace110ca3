"""Where the weights of a model of torchvision, timm or OpenCLIP come from, and the spec that follows."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ghbench.digests import digest_file, digest_json
from ghbench.errors import MissingError, UsageError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Origin:
    """A library's network and the origin of its weights.

    Args:
        library: `torchvision`, `timm` or `open_clip`.
        model: The library's name of the network.
        file: The weights file, None for an untrained network.
        seed: Seed of an untrained network.
        variant: What else decides the features, such as a pooling that is not the network's own.
        home: Address of the published weights, with their commit.
    """

    library: str
    model: str
    file: Path | None
    seed: int
    variant: str = ""
    home: str = ""

    def spec(
        self,
        levels: tuple[Level, ...],
        preprocessing: Preprocessing,
        published: TrainingRecord | None,
        licence: str,
        parameters: int,
    ) -> ExtractorSpec:
        """Describe the extractor.

        Args:
            levels: Its levels, the default one last.
            preprocessing: Its preprocessing.
            published: Training record of published weights, None for an untrained network or a file of the user.
            licence: Licence of published weights.
            parameters: Numbers that training sets, of all that encodes.
        """
        name = f"{self.library}-{self.model}"
        if self.file is None:
            name, training, licence = f"{name}-untrained", TrainingRecord(), "none needed: nothing was trained"
        elif published is not None:
            training = published
        else:
            training = TrainingRecord(("unknown",), image_digests=None, supervision="unknown", domain="not stated")
            licence = "that of the user's file"
        return ExtractorSpec(
            name=name,
            version="2",
            levels=levels,
            default_levels=(levels[-1].name,),
            preprocessing=preprocessing,
            weights_digest=self._digest(),
            training=training,
            licence=licence,
            backend="torch-float32",
            citation=self.home,
            parameters=parameters,
        )

    def _digest(self) -> str:
        architecture = f"{self.library}/{self.model}" + (f" {self.variant}" if self.variant else "")
        if self.file is not None:
            if not self.file.is_file():
                raise MissingError(f"there is no weights file {self.file}")
            return digest_json({"architecture": architecture, "file": digest_file(self.file)})
        from importlib.metadata import version

        # Initial weights depend on torch's random generator and the library, which change between versions.
        versions = {name: version(name) for name in ("torch", self.library)}
        return digest_json({"architecture": architecture, "seed": self.seed, "versions": versions})


def initialise(build: Callable[[], torch.nn.Module], seed: int) -> torch.nn.Module:
    """Build a network whose initial weights depend on the seed only; torch's random state is restored."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def is_file_name(weights: str) -> bool:
    """Whether the option `weights` names a file."""
    return "/" in weights or Path(weights).suffix in {".safetensors", ".pth", ".pt", ".bin"}


def check_model(model: str, known: Sequence[str], library: str) -> None:
    """Check that the library has a model.

    Raises:
        UsageError: It does not; the message suggests similar names.
    """
    if model not in known:
        near = difflib.get_close_matches(model, known, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise UsageError(f"{library} has no model {model!r}{hint}")
