"""The extractor `trained`: an encoder that was trained on this machine, by the name of its run."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ghbench import locations
from ghbench.errors import MissingError
from ghbench.extractor import ExtractorSpec
from ghbench.files import user_path
from ghbench.ghfeat.extractor import Ghfeat
from ghbench.ghfeat.files.description import describe_encoder


class Trained:
    """An encoder of GH-Feat's architecture from a run of `ghbench train`: a peer, a control, or GH-Feat itself.

    Args:
        run: Name of a finished run, or the path of its folder.
    """

    def __init__(self, run: str) -> None:
        self.run = run

    def spec(self) -> ExtractorSpec:
        """Describe the extractor; no torch.

        Raises:
            MissingError: There is no such run, or it is not finished.
        """
        about = describe_encoder(self._file).about
        decoder = (about.get("options") or {}).get("decoder", "generator")
        usual = {"generator": "ghfeat", "learned": "autoencoder"}.get(decoder, f"ghfeat-{decoder}")
        spec = self._encoder.spec()
        return replace(
            spec, name=str(about.get("method") or usual), citation=str(about.get("citation") or spec.citation)
        )

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Encode a batch: uint8 [N, 3, R, R] to codes of unit scale, by level float32 [N, width]."""
        return self._encoder.extract(images)

    def to(self, device: str) -> None:
        """Move the network to `device`."""
        self._encoder.to(device)

    @property
    def _file(self) -> Path:
        folder = user_path(self.run) if "/" in self.run else locations.cache() / "runs" / self.run
        path = folder / "model.safetensors"
        if not path.is_file():
            raise MissingError(
                f"there is no finished run {self.run}",
                fix=f"ghbench train ghfeat|baseline ... --run {self.run} (the table's page has its command)",
            )
        return path

    @cached_property
    def _encoder(self) -> Ghfeat:
        return Ghfeat(weights=str(self._file))
