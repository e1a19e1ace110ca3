"""An encoder and its generator, loaded once: images to codes, codes to features, and back to images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ghbench.errors import DataError, MissingError, UsageError
from ghbench.generator import GeneratorPlugin
from ghbench.generators.code_statistics import CodeStatistics
from ghbench.generators.loading import CheckpointFile, generator_plugin, load_generator, recorded_generator
from ghbench.generators.pictures import in_rgb, on_device, pictures_of_seeds
from ghbench.generators.protocol import Generator
from ghbench.generators.rendering import from_uint8, to_uint8
from ghbench.generators.style_generator import StyleGenerator
from ghbench.generators.synthesis import LevelTap
from ghbench.ghfeat.files.description import EncoderDescription, describe_encoder
from ghbench.ghfeat.files.shipped import DEFAULT, weights_file
from ghbench.ghfeat.files.weights import load_encoder
from ghbench.ghfeat.network.decoding import decode_codes
from ghbench.ghfeat.network.encoder import Encoder
from ghbench.ghfeat.network.layout import layout_of
from ghbench.ghfeat.network.passes import predicted
from ghbench.ghfeat.network.statistics import layout_statistics

Images = NDArray[np.uint8]
"""uint8 [N, 3, R, R] RGB of the encoder's size."""
Codes = Mapping[str, Tensor]
"""By level [N, width], in the space of the encoder's layout."""

NEVER_VARIES = 1e-6
"""Measured standard deviations below this share of the largest are rounding errors."""
_GENERATOR_FIX = "generator=PATH in the spec string, or --generator PATH on the command line"


class Codec:
    """Encodes images and decodes codes, each batch in one pass: callers choose its size.

    Args:
        description: Description of the encoder.
        encoder: The encoder.
        generator: Spec string or path that replaces the generator named in the encoder's file.
        device: Where both compute.
    """

    def __init__(
        self,
        description: EncoderDescription,
        encoder: Encoder,
        generator: str | None = None,
        device: str = "cpu",
    ) -> None:
        self.description, self.device = description, device
        self.encoder = _to_device(encoder, device).eval().requires_grad_(requires_grad=False)
        self.layout, self.size = description.config.layout, description.config.size
        self._typed = generator
        label = description.about.get("label")
        self.label: int | None = label if isinstance(label, int) else None
        """Class of a conditional generator, set before the generator is loaded; the one that was trained on."""
        self.generator_name = generator or description.generator

    @classmethod
    def load(cls, weights: str = DEFAULT, *, generator: str | None = None, device: str = "cpu") -> Codec:
        """Load an encoder; its generator is loaded when it is first needed.

        Args:
            weights: Name of shipped weights, or path of an encoder file.
            generator: Spec string or path that replaces the generator named in the encoder's file.
            device: `cpu`, `cuda`, ...

        Raises:
            MissingError: The weights do not exist.
            DataError: The file is damaged or has no encoder.
            UsageError: There is no such device.
        """
        path = weights_file(weights)
        return cls(describe_encoder(path), load_encoder(path).encoder, generator, device)

    @cached_property
    def generator(self) -> Generator:
        """The generator whose codes the encoder predicts.

        Raises:
            MissingError: The encoder's file names no generator, or it is not available.
            DataError: It is not the one that the encoder was trained with.
        """
        generator = in_rgb(load_generator(self._plugin), self.label)
        self._check(generator)
        return on_device(generator, self.device)

    @cached_property
    def _plugin(self) -> GeneratorPlugin:
        """What the user named; else what the encoder's file names: a registered generator, or the file itself.

        Raises:
            MissingError: See `generator`.
        """
        if self._typed is not None:
            return generator_plugin(self._typed)
        about = self.description
        if about.generator is None:
            raise MissingError(f"{about.path.name} does not name the generator of its codes", fix=_GENERATOR_FIX)
        if about.official:
            return CheckpointFile(about.path)
        try:
            return recorded_generator(about.generator)
        except UsageError as error:
            raise MissingError(f"{about.path.name}: {error.message}", fix=_GENERATOR_FIX) from error

    @cached_property
    def statistics(self) -> dict[str, CodeStatistics] | None:
        """Mean and standard deviation of the codes by level; None if neither the encoder nor a generator has them."""
        if self.description.standardised:
            return self.encoder.statistics
        if self.generator_name is None:
            return None
        measured = layout_statistics(self.generator, self.layout)
        return {
            name: CodeStatistics(found.mean.to(self.device), found.deviation.to(self.device))
            for name, found in measured.items()
        }

    @torch.no_grad()
    def encode(self, images: Images) -> dict[str, Tensor]:
        """Codes of images uint8 [N, 3, R, R], by level [N, width]."""
        codes: dict[str, Tensor] = self.encoder(self.tensor(images))
        return codes

    @torch.no_grad()
    def features(self, images: Images, passes: int = 1) -> dict[str, Tensor]:
        """Standardised codes of images uint8 [N, 3, R, R], by level [N, width]; 0 where a code never varies.

        Args:
            images: Images.
            passes: From the second pass on, the encoder also sees its reconstruction, see `ghfeat.network.passes`.
        """
        found = predicted(self.encoder, self.tensor(images), self.synthesise, passes)
        if not self.description.standardised:
            return self.standardise(self.encoder.codes_of(found))
        # Straight from the heads: adding a mean and subtracting it again would cost precision.
        return {name: code * (self.encoder.deviation(name) > 0) for name, code in found.items()}

    def standardise(self, codes: Codes) -> dict[str, Tensor]:
        """(code - mean) / standard deviation of the generator's codes, 0 where a code never varies; differentiable."""
        if self.statistics is None:
            return dict(codes)
        return {name: (code - self.statistics[name].mean) * self._inverse(name) for name, code in codes.items()}

    def unstandardise(self, features: Codes) -> dict[str, Tensor]:
        """Codes of standardised codes; levels that are left out take their mean."""
        rows = len(next(iter(features.values())))
        codes = {}
        for level in self.layout.levels:
            feature = features.get(level.name)
            if feature is None:
                feature = torch.zeros(rows, level.width, device=self.device)
            if self.statistics is not None:
                found = self.statistics[level.name]
                feature = torch.addcmul(found.mean, found.deviation, feature)
            codes[level.name] = feature
        return codes

    def styles(self, codes: Codes) -> dict[str, Tensor]:
        """Style codes of all levels of the generator, from codes in the layout's space."""
        if self.layout.space in {"adain", "canonical"}:
            return dict(codes)
        rows = [codes[level.name] for level in self.layout.levels]
        ws = rows[0][:, None].expand(-1, self.layout.rows, -1) if self.layout.space == "w" else torch.stack(rows, dim=1)
        return self.generator.style_codes(ws, raw=True)

    def likely_w(self, codes: Codes) -> Tensor:
        """A w [N, w_dim] near the codes: the mean, unless a subclass knows better."""
        rows = len(next(iter(codes.values())))
        return self.generator.w_mean.expand(rows, -1)

    def synthesise(self, codes: Codes) -> Tensor:
        """Images [N, 3, R, R] of codes, nominally in [-1, 1], not clipped; differentiable."""
        return decode_codes(self.generator, self.layout, codes)

    @torch.no_grad()
    def decode(self, codes: Codes) -> Images:
        """Images uint8 [N, 3, R, R] of codes by level [N, width]."""
        return to_uint8(self.synthesise(codes))

    def pictures(self, seeds: Sequence[int], psi: float) -> Images:
        """Images uint8 [N, 3, R, R] that the generator draws for seeds."""
        made = pictures_of_seeds(self.generator, seeds, psi=psi)
        return np.ascontiguousarray(made.transpose(0, 3, 1, 2))

    @torch.no_grad()
    def maps(self, codes: Codes, level: str) -> Tensor:
        """The generator's feature map of a level [N, C, r, r]."""
        tap = LevelTap(wanted={level})
        self._style_generator().run(self.styles(codes), "const", tap)
        return tap.kept[level]

    @torch.no_grad()
    def decode_from(self, codes: Codes, level: str, maps: Tensor) -> Images:
        """Images uint8 [N, 3, R, R]: as `decode`, with the feature map of a level replaced by [N, C, r, r]."""
        images = self._style_generator().synthesis_from_styles(self.styles(codes), replacements={level: maps})
        return to_uint8(images)

    def _style_generator(self) -> StyleGenerator:
        if not isinstance(self.generator, StyleGenerator):
            raise UsageError(
                f"a {type(self.generator).__name__} gives no access to its feature maps",
                fix="local editing needs a StyleGAN1, StyleGAN2 or MobileStyleGAN",
            )
        return self.generator

    def _inverse(self, level: str) -> Tensor:
        assert self.statistics is not None
        deviation = self.statistics[level].deviation
        varies = deviation > (0.0 if self.description.standardised else NEVER_VARIES * deviation.max())
        return torch.where(varies, 1 / torch.where(varies, deviation, 1.0), 0.0)

    def tensor(self, images: Images) -> Tensor:
        """Images as the encoder sees them, float32 [N, 3, R, R] in [-1, 1]."""
        side = self.description.config.size
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (3, side, side):
            raise DataError(f"images are {images.dtype} {images.shape}; expected uint8 (N, 3, {side}, {side})")
        # A copy: torch warns about read-only arrays, such as memory-mapped ones.
        return from_uint8(np.array(images)).to(self.device)

    def _check(self, generator: Generator) -> None:
        side = max(level.resolution for level in generator.levels)
        found = layout_of(generator, self.layout.space)
        if found != self.layout or side != self.description.config.size:
            raise DataError(f"the encoder does not predict codes of {self.generator_name}", fix=_GENERATOR_FIX)
        if self.description.generator_digest is None:
            return
        digest = self._plugin.spec().weights_digest
        if digest != self.description.generator_digest:
            raise DataError(
                f"{self.generator_name} has other weights than the generator that the encoder was trained with: "
                f"sha256 {digest[:16]}..., expected {self.description.generator_digest[:16]}...",
                fix=_GENERATOR_FIX,
            )


def _to_device(encoder: Encoder, device: str) -> Encoder:
    try:
        return encoder.to(device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(f"cannot move the encoder to {device!r}: {reason}", fix="--device cpu") from error
