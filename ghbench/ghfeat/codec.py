"""An encoder and its generator, loaded once: pictures to codes, codes to features, and all the way back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ghbench.errors import DataError, MissingError, UsageError
from ghbench.generator import GeneratorPlugin
from ghbench.generators.code_statistics import CodeStatistics
from ghbench.generators.loading import CheckpointFile, generator_plugin, load_generator, recorded_generator
from ghbench.generators.pictures import on_device
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
from ghbench.ghfeat.network.statistics import layout_statistics

Pictures = NDArray[np.uint8]
"""uint8 [N, 3, R, R] RGB of the encoder's size."""
Codes = Mapping[str, Tensor]
"""By level [N, width], in the space of the encoder's layout."""

AT_ONCE = 16
"""Pictures that go through a network together."""
NEVER_VARIES = 1e-6
"""Measured deviations below this share of the largest are rounding."""
_NAME_IT = "name it: generator=PATH in the spec string, --generator PATH on the command line"


class Codec:
    """Encodes pictures and decodes codes.

    Args:
        description: The encoder's.
        encoder: In evaluation mode.
        generator: Spec string or path in place of what the encoder's file names.
        device: Where both compute.
    """

    def __init__(
        self, description: EncoderDescription, encoder: Encoder, generator: str | None = None, device: str = "cpu"
    ) -> None:
        self.description, self.device = description, device
        self.encoder = _brought(encoder, device).eval().requires_grad_(requires_grad=False)
        self.layout, self.size = description.config.layout, description.config.size
        self._typed = generator
        self.generator_name = generator or description.generator

    @classmethod
    def load(cls, weights: str = DEFAULT, *, generator: str | None = None, device: str = "cpu") -> Codec:
        """Load an encoder; its generator follows when it is first needed.

        Args:
            weights: Name of shipped weights, or path of an encoder's file.
            generator: Spec string or path of the generator, where it is not where the file says.
            device: `cpu`, `cuda`, ...

        Raises:
            MissingError: The weights are not there.
            DataError: They are damaged or no encoder.
            UsageError: There is no such device.
        """
        path = weights_file(weights)
        return cls(describe_encoder(path), load_encoder(path).encoder, generator, device)

    @cached_property
    def generator(self) -> Generator:
        """The generator whose codes the encoder predicts.

        Raises:
            MissingError: The encoder's file names none, or it cannot be had.
            DataError: It is not the one that the encoder learned from.
        """
        generator = load_generator(self._plugin)
        self._check(generator)
        return on_device(generator, self.device)

    @cached_property
    def _plugin(self) -> GeneratorPlugin:
        """What the user named; else what the encoder's file names, which can only be a registered generator or itself.

        Raises:
            MissingError: See `generator`.
        """
        if self._typed is not None:
            return generator_plugin(self._typed)
        about = self.description
        if about.generator is None:
            raise MissingError(f"{about.path.name} does not say which generator its codes are for", fix=_NAME_IT)
        if about.official:
            return CheckpointFile(about.path)
        try:
            return recorded_generator(about.generator)
        except UsageError as error:
            raise MissingError(f"{about.path.name}: {error.message}", fix=_NAME_IT) from error

    @cached_property
    def statistics(self) -> dict[str, CodeStatistics] | None:
        """Mean and deviation of the codes by level; None where neither the encoder nor a generator tells them."""
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
    def encode(self, pictures: Pictures) -> dict[str, Tensor]:
        """Codes of pictures uint8 [N, 3, R, R], by level [N, width]."""
        return _joined([self.encoder(part) for part in self._parts(pictures)])

    @torch.no_grad()
    def features(self, pictures: Pictures) -> dict[str, Tensor]:
        """Standardised codes of pictures uint8 [N, 3, R, R], by level [N, width]; 0 where a code never varies."""
        if not self.description.standardised:
            return self.standardised(self.encode(pictures))
        # Straight from the heads: to add a mean and take it off again would cost digits.
        found = _joined([self.encoder.standardised(part) for part in self._parts(pictures)])
        return {name: code * (self.encoder.deviation(name) > 0) for name, code in found.items()}

    def standardised(self, codes: Codes) -> dict[str, Tensor]:
        """(code - mean) / deviation by the generator's statistics, 0 where a code never varies; differentiable."""
        if self.statistics is None:
            return dict(codes)
        return {name: (code - self.statistics[name].mean) * self._inverse(name) for name, code in codes.items()}

    def restored(self, features: Codes) -> dict[str, Tensor]:
        """The codes of which these are the standardised ones; levels that are left out stand at their mean."""
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

    def synthesised(self, codes: Codes) -> Tensor:
        """Pictures [N, 3, R, R] of codes, nominally in [-1, 1], not clipped; differentiable."""
        images = decode_codes(self.generator, self.layout, codes)
        return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images

    @torch.no_grad()
    def decode(self, codes: Codes) -> Pictures:
        """Pictures uint8 [N, 3, R, R] of codes by level [N, width]."""
        return np.concatenate([to_uint8(self.synthesised(part)) for part in _split(codes)])

    @torch.no_grad()
    def maps(self, codes: Codes, level: str) -> Tensor:
        """The generator's output of a level [N, C, r, r]."""
        tap = LevelTap(wanted={level})
        self._stepwise().run(self.styles(codes), "const", tap)
        return tap.kept[level]

    @torch.no_grad()
    def resumed(self, codes: Codes, level: str, maps: Tensor) -> Pictures:
        """Pictures uint8 [N, 3, R, R]: as `decode`, with the output of a level replaced by [N, C, r, r]."""
        images = self._stepwise().synthesis_from_styles(self.styles(codes), replacements={level: maps})
        return to_uint8(images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images)

    def _stepwise(self) -> StyleGenerator:
        if not isinstance(self.generator, StyleGenerator):
            raise UsageError(
                f"a {type(self.generator).__name__} cannot be stopped between its levels",
                fix="local editing needs a StyleGAN1, StyleGAN2 or MobileStyleGAN",
            )
        return self.generator

    def _inverse(self, level: str) -> Tensor:
        assert self.statistics is not None
        deviation = self.statistics[level].deviation
        varies = deviation > (0.0 if self.description.standardised else NEVER_VARIES * deviation.max())
        return torch.where(varies, 1 / torch.where(varies, deviation, 1.0), 0.0)

    def _parts(self, pictures: Pictures) -> tuple[Tensor, ...]:
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1:] != (3, self.size, self.size):
            raise DataError(
                f"pictures are {pictures.dtype} {pictures.shape}; expected uint8 (N, 3, {self.size}, {self.size})"
            )
        # A copy: torch warns about arrays that it may not write to, as memory-mapped ones are.
        return torch.split(from_uint8(np.array(pictures)).to(self.device), AT_ONCE)

    def _check(self, generator: Generator) -> None:
        side = max(level.resolution for level in generator.levels)
        found = layout_of(generator, self.layout.space)
        if found != self.layout or side != self.size:
            raise DataError(
                f"{self.generator_name} is not the generator whose codes the encoder predicts", fix=_NAME_IT
            )
        if self.description.generator_digest is None:
            return
        digest = self._plugin.spec().weights_digest
        if digest != self.description.generator_digest:
            raise DataError(
                f"{self.generator_name} has other weights than the generator that the encoder learned from: sha256 "
                f"{digest[:16]}..., expected {self.description.generator_digest[:16]}...",
                fix=_NAME_IT,
            )


def _brought(encoder: Encoder, device: str) -> Encoder:
    try:
        return encoder.to(device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(f"the encoder cannot be brought to {device!r}: {reason}", fix="--device cpu") from error


def _joined(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _split(codes: Codes) -> list[dict[str, Tensor]]:
    count = len(next(iter(codes.values())))
    return [{name: code[start : start + AT_ONCE] for name, code in codes.items()} for start in range(0, count, AT_ONCE)]
