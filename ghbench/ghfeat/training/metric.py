"""The metric in which a trained encoder's codes are compared, learned from its own generator's pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ghbench.data.metric_lessons import learned_from, teacher
from ghbench.dataset import Dataset, content_digest
from ghbench.extractor import OwnMetric, Preprocessing
from ghbench.generators.rendering import from_uint8
from ghbench.ghfeat.network.encoder import Encoder
from ghbench.ghfeat.training.modes import evaluating
from ghbench.imaging import prepare
from ghbench.metrics.learned_metric import Kind

BATCH = 32


def own_metric(
    encoder: Encoder, generator: str, kind: Kind, report: Callable[[int, int], None] = lambda _done, _total: None
) -> tuple[OwnMetric, dict[str, Any]]:
    """Learn the metric of each level, and of all levels beside one another.

    Args:
        encoder: The encoder; its mode is kept.
        generator: Spec string of its generator.
        kind: `centred`, `whitened` or `within`.
        report: Called with the metrics done and all.

    Returns:
        The metric, and how each was chosen, as JSON values.
    """
    levels, generator = encoder.config.layout.levels, teacher(generator)
    features = _Features(encoder)
    groups = [tuple(level.name for level in levels), *((level.name,) for level in levels if len(levels) > 1)]
    metrics, choices = {}, {}
    with evaluating(encoder):
        for done, group in enumerate(groups):
            report(done, len(groups))
            chosen = learned_from(kind, generator, lambda dataset, group=group: features(dataset, group))  # type: ignore[misc]
            name = "+".join(group)
            metrics[name] = chosen.metric
            choices[name] = {
                "components": chosen.components, "ridge": chosen.ridge, "decidability": round(chosen.decidability, 4)
            }  # fmt: skip
    report(len(groups), len(groups))
    return OwnMetric(kind, generator, metrics), {"kind": kind, "generator": generator, "chosen": choices}


class _Features:
    """Standardised codes of datasets, each encoded once."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.device = next(encoder.parameters()).device
        self.kept: dict[str, dict[str, NDArray[np.float32]]] = {}

    def __call__(self, dataset: Dataset, levels: tuple[str, ...]) -> NDArray[np.float32]:
        key = content_digest(dataset)
        if key not in self.kept:
            self.kept[key] = self._encode(dataset)
        return np.concatenate([self.kept[key][level] for level in levels], axis=1)

    @torch.no_grad()
    def _encode(self, dataset: Dataset) -> dict[str, NDArray[np.float32]]:
        side = self.encoder.config.size
        how, parts = Preprocessing((side, side)), []
        for start in range(0, len(dataset), BATCH):
            rows = range(start, min(start + BATCH, len(dataset)))
            images = np.stack([prepare(dataset.image(row), how, "none").image for row in rows])
            parts.append(self.encoder.standardised_codes(from_uint8(images).to(self.device)))
        return {
            name: torch.cat([part[name] * (self.encoder.deviation(name) > 0) for part in parts]).float().cpu().numpy()
            for name in parts[0]
        }
