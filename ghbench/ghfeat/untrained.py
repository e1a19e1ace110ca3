"""The extractor `ghfeat-untrained`: what an encoder's architecture gives before anything has been learned."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ghbench.digests import digest_json
from ghbench.errors import MissingError, UsageError
from ghbench.extractor import ExtractorSpec, Level, TrainingRecord
from ghbench.ghfeat.extractor import CITATION
from ghbench.ghfeat.files.description import EncoderDescription, describe_encoder
from ghbench.ghfeat.files.shipped import DEFAULT, input_of, weights_file

if TYPE_CHECKING:
    from ghbench.ghfeat.network.encoder import Encoder

CALIBRATED, BATCH = 1_600, 32
"""Renders from which batch norms take their statistics, the only thing that this network is given."""


class UntrainedGhfeat:
    """GH-Feat's encoder with random weights, its norms calibrated on renders: a control for `ghfeat`.

    Args:
        weights: A trained encoder, whose architecture, levels and input are taken.
        seed: Seed of the weights; tables show 0, 1 and 2.
    """

    def __init__(self, weights: str = DEFAULT, seed: int = 0) -> None:
        if seed < 0:
            raise UsageError(f"option seed={seed} must not be negative")
        self._weights, self.seed, self._device = weights, seed, "cpu"

    def spec(self) -> ExtractorSpec:
        """Describe the extractor; no torch."""
        about = self._description
        if about.generator is None or about.generator_digest is None:
            raise MissingError(
                f"{about.path.name} names no generator, whose renders calibrate the norms", fix="weights=OTHER"
            )
        recipe = {
            "architecture": about.config.to_json(), "seed": self.seed,
            "renders": [about.generator_digest, CALIBRATED, about.about.get("label")],
        }  # fmt: skip
        levels = tuple(Level(level.name, level.width) for level in about.config.layout.levels)
        return ExtractorSpec(
            name="ghfeat-untrained",
            version="1",
            levels=levels,
            default_levels=tuple(level.name for level in levels),
            preprocessing=input_of(about),
            weights_digest=digest_json(recipe),
            training=TrainingRecord(
                datasets=about.record.datasets,  # what the generator saw, and perhaps more
                networks=(about.generator_digest,),
                supervision="none; norms calibrated on renders",
                domain="in-generator",
                image_digests=None,
            ),
            licence=about.licence,
            backend="torch-float32",
            citation=CITATION,
            aliases=about.config.layout.aliases,
            parameters=about.parameters,
        )

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Encode a batch: uint8 [N, 3, R, R] to what the heads give, by level float32 [N, width]."""
        import torch

        from ghbench.generators.rendering import from_uint8

        with torch.no_grad():
            found = self._encoder.standardised_codes(from_uint8(np.array(images)).to(self._device))
        return {name: np.asarray(code.float().cpu().numpy()) for name, code in found.items()}

    def to(self, device: str) -> None:
        """Move the network to `device`."""
        self._device = device
        self._encoder.to(device)

    @cached_property
    def _description(self) -> EncoderDescription:
        return describe_encoder(weights_file(self._weights))

    @cached_property
    def _encoder(self) -> Encoder:
        import torch
        from torch import nn

        from ghbench.generators.loading import load_generator, recorded_generator
        from ghbench.generators.pictures import in_rgb
        from ghbench.ghfeat.network.encoder import Encoder
        from ghbench.ghfeat.training.lessons import renders_of_seeds
        from ghbench.seeds import seeds_for

        about = self._description
        generator = in_rgb(load_generator(recorded_generator(str(about.generator))), about.about.get("label"))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            encoder = Encoder(about.config)
        for module in encoder.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.momentum = None  # plain means over all batches
        with torch.no_grad():
            for first in seeds_for("train", CALIBRATED)[::BATCH]:
                encoder(renders_of_seeds(generator, first, BATCH, 1.0)[0])
        return encoder.eval().to(self._device)
