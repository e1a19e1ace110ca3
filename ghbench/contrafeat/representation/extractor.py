"""Extractors: codes of a trained representation."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ghbench import locations
from ghbench.errors import DataError, MissingError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing
from ghbench.files import user_path
from ghbench.generators.shipped_weights import card_beside, installed_file

if TYPE_CHECKING:
    from ghbench.contrafeat.representation.files import RepresentationDescription

SIDE, RESIZE, BATCH = 64, "crop-bilinear", 64
CITATIONS = {
    "pair-vae": "Zhu et al. 2023, ContraFeat: Contrasting Deep Features for Semantic Discovery",
    "beta-vae": "Higgins et al. 2017, beta-VAE: Learning Basic Visual Concepts",
    "factor-vae": "Kim and Mnih 2018, Disentangling by Factorising",
}

SHIPPED = ("beta-vae-sprites", "factor-vae-sprites", "pair-vae-sprites")
"""Names of shipped weights; the last ones were taught by pairs that differ in one true factor, as a ceiling."""
TAUGHT_BY = {"beta-vae": "--data sprites -o beta=4", "factor-vae": "--data sprites -o gamma=6"}
"""Options of a training that makes one."""


class Representation:
    """Means of the posterior of a trained autoencoder, whatever taught it.

    Args:
        weights: A name of `SHIPPED`, that of a run, or the path of a file or folder; by default the run
            `contrafeat-codes`, or for a subclass what is shipped of its method.
    """

    method: ClassVar[str] = ""
    """How it must have been trained; empty for any way."""

    def __init__(self, weights: str = "") -> None:
        usual = f"{self.method}-sprites" if self.method else "contrafeat-codes"
        self._weights, self._device = weights or usual, "cpu"

    def spec(self) -> ExtractorSpec:
        """Describe the extractor.

        Raises:
            MissingError: There is no such run.
            DataError: The file is damaged, or has no representation.
        """
        described = self._described
        method = str(described.about.get("method"))
        if method not in CITATIONS or self.method not in {"", method}:
            raise DataError(
                f"{described.path} was made by {method!r}; expected {self.method or ', '.join(CITATIONS)}",
                fix=f"contrafeat-codes:weights={self._weights}",
            )
        return ExtractorSpec(
            name="contrafeat-codes" if method == "pair-vae" else method,
            version="1",
            levels=(Level("codes", described.config.codes),),
            default_levels=("codes",),
            preprocessing=Preprocessing(size=(SIDE, SIDE), resize=RESIZE, normalise="divided by 255"),
            weights_digest=described.digest,
            training=described.record,
            licence=described.licence,
            backend="torch",
            citation=CITATIONS[method],
        )

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Encode images uint8 [N, 3, 64, 64] to float32 [N, codes]."""
        import torch

        with torch.no_grad():
            parts = [
                self._network(torch.from_numpy(np.array(part)).to(self._device).float() / 255)[0].float().cpu().numpy()
                for part in np.array_split(images, range(BATCH, len(images), BATCH))
            ]
        return {"codes": np.asarray(np.concatenate(parts), np.float32)}

    def to(self, device: str) -> None:
        """Move the network to `device`."""
        self._device = device
        self.__dict__.pop("_network", None)

    def card(self) -> str:
        """Model card of the weights, see `ghbench.extractor.WithCard`."""
        return card_beside(self._described.path)

    @cached_property
    def _described(self) -> RepresentationDescription:
        from ghbench.contrafeat.representation.files import describe_representation

        return describe_representation(representation_file(self._weights, self.method))

    @cached_property
    def _network(self) -> Any:
        from ghbench.contrafeat.representation.files import build_representation

        return build_representation(self._described).to(self._device)


class BetaVae(Representation):
    """Means of the posterior of a beta-VAE, trained on single images; by default on sprites."""

    method: ClassVar[str] = "beta-vae"


class FactorVae(Representation):
    """Means of the posterior of a FactorVAE, trained on single images; by default on sprites."""

    method: ClassVar[str] = "factor-vae"


def representation_file(weights: str, method: str = "") -> Path:
    """The file of a representation: shipped, the user's, or a run's.

    Args:
        weights: A name of `SHIPPED`, that of a run, or the path of a file or folder.
        method: How it should be trained, for the message.

    Raises:
        MissingError: There is none.
    """
    if weights in SHIPPED:
        return installed_file(weights, "make train-codes")
    given = user_path(weights)
    for path in (given, given / "model.safetensors", locations.cache() / "runs" / weights / "model.safetensors"):
        if path.is_file():
            return path
    what = TAUGHT_BY.get(method, "--navigator NAME")
    raise MissingError(
        f"there is no representation {weights}", fix=f"ghbench train representation {what} --run {Path(weights).name}"
    )
