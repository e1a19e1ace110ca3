"""Results at the size of the whole network, from the codes of an encoder that was trained on its first layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ghbench.errors import UsageError
from ghbench.generators.first_party import FACES
from ghbench.generators.loading import generator_plugin, load_generator
from ghbench.generators.mobile_stylegan import MobileStyleGAN
from ghbench.generators.pictures import on_device, pictures_of_seeds
from ghbench.generators.rendering import area_average, from_uint8, to_uint8
from ghbench.generators.synthesis import LevelTap
from ghbench.ghfeat.codec import Codec, Codes, Images
from ghbench.spec_string import parse

EQUATIONS = 2
"""Finest levels of the codes that decide w."""
NOISE = 0.3
"""Variance of an encoder's error in these codes, as a share of their own; an R2 of .7 in the mean."""
DRAWS = 10_000
"""Samples for the covariance of w."""


class FullSizeCodec(Codec):
    """A codec whose images are larger than its encoder's: larger images are averaged down before they are encoded.

    The layers that the encoder knows take its codes. All finer ones take those of one w, the most likely one for the
    finest codes, which are affine in it: a picture has the detail that such codes usually come with, not the input's.

    Args:
        codec: Encoder and generator.
        size: Side of the images, a power of two.

    Raises:
        UsageError: The whole network has no such size, or the generator is no shortened one.
    """

    def __init__(self, codec: Codec, size: int) -> None:
        whole = whole_generator(codec)
        largest = 0 if whole is None else generator_plugin(whole).spec().size
        if whole is None or not codec.size < size <= largest or size & (size - 1):
            known = f"{codec.size}" if whole is None else f"{codec.size} to {largest}, a power of two"
            raise UsageError(
                f"{codec.generator_name or 'the unnamed generator'} draws no images of {size} px; expected {known}"
            )
        self.__dict__.update(codec.__dict__)
        self.encoded, self.size, self._whole = codec.size, size, whole

    @cached_property
    def whole(self) -> MobileStyleGAN:
        """The whole network."""
        loaded = load_generator(self._whole)
        assert isinstance(loaded, MobileStyleGAN)
        moved = on_device(loaded, self.device)
        assert isinstance(moved, MobileStyleGAN)
        return moved

    @torch.no_grad()
    def decode(self, codes: Codes) -> Images:
        """Images uint8 [N, 3, size, size] of codes by level [N, width]."""
        rows = len(next(iter(codes.values())))
        parts = [self._draw({name: code[row : row + 1] for name, code in codes.items()}) for row in range(rows)]
        return np.concatenate(parts)

    @torch.no_grad()
    def decode_from(self, codes: Codes, level: str, maps: Tensor) -> Images:
        """As `decode`, with the feature map of a level replaced by [N, C, r, r]."""
        parts = [
            self._draw({name: code[row : row + 1] for name, code in codes.items()}, {level: maps[row : row + 1]})
            for row in range(len(maps))
        ]
        return np.concatenate(parts)

    def pictures(self, seeds: Sequence[int], psi: float) -> Images:
        """Images uint8 [N, 3, size, size] that the whole network draws for seeds."""
        made = pictures_of_seeds(self.whole, seeds, psi=psi, size=self.size, batch=1)
        return np.ascontiguousarray(made.transpose(0, 3, 1, 2))

    @torch.no_grad()
    def maps(self, codes: Codes, level: str) -> Tensor:
        """The whole network's feature map of a level [N, C, r, r]."""
        tap = LevelTap(wanted={level})
        self.whole.run(self._all_codes(codes), "const", tap)
        return tap.kept[level]

    def likely_w(self, codes: Codes) -> Tensor:
        """The most likely w [N, w_dim] for the finest codes, which are affine in it and taken to be `NOISE` off."""
        mean, slopes, starts, precision = self._equations
        differences = torch.cat([code - starts[name] for name, code in codes.items() if name in starts], dim=1)
        solved: Tensor = torch.linalg.solve(precision, slopes @ differences.cpu().double().T).T
        return mean + solved.to(mean)

    def _draw(self, codes: Codes, replacements: Mapping[str, Tensor] | None = None) -> NDArray[np.uint8]:
        made = self.whole.synthesis_from_styles(self._all_codes(codes), replacements=replacements)
        return to_uint8(area_average(made, self.size))

    def _all_codes(self, codes: Codes) -> dict[str, Tensor]:
        """Codes of all levels of the whole network: the given ones, and at finer levels those of one w."""
        known = self.styles(codes)
        finer = self.whole.style_codes(self.likely_w(known))
        coarse = [level.name for level in self.generator.levels if level.name != "rgb"]
        return {**finer, **{name: known[name] for name in coarse}}

    @cached_property
    def _equations(self) -> tuple[Tensor, Tensor, dict[str, Tensor], Tensor]:
        """Mean of w, slopes of the standardised codes, codes of the mean, and the precision of the solution.

        Slopes and precision are float64 on the CPU: not every device has that type.
        """
        small = self.generator
        assert isinstance(small, MobileStyleGAN)
        mean, eye = small.w_mean[None], torch.eye(small.w_mean.numel(), device=self.device)
        names = [level.name for level in small.levels if not level.name.endswith(".up")][-EQUATIONS:]
        starts = {name: small.affine(name)(mean) for name in names}
        slopes = torch.cat([small.affine(name)(eye + mean) - starts[name] for name in names], dim=1).cpu().double()
        z = torch.randn(DRAWS, small.z_dim, generator=torch.Generator().manual_seed(0)).to(self.device)
        ws = (small.mapping(z)[:, 0] - mean).cpu().double()
        covariance = ws.T @ ws / len(ws)
        variances = torch.einsum("wc,wv,vc->c", slopes, covariance, slopes) * NOISE
        weighted = slopes / variances
        ridge = covariance.diagonal().mean() * 1e-3 * torch.eye(len(covariance))
        return mean, weighted, starts, weighted @ slopes.T + torch.linalg.inv(covariance + ridge)

    def tensor(self, images: Images) -> Tensor:
        """Images of either size as the encoder sees them, float32 [N, 3, R, R] in [-1, 1]."""
        if images.dtype != np.uint8 or images.shape[1:] != (3, self.size, self.size):
            return super().tensor(images)
        return area_average(from_uint8(np.array(images)).to(self.device), self.encoded)


def whole_generator(codec: Codec) -> str | None:
    """Spec string of the whole network of a codec's generator, if that is only its first layers."""
    name = codec.generator_name
    if name is None or codec.layout.space not in {"adain", "canonical"}:
        return None
    try:
        parsed = parse(name)
    except UsageError:
        return None
    whole = str(parsed.without("size"))
    return whole if parsed.name == FACES and generator_plugin(whole).spec().size > codec.size else None
