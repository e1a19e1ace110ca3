"""The extractor `ghfeat`: an encoder's codes, standardised by the statistics of its generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError, UsageError
from ghbench.extractor import ExtractorSpec, Level
from ghbench.generators.shipped_weights import card_beside
from ghbench.ghfeat.files.description import EncoderDescription, describe_encoder
from ghbench.ghfeat.files.shipped import DEFAULT, input_of, weights_file
from ghbench.spec_string import parse, parse_recorded

if TYPE_CHECKING:
    from ghbench.ghfeat.codec import Codec

CITATION = "Xu et al. 2021, Generative Hierarchical Features from Synthesizing Images (GH-Feat)"


class Ghfeat:
    """GH-Feat: the codes by level from which a generator would draw the image; decodes them too.

    Args:
        weights: `faces128`, `faces64`, `fashion32` or `mnist32`, or the path of an encoder: our own, the authors'
            pickle, or its conversion by `ghbench convert`.
        generator: Spec string or path that replaces the generator named in the encoder's file.
        passes: Passes of the encoder; from the second on it sees its reconstruction too, and corrects the codes. 1 is
            the paper's GH-Feat. The metric is that of the first pass.
        refine: Steps by which codes are then optimised towards the image.

    Raises:
        UsageError: Fewer than one pass, or a negative number of steps.
    """

    def __init__(self, weights: str = DEFAULT, generator: str | None = None, passes: int = 1, refine: int = 0) -> None:
        if passes < 1 or refine < 0:
            raise UsageError(f"passes={passes}, refine={refine}; expected at least 1 pass and no negative steps")
        self._weights, self._generator, self._device = weights, generator, "cpu"
        self._passes, self._refine = passes, refine

    def spec(self) -> ExtractorSpec:
        """Describe the extractor; no torch for our own files.

        Raises:
            MissingError: The weights do not exist; the message says how to train them.
            DataError: The file is damaged or has no encoder.
        """
        about = self._description
        layout = about.config.layout
        centred = about.standardised or (self._generator or about.generator) is not None
        levels = tuple(Level(level.name, level.width) for level in layout.levels)
        return ExtractorSpec(
            name="ghfeat",
            version=self._version,
            levels=levels,
            default_levels=tuple(level.name for level in levels),
            preprocessing=input_of(about),
            weights_digest=about.digest,
            training=about.record,
            licence=about.licence,
            backend="torch-float32",
            centred=centred,  # by the mean code of what the generator draws, never by evaluated images
            metric=about.metric,
            citation=CITATION,
            aliases=layout.aliases,
            parameters=about.parameters,
        )

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Encode a batch: uint8 [N, 3, R, R] to (code - mean) / standard deviation, by level float32 [N, width].

        Raises:
            MissingError: Further passes or refinement need the generator, which is not available.
        """
        if self._refine:
            from ghbench.ghfeat.refinement import PIXELS, refine

            features = refine(self.codec, images, replace(PIXELS, steps=self._refine), passes=self._passes)
        else:
            features = self.codec.features(images, self._passes)
        return {name: np.asarray(code.float().cpu().numpy()) for name, code in features.items()}

    def decode(self, features: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
        """Decode a batch of features to images.

        Args:
            features: By level [N, width], as `extract` returns them; levels that are left out take the generator's
                mean.

        Returns:
            uint8 [N, 3, R, R].

        Raises:
            DataError: No levels, unknown ones, or a wrong shape.
            MissingError: The generator is not available.
        """
        import torch

        widths = {level.name: level.width for level in self._description.config.layout.levels}
        rows = {len(values) for values in features.values()}
        wrong = [name for name, values in features.items() if np.shape(values)[1:] != (widths.get(name),)]
        if wrong or len(rows) != 1:
            expected = f"[N, width] of some of the levels {', '.join(widths)}"
            raise DataError(f"cannot decode features of levels {', '.join(wrong or features) or 'none'}: {expected}")
        codec = self.codec
        tensors = {
            name: torch.from_numpy(np.array(values, np.float32)).to(codec.device) for name, values in features.items()
        }
        return codec.decode(codec.unstandardise(tensors))

    def features_of_codes(self, generator: str, ws: NDArray[np.float32]) -> dict[str, NDArray[np.float32]] | None:
        """True features of generated images, from the codes that they were drawn from.

        Args:
            generator: Registered name of the generator that drew them.
            ws: float32 [N, rows, w_dim]; a larger generator of the same name has more rows, the finer of which are
                left out.

        Returns:
            By level float32 [N, width]; None if the encoder predicts the codes of another generator.

        Raises:
            MissingError: The generator is not available.
        """
        import torch

        if self._generator_name() != generator:
            return None
        codec, layout = self.codec, self._description.config.layout
        with torch.no_grad():
            rows = torch.from_numpy(ws[:, : layout.rows].astype(np.float32)).to(codec.device)
            features = codec.standardise(layout.codes(codec.generator, rows))
        return {name: np.asarray(code.float().cpu().numpy()) for name, code in features.items()}

    def to(self, device: str) -> None:
        """Move the networks to `device`."""
        if device != self._device:
            self._device = device
            self.__dict__.pop("codec", None)
        # Loaded now, not at the first batch: loading does not count as encoding time.
        _ = self.codec

    @cached_property
    def codec(self) -> Codec:
        """Encoder and generator, for edits."""
        from ghbench.ghfeat.codec import Codec
        from ghbench.ghfeat.files.weights import load_encoder

        about = self._description
        return Codec(about, load_encoder(about.path).encoder, self._generator, self._device)

    @property
    def _version(self) -> str:
        """What is done beyond one pass changes features, also of objects that no spec string names."""
        beyond = [f"passes={self._passes}"] * (self._passes > 1) + [f"refine={self._refine}"] * (self._refine > 0)
        return "-".join(["1", *beyond])

    def card(self) -> str:
        """Model card of the weights, see `ghbench.extractor.WithCard`."""
        return card_beside(weights_file(self._weights))

    @cached_property
    def _description(self) -> EncoderDescription:
        return describe_encoder(weights_file(self._weights))

    def _generator_name(self) -> str | None:
        """Registered name of the generator; None if it is unknown, or a checkpoint."""
        try:
            if self._generator is not None:
                return parse(self._generator).name
            return parse_recorded(self._description.generator or "").name
        except UsageError:
            return None
