"""Finds codes of images by optimisation, without an encoder: about the best reconstruction in a code space.

Far too slow for a feature extractor; a ceiling for reconstructions.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ghbench import locations
from ghbench.atomic import write_bytes
from ghbench.digests import digest_array, digest_json
from ghbench.errors import DataError
from ghbench.generators.code_statistics import CodeStatistics
from ghbench.generators.loading import generator_plugin, load_generator
from ghbench.generators.protocol import Generator
from ghbench.generators.rendering import from_uint8, to_uint8
from ghbench.ghfeat.network.decoding import decode_codes
from ghbench.ghfeat.network.layout import CodeLayout, layout_of
from ghbench.ghfeat.network.statistics import layout_statistics
from ghbench.store.arrays_from_files import map_array, write_array

Images = NDArray[np.uint8]
Synthesis = Callable[[dict[str, Tensor]], Tensor]
VERSION = 1
"""Raised when the same inversion may give different images."""


@dataclass(frozen=True, slots=True)
class Inversion:
    """Settings of an inversion.

    Args:
        generator: Spec string or path of the generator, which draws images of the same size.
        steps: Steps of Adam on the standardised style codes, which start at the mean.
        rate: Its initial learning rate, in standard deviations of codes; falls to 0 as a cosine.
        batch: Images per batch; none depends on the others.
        precision: Precision of the synthesis during optimisation; the final image is always drawn in float32. bfloat16
            is several times faster on processors with native support.
    """

    generator: str
    steps: int = 500
    rate: float = 0.05
    batch: int = 10
    precision: Literal["float32", "bfloat16"] = "float32"

    def digest(self) -> str:
        """Digest of the settings and the generator's weights; not of the batch size, which changes only rounding."""
        weights = generator_plugin(self.generator).spec().weights_digest
        return digest_json(
            {"weights": weights, "steps": self.steps, "rate": self.rate, "precision": self.precision,
             "version": VERSION}
        )  # fmt: skip


def invert(
    generator: Generator,
    layout: CodeLayout,
    statistics: dict[str, CodeStatistics],
    images: Tensor,
    inversion: Inversion,
    *,
    synthesis: Synthesis | None = None,
) -> dict[str, Tensor]:
    """Standardised codes that minimise the squared error of each image.

    Args:
        generator: The generator.
        layout: Layout of the codes.
        statistics: Their mean and standard deviation by level.
        images: [N, 3, R, R] in [-1, 1].
        inversion: Steps and rate.
        synthesis: From codes by level to images, for instance compiled; None for `decode_codes`.

    Returns:
        By level [N, width], in standard deviations from the mean.
    """
    draw = synthesis or (lambda codes: decode_codes(generator, layout, codes))
    device = images.device
    units = {
        level.name: torch.zeros(len(images), level.width, device=device, requires_grad=True) for level in layout.levels
    }
    optimiser = torch.optim.Adam(units.values(), lr=inversion.rate)
    for step in range(inversion.steps):
        for group in optimiser.param_groups:
            group["lr"] = inversion.rate * 0.5 * (1 + math.cos(math.pi * step / inversion.steps))
        with torch.autocast(device.type, torch.bfloat16, enabled=inversion.precision == "bfloat16"):
            made = draw(unstandardise(units, statistics)).float()
        # Summed over images, so that no gradient, and no step of Adam, depends on other images.
        loss = (made - images).square().mean(dim=(1, 2, 3)).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return {name: unit.detach() for name, unit in units.items()}


def unstandardise(units: dict[str, Tensor], statistics: dict[str, CodeStatistics]) -> dict[str, Tensor]:
    """Codes of standardised codes."""
    return {
        name: torch.addcmul(statistics[name].mean, statistics[name].deviation, unit) for name, unit in units.items()
    }


class Inversions:
    """Reconstructions by inversion, cached image by image.

    Args:
        inversion: Settings.
        folder: Folder of the cache; by default `inversions` in ghbench's cache.
    """

    def __init__(self, inversion: Inversion, folder: Path | None = None) -> None:
        self.inversion = inversion
        self.path = (folder or locations.cache() / "inversions") / f"inversions-{inversion.digest()[:16]}"

    def missing(self, images: Images) -> list[int]:
        """Rows of the images uint8 [N, 3, R, R] that are not in the cache."""
        return [row for row, image in enumerate(images) if self._read(image) is None]

    def read(self, images: Images) -> Images | None:
        """Reconstructions of the images, uint8 of their shape; None unless all are in the cache."""
        found = [self._read(image) for image in images]
        return None if any(one is None for one in found) else np.stack([one for one in found if one is not None])

    def make(
        self,
        images: Images,
        report: Callable[[int, int], None] = lambda _done, _total: None,
        *,
        compiled: bool = False,
        device: str = "cpu",
    ) -> None:
        """Invert the missing images; an interruption loses at most one batch.

        Args:
            images: uint8 [N, 3, R, R].
            report: Called after each batch with the images done and the total.
            compiled: Whether to compile the synthesis.
            device: Where to compute.
        """
        rows = self.missing(images)
        if not rows:
            return
        method = self.inversion
        generator = load_generator(method.generator)
        layout = layout_of(generator)
        statistics = {
            name: CodeStatistics(found.mean.to(device), found.deviation.to(device))
            for name, found in layout_statistics(generator, layout).items()
        }
        if isinstance(generator, torch.nn.Module):
            generator.to(device)
        whole: Synthesis = lambda codes: decode_codes(generator, layout, codes)  # noqa: E731
        synthesis: Synthesis = torch.compile(whole, fullgraph=True, dynamic=False) if compiled else whole
        for start in range(0, len(rows), method.batch):
            batch = rows[start : start + method.batch]
            targets = from_uint8(images[batch]).to(device)
            # Padded to one batch size, so that the synthesis is compiled once.
            padded = torch.cat([targets, targets[:1].expand(method.batch - len(batch), -1, -1, -1)])
            units = invert(generator, layout, statistics, padded, method, synthesis=synthesis)
            with torch.no_grad():
                made = to_uint8(decode_codes(generator, layout, unstandardise(units, statistics)))
            for row, image in zip(batch, made, strict=False):
                stream = io.BytesIO()
                write_array(stream, image)
                write_bytes(self._file(images[row]), stream.getvalue())
            report(start + len(batch), len(rows))

    def _file(self, image: Images) -> Path:
        return self.path / f"{digest_array(image)[:32]}.npy"

    def _read(self, image: Images) -> Images | None:
        try:
            found: Images = map_array(self._file(image))
        except DataError:
            return None
        return found if found.dtype == np.uint8 and found.shape == image.shape else None
