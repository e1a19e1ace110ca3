"""The extractor `ghfeat`: an encoder's codes, standardised by the statistics of its generator."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing
from ghbench.ghfeat.files.description import EncoderDescription, describe_encoder
from ghbench.ghfeat.files.shipped import DEFAULT, usual_alignment, weights_file

if TYPE_CHECKING:
    from ghbench.ghfeat.codec import Codec

CITATION = "Xu et al. 2021, Generative Hierarchical Features from Synthesizing Images (GH-Feat)"


class Ghfeat:
    """GH-Feat: the codes by level with which a generator would draw the picture; decodes them too.

    Args:
        weights: `faces128`, `fashion32` or `mnist32`, or the path of an encoder: our own, the authors' pickle, or what
            `ghbench convert` made of it.
        generator: Spec string or path of the generator, where it is not where the encoder's file says.
    """

    def __init__(self, weights: str = DEFAULT, generator: str | None = None) -> None:
        self._weights, self._generator, self._device = weights, generator, "cpu"

    def spec(self) -> ExtractorSpec:
        """Describe the extractor; no torch for our own files.

        Raises:
            MissingError: The weights are not there; the message says how to train them.
            DataError: They are damaged or no encoder.
        """
        about = self._description
        layout = about.config.layout
        centred = about.standardised or (self._generator or about.generator) is not None
        levels = tuple(Level(level.name, level.width) for level in layout.levels)
        return ExtractorSpec(
            name="ghfeat",
            version="1",
            levels=levels,
            default_levels=tuple(level.name for level in levels),
            preprocessing=Preprocessing(
                (about.config.size, about.config.size),
                align=usual_alignment(about),
                normalise="divided by 127.5, less 1",
            ),
            weights_digest=about.digest,
            training=about.record,
            licence=about.licence,
            backend="torch-float32",
            centred=centred,  # by the mean code of what the generator draws, never by evaluated images
            citation=CITATION,
            aliases=layout.aliases,
        )

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Encode a batch: uint8 [N, 3, R, R] to (code - mean) / deviation by level, float32 [N, width]."""
        features = self.codec.features(images)
        return {name: np.asarray(code.float().cpu().numpy()) for name, code in features.items()}

    def decode(self, features: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
        """Draw the pictures of features.

        Args:
            features: By level [N, width], as `extract` gives them; levels that are left out stand at the generator's
                mean.

        Returns:
            uint8 [N, 3, R, R].

        Raises:
            DataError: No levels, unknown ones, or another shape.
            MissingError: The generator cannot be had.
        """
        import torch

        widths = {level.name: level.width for level in self._description.config.layout.levels}
        rows = {len(values) for values in features.values()}
        wrong = [name for name, values in features.items() if np.shape(values)[1:] != (widths.get(name),)]
        if wrong or len(rows) != 1:
            raise DataError(f"features cannot be decoded: levels {', '.join(wrong) or 'none'} do not fit the encoder")
        codec = self.codec
        tensors = {
            name: torch.from_numpy(np.array(values, np.float32)).to(codec.device) for name, values in features.items()
        }
        return codec.decode(codec.restored(tensors))

    def features_of_codes(self, generator: str, ws: NDArray[np.float32]) -> dict[str, NDArray[np.float32]] | None:
        """What the features of pictures should be, from the codes that drew them.

        Args:
            generator: Registered name of the generator that drew them.
            ws: float32 [N, rows, w_dim]; a larger generator of the same name has more rows, the finer of which are
                left out.

        Returns:
            By level float32 [N, width]; None where the encoder predicts the codes of another generator.

        Raises:
            MissingError: The generator cannot be had.
        """
        import torch

        own = self._generator or self._description.generator
        if own is None or own.partition(":")[0] != generator:
            return None
        codec, layout = self.codec, self._description.config.layout
        with torch.no_grad():
            rows = torch.from_numpy(ws[:, : layout.rows].astype(np.float32)).to(codec.device)
            features = codec.standardised(layout.codes(codec.generator, rows))
        return {name: np.asarray(code.float().cpu().numpy()) for name, code in features.items()}

    def to(self, device: str) -> None:
        """Move the networks."""
        if device != self._device:
            self._device = device
            self.__dict__.pop("codec", None)
        # Loaded now, not at the first batch: that is no part of the time that encoding takes.
        _ = self.codec

    @cached_property
    def codec(self) -> Codec:
        """Encoder and generator, for edits."""
        from ghbench.ghfeat.codec import Codec
        from ghbench.ghfeat.files.weights import load_encoder

        about = self._description
        return Codec(about, load_encoder(about.path).encoder, self._generator, self._device)

    @cached_property
    def _description(self) -> EncoderDescription:
        return describe_encoder(weights_file(self._weights))
