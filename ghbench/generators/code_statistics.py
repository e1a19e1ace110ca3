"""Mean and standard deviation of a generator's style codes, to standardise them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ghbench.generators.protocol import Generator


@dataclass(frozen=True, slots=True)
class CodeStatistics:
    """Moments of a level's canonical code over random z.

    Args:
        mean: [code_width], float32.
        deviation: [code_width], float32, population standard deviation.
    """

    mean: Tensor
    deviation: Tensor


@torch.no_grad()
def code_statistics(
    generator: Generator, *, samples: int = 10_000, psi: float = 1.0, seed: int = 0, batch: int = 500
) -> dict[str, CodeStatistics]:
    """Moments of the canonical style codes by level.

    Sums are in float64, so that the batch size does not matter.

    Args:
        generator: A generator without labels.
        samples: Number of z, from the standard normal distribution.
        psi: Truncation.
        seed: The same seed gives the same z, whatever the batch size or device.
        batch: Samples mapped at once.

    Returns:
        By level, on the CPU.

    Raises:
        ValueError: No samples.
    """
    if samples < 1:
        raise ValueError(f"{samples} samples; expected at least 1")
    drawn = torch.randn(samples, generator.z_dim, generator=torch.Generator().manual_seed(seed)).to(generator.w_mean)
    # Moments about the first code keep the difference of the two sums accurate.
    origin: dict[str, Tensor] = {}
    sums: dict[str, Tensor] = {}
    squares: dict[str, Tensor] = {}
    for start in range(0, samples, batch):
        for name, code in generator.style_codes(generator.mapping(drawn[start : start + batch], psi)).items():
            values = code.cpu().double()
            shifted = values - origin.setdefault(name, values[0])
            sums[name] = sums.get(name, torch.zeros(())) + shifted.sum(dim=0)
            squares[name] = squares.get(name, torch.zeros(())) + shifted.square().sum(dim=0)
    statistics = {}
    for name, total in sums.items():
        variance = (squares[name] / samples - (total / samples).square()).clamp_min(0.0)
        mean = origin[name] + total / samples
        statistics[name] = CodeStatistics(mean.float(), variance.sqrt().float())
    return statistics
