"""Codes of pictures by optimisation alone, without an encoder: about the best that a code space can draw.

Far too slow to be a feature extractor. It is the ceiling that stands beside reconstructions.
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
from ghbench.generators.code_statistics import CodeStatistics
from ghbench.generators.loading import generator_plugin, load_generator
from ghbench.generators.protocol import Generator
from ghbench.generators.rendering import from_uint8, to_uint8
from ghbench.ghfeat.network.decoding import decode_codes
from ghbench.ghfeat.network.layout import CodeLayout, layout_of
from ghbench.ghfeat.network.statistics import layout_statistics

Pictures = NDArray[np.uint8]
Synthesis = Callable[[dict[str, Tensor]], Tensor]
VERSION = 1
"""Grows when the same inversion may give other pictures."""


@dataclass(frozen=True, slots=True)
class Inversion:
    """How pictures are inverted.

    Args:
        generator: Spec string or path of the generator, of the pictures' size.
        steps: Of Adam on the standardised style codes, which start at the mean.
        rate: Its learning rate at the start, in deviations of codes; falls to 0 as a cosine.
        batch: Pictures at once; none depends on the others.
        precision: Of the synthesis while codes are sought; the final picture is always drawn in float32. bfloat16 is
            several times faster on processors that multiply it natively.
    """

    generator: str
    steps: int = 500
    rate: float = 0.05
    batch: int = 10
    precision: Literal["float32", "bfloat16"] = "float32"

    def digest(self) -> str:
        """Identity of the method and the generator's weights; the batch changes nothing but rounding."""
        weights = generator_plugin(self.generator).spec().weights_digest
        return digest_json(
            {"weights": weights, "steps": self.steps, "rate": self.rate, "precision": self.precision,
             "version": VERSION}
        )  # fmt: skip


def invert(
    generator: Generator,
    layout: CodeLayout,
    statistics: dict[str, CodeStatistics],
    pictures: Tensor,
    inversion: Inversion,
    *,
    synthesis: Synthesis | None = None,
) -> dict[str, Tensor]:
    """Standardised codes that minimise the squared difference of each picture.

    Args:
        generator: The generator.
        layout: In which codes.
        statistics: Their moments by level.
        pictures: [N, 3, R, R] in [-1, 1].
        inversion: Steps and rate.
        synthesis: From codes by level to pictures; None: `decode_codes`. For compiled ones.

    Returns:
        By level [N, width], in deviations from the mean.
    """
    draw = synthesis or (lambda codes: decode_codes(generator, layout, codes))
    device = pictures.device
    units = {
        level.name: torch.zeros(len(pictures), level.width, device=device, requires_grad=True)
        for level in layout.levels
    }
    optimiser = torch.optim.Adam(units.values(), lr=inversion.rate)
    for step in range(inversion.steps):
        for group in optimiser.param_groups:
            group["lr"] = inversion.rate * 0.5 * (1 + math.cos(math.pi * step / inversion.steps))
        with torch.autocast(device.type, torch.bfloat16, enabled=inversion.precision == "bfloat16"):
            made = draw(restored(units, statistics)).float()
        # The sum over pictures: each one's gradient, and so Adam's step, is its own.
        loss = (made - pictures).square().mean(dim=(1, 2, 3)).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return {name: unit.detach() for name, unit in units.items()}


def restored(units: dict[str, Tensor], statistics: dict[str, CodeStatistics]) -> dict[str, Tensor]:
    """Codes of which these are the standardised ones."""
    return {
        name: torch.addcmul(statistics[name].mean, statistics[name].deviation, unit) for name, unit in units.items()
    }


class Inversions:
    """What inversion makes of pictures, kept in the cache picture by picture.

    Args:
        inversion: The method.
        folder: Where; `inversions` in ghbench's cache by default.
    """

    def __init__(self, inversion: Inversion, folder: Path | None = None) -> None:
        self.inversion = inversion
        self.path = (folder or locations.cache() / "inversions") / f"inversions-{inversion.digest()[:16]}"

    def missing(self, pictures: Pictures) -> list[int]:
        """Rows of the pictures uint8 [N, 3, R, R] that are not inverted yet."""
        return [row for row, picture in enumerate(pictures) if self._read(picture) is None]

    def read(self, pictures: Pictures) -> Pictures | None:
        """What inversion made of the pictures, uint8 of their shape; None unless all are there."""
        found = [self._read(picture) for picture in pictures]
        return None if any(one is None for one in found) else np.stack([one for one in found if one is not None])

    def make(
        self,
        pictures: Pictures,
        report: Callable[[int, int], None] = lambda _done, _total: None,
        *,
        compiled: bool = False,
        device: str = "cpu",
    ) -> None:
        """Invert those that are missing; an interruption costs one batch.

        Args:
            pictures: uint8 [N, 3, R, R].
            report: Told how many pictures are done, and how many there are; after each batch.
            compiled: Whether to compile the synthesis.
            device: Where to compute.
        """
        rows = self.missing(pictures)
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
            targets = from_uint8(pictures[batch]).to(device)
            # A compiled function wants one batch size; what is added is left out again.
            filled = torch.cat([targets, targets[:1].expand(method.batch - len(batch), -1, -1, -1)])
            units = invert(generator, layout, statistics, filled, method, synthesis=synthesis)
            with torch.no_grad():
                made = to_uint8(decode_codes(generator, layout, restored(units, statistics)))
            for row, picture in zip(batch, made, strict=False):
                stream = io.BytesIO()
                np.save(stream, picture, allow_pickle=False)
                write_bytes(self._file(pictures[row]), stream.getvalue())
            report(start + len(batch), len(rows))

    def _file(self, picture: Pictures) -> Path:
        return self.path / f"{digest_array(picture)[:32]}.npy"

    def _read(self, picture: Pictures) -> Pictures | None:
        try:
            found: Pictures = np.load(self._file(picture), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return found if found.dtype == np.uint8 and found.shape == picture.shape else None
