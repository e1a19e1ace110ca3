"""Navigators as plugins: ContraFeat's, from shipped weights or a file, with the names of directions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ghbench import locations
from ghbench.digests import digest_lines
from ghbench.errors import MissingError, UsageError
from ghbench.extractor import NavigatorSpec
from ghbench.files import user_path
from ghbench.generators.shipped_weights import card_beside, installed_file

if TYPE_CHECKING:
    from torch import Tensor

    from ghbench.contrafeat.files import NavigatorDescription
    from ghbench.contrafeat.network.navigator import NavigatorNetwork

CITATION = "Zhu et al. 2023, ContraFeat: Contrasting Deep Features for Semantic Discovery"
METHODS = {
    "binary": ("contrafeat-binary", CITATION), "prototype": ("contrafeat-prototype", CITATION),
    "latentclr": ("latentclr", "Yuksel et al. 2021, LatentCLR"),
    "recognition": ("recognition", "Voynov and Babenko 2020, Unsupervised Discovery of Interpretable Directions"),
}  # fmt: skip
"""Names and citations of what navigators learned from."""
ATTENTION = ("learned", "even", "shuffled")
SHIPPED = {
    "binary": "contrafeat-binary", "prototype": "contrafeat-prototype", "binary-pca": "contrafeat-binary-pca",
    "binary-sefa": "contrafeat-binary-sefa",
}  # fmt: skip
"""Names of the shipped navigators, and the names of their weights."""


class Contrafeat:
    """Directions that ContraFeat found, in W+ of the generator that its file names.

    Args:
        weights: `binary` or `prototype`; `binary-pca` or `binary-sefa`, attention that was learned for directions of
            GANSpace or of SeFa; the path of a file, or the name of a run.
        attention: `learned`; or, as controls of what it is worth, `even`, equal shares in all rows, and `shuffled`,
            each direction with the attention of another one.

    Raises:
        UsageError: There is no such attention.
    """

    def __init__(self, weights: str = "binary", attention: str = "learned") -> None:
        if attention not in ATTENTION:
            raise UsageError(f"attention={attention}; expected {', '.join(ATTENTION)}")
        self.weights, self._attention = weights, attention

    def spec(self) -> NavigatorSpec:
        """Describe the navigator.

        Raises:
            MissingError: The weights do not exist; the message says how to train them.
            DataError: The file is damaged or has no navigator.
        """
        described = self._described
        name, citation = METHODS.get(described.variant, (described.variant, ""))
        return NavigatorSpec(
            name=name,
            version="1" if self._attention == "learned" else f"1-attention={self._attention}",
            weights_digest=described.digest,
            training=described.record,
            licence=described.licence,
            citation=citation,
            generator=described.generator,
            generator_digest=described.generator_digest,
            space="w_plus",
            directions_digest=digest_lines([described.digest, self._attention]),
        )

    def directions(self, codes: NDArray[Any] | None = None) -> NDArray[np.float32]:
        """Directions [K, L, D], or of each code [B, L, D] its own [B, K, L, D].

        Args:
            codes: W+ codes; rows beyond those that the navigator knows are not moved, and what would move rows that
                they lack is left out. None for global directions.

        Raises:
            UsageError: These directions depend on the code, and none is given.
        """
        import torch

        network, config = self._network, self._described.config
        if codes is None and network.adaptive:
            raise UsageError("this navigator's directions depend on the code", fix="directions(codes)")
        shape = (1, config.rows, config.w_dim) if codes is None else np.shape(codes)
        if network.adaptive and shape[1] < config.rows:
            raise UsageError(f"codes have {shape[1]} rows; this navigator looks at {config.rows}")
        ws = np.zeros((1, config.rows, config.w_dim), np.float32)
        if network.adaptive:
            ws = np.array(np.asarray(codes)[:, : config.rows], np.float32)
        with torch.no_grad():
            weights, moves = self._weights(torch.from_numpy(ws)), network.directions(torch.from_numpy(ws))
            found = np.asarray((weights[..., None] * moves[:, :, None]).numpy(), np.float32)
        if codes is None:
            return np.asarray(found[0])
        kept = np.pad(found[:, :, : shape[1]], ((0, 0), (0, 0), (0, max(0, shape[1] - config.rows)), (0, 0)))
        return np.asarray(np.broadcast_to(kept, (shape[0], *kept.shape[1:])))

    def attention(self) -> NDArray[np.float32]:
        """How strongly each direction acts in each row, [K, L]; at a code of zeros where it depends on the code."""
        import torch

        config = self._described.config
        with torch.no_grad():
            weights = self._weights(torch.zeros(1, config.rows, config.w_dim))[0]
        return np.asarray(weights.numpy(), np.float32)

    @property
    def names(self) -> Mapping[str, tuple[int, float]]:
        """Names of directions: number, and the sign that makes more of what the name says. Controls have none."""
        if self._attention != "learned":
            return {}
        stated = self._described.about.get("names") or {}
        return {str(name): (int(number), float(sign)) for name, (number, sign) in stated.items()}

    def card(self) -> str:
        """Model card of the weights, see `ghbench.extractor.WithCard`."""
        return card_beside(self._described.path)

    def _weights(self, ws: Tensor) -> Tensor:
        """Attention of codes [N, L, D], learned or not: [N, K, L]."""
        learned: Tensor = self._network.attention(ws)
        if self._attention == "even":
            return learned.new_full(learned.shape, 1 / learned.shape[2])
        if self._attention == "shuffled":
            order = np.random.default_rng(0).permutation(learned.shape[1])
            # Every direction gets that of another one: a cycle through a random order.
            return learned[:, order[np.argsort(order) - 1]]
        return learned

    @cached_property
    def _described(self) -> NavigatorDescription:
        from ghbench.contrafeat.files import describe_navigator

        return describe_navigator(navigator_file(self.weights))

    @cached_property
    def _network(self) -> NavigatorNetwork:
        from ghbench.contrafeat.files import build_navigator

        return build_navigator(self._described)


def binary(attention: str = "learned") -> Contrafeat:
    """Thirty directions for faces, found by contrasting pairs of samples.

    Args:
        attention: See `Contrafeat`.
    """
    return Contrafeat("binary", attention)


def prototype(attention: str = "learned") -> Contrafeat:
    """Thirty directions for faces, found by contrasting samples with learned images.

    Args:
        attention: See `Contrafeat`.
    """
    return Contrafeat("prototype", attention)


def navigator_file(weights: str) -> Path:
    """The file of a navigator: shipped, the user's, or a run's.

    Raises:
        MissingError: This installation lacks the shipped weights, or there is no such file or run.
    """
    if weights in SHIPPED:
        return installed_file(SHIPPED[weights], "make train-discovery")
    given = user_path(weights)
    runs = locations.cache() / "runs" / weights / "model.safetensors"
    for path in (given, given / "model.safetensors", runs):
        if path.is_file():
            return path
    raise MissingError(
        f"there is no navigator {weights}", fix=f"weights={' or '.join(SHIPPED)}, a file, or the name of a finished run"
    )
