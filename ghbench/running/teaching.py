"""Metrics learned from generated pictures, for any extractor; features and metrics are kept."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ghbench import locations
from ghbench.atomic import write_bytes
from ghbench.data.metric_lessons import VERSION, choosing_pictures, fitting_pictures, learned_from
from ghbench.dataset import Dataset, content_digest
from ghbench.digests import digest_json
from ghbench.errors import DataError
from ghbench.extractor import ExtractorSpec, LearnedMetric, Subject
from ghbench.generators.first_party import FACES
from ghbench.imaging import alignment
from ghbench.metrics.learned_metric import Chosen, Kind
from ghbench.running.features import identity_of_subject, stored_features
from ghbench.running.keys import align_parts, feature_key
from ghbench.running.options import RunOptions
from ghbench.running.request import SubjectRequest
from ghbench.store.arrays_from_files import read_arrays


@dataclass(frozen=True)
class Pupil:
    """An extractor that learns metrics.

    Args:
        request: What the user named.
        subject: What that is.
        spec: Its spec.
        levels: All levels in use; their features are made together.
        align: Name of the alignment of what is evaluated.
        options: How to extract, and where to keep it.
    """

    request: SubjectRequest
    subject: Subject
    spec: ExtractorSpec
    levels: tuple[str, ...]
    align: str
    options: RunOptions

    def learn(self, kind: Kind, generator: str, levels: Sequence[str]) -> Chosen:
        """Learn the metric of some levels beside one another; what was learned before is read back.

        Args:
            kind: `centred`, `whitened` or `within`.
            generator: Spec string of the generator.
            levels: Levels.
        """
        options = replace(self.options, align=self._alignment_of(generator), limit=None)
        path = self._file(kind, generator, levels, options)
        known = _read(path)
        if known is None:
            known = learned_from(kind, generator, lambda dataset: self._features(dataset, levels, options))
            _write(path, known)
        return known

    def _features(self, dataset: Dataset, levels: Sequence[str], options: RunOptions) -> NDArray[np.float32]:
        every = "+".join(self.levels)
        stored = stored_features(self.request, dataset, options, every, self.subject)[3]
        return np.concatenate([np.asarray(stored.read(level), dtype=np.float32) for level in levels], axis=1)

    def _alignment_of(self, generator: str) -> str:
        """The alignment of a generator's pictures: its faces are drawn where FFHQ's alignment would put them."""
        from ghbench.generators.loading import generator_plugin

        return "none" if self.align == "ffhq" and generator_plugin(generator).spec().name == FACES else self.align

    def _file(self, kind: str, generator: str, levels: Sequence[str], options: RunOptions) -> Path:
        identity, align = identity_of_subject(self.request), align_parts(alignment(str(options.align)))
        keys = [
            feature_key(
                self.spec, identity, pictures.card().name, content_digest(pictures), align, dtype=options.dtype
            ).digest
            for pictures in (fitting_pictures(generator), choosing_pictures(generator))
        ]
        return locations.cache() / "metrics" / f"{digest_json([VERSION, kind, list(levels), keys])[:32]}.npz"


def _read(path: Path) -> Chosen | None:
    try:
        kept = read_arrays(path)
        components, ridge, decidability = (float(number) for number in kept["choice"])
        return Chosen(LearnedMetric(kept["mean"], kept.get("matrix")), int(components), ridge, decidability)
    except (DataError, KeyError, ValueError):
        return None


def _write(path: Path, chosen: Chosen) -> None:
    metric, stream = chosen.metric, io.BytesIO()
    arrays = {"mean": metric.mean, "choice": np.array([chosen.components, chosen.ridge, chosen.decidability])}
    np.savez(stream, **arrays if metric.matrix is None else {**arrays, "matrix": metric.matrix})  # type: ignore[arg-type]
    write_bytes(path, stream.getvalue())
