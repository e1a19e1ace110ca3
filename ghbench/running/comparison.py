"""In which metric the features of an extractor are compared: as they are, in its own, or in one that is learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ghbench.data.metric_lessons import VERSION, teacher
from ghbench.errors import UsageError
from ghbench.extractor import ExtractorSpec, LearnedMetric, Level, OwnMetric
from ghbench.generators.first_party import FACES
from ghbench.running.request import RAW, SubjectRequest
from ghbench.running.teaching import Pupil

if TYPE_CHECKING:
    from ghbench.generator import GeneratorPlugin
    from ghbench.metrics.learned_metric import Kind


@dataclass(frozen=True)
class Comparison:
    """In which metric features are compared.

    Args:
        kind: `raw`, `centred`, `whitened` or `within`.
        generator: Spec string of the generator whose pictures teach it; empty for `raw`.
        groups: Levels that have a metric together: all of them under the policy `concat`, else each alone.
        own: Metrics that travel with the weights.
    """

    kind: str = RAW
    generator: str = ""
    groups: tuple[tuple[str, ...], ...] = ()
    own: OwnMetric | None = None

    @property
    def title(self) -> str:
        """How a result says it; empty where features are compared as they are."""
        return "" if self.kind == RAW else f"cosine, {self.kind} by {self.generator or 'its own generator'}"

    @property
    def learns(self) -> bool:
        """Whether a metric has to be learned: one that does not travel with the weights."""
        own = {} if self.own is None or self.kind != self.own.kind else self.own.metrics
        return self.kind != RAW and any("+".join(group) not in own for group in self.groups)

    def parts(self) -> dict[str, Any]:
        """What decides the metric, as JSON values; nothing where features are compared as every extractor's were."""
        if self.kind == RAW:
            return {} if self.own is None else {"metric": RAW}
        if not self.learns:
            return {"metric": [self.kind, "own"]}
        return {"metric": [self.kind, VERSION, self.teacher.spec().weights_digest]}

    @property
    def teacher(self) -> GeneratorPlugin:
        """The generator.

        Raises:
            UsageError: The weights do not say which.
        """
        from ghbench.generators.loading import generator_plugin

        if not self.generator:
            raise UsageError(
                "these levels have no metric together, and the weights name no registered generator to learn one from",
                fix="similarity.generator=SPEC, or similarity=raw",
            )
        return generator_plugin(self.generator)

    def metrics(self, pupil: Pupil) -> dict[str, LearnedMetric]:
        """The metric of each group of levels, by the levels joined with `+`."""
        found: dict[str, LearnedMetric] = {}
        for group in self.groups:
            name = "+".join(group)
            if self.own is not None and self.own.kind == self.kind and name in self.own.metrics:
                found[name] = self.own.metrics[name]
            else:
                _ = self.teacher
                found[name] = pupil.learn(cast("Kind", self.kind), self.generator, group).metric
        return found


def comparison(request: SubjectRequest, spec: ExtractorSpec, levels: tuple[str, ...]) -> Comparison:
    """The metric that a request asks for, or that the extractor brings."""
    kind, generator, own = request.similarity, request.similarity_generator, spec.metric
    groups = (levels,) if request.policy == "concat" else tuple((level,) for level in levels)
    if kind == RAW or (kind is None and own is None):
        return Comparison(RAW, "", groups, own)
    if own is not None and generator is None and kind in {None, own.kind}:
        return Comparison(own.kind, teacher(own.generator), groups, own)
    return Comparison(str(kind), teacher(generator or (own.generator if own else "") or FACES), groups)


def taught(spec: ExtractorSpec, by: Comparison) -> ExtractorSpec:
    """The spec of an extractor with a metric: what taught it belongs to its training record and its licence."""
    if not by.learns:
        return spec
    generator, record = by.teacher.spec(), spec.training
    terms = "" if generator.licence in spec.licence else f"; metric taught under {generator.licence}"
    return replace(
        spec,
        licence=f"{spec.licence}{terms}",
        training=replace(
            record,
            datasets=tuple(dict.fromkeys([*record.datasets, *generator.training.datasets])),
            networks=tuple(dict.fromkeys([*record.networks, generator.weights_digest])),
            supervision=f"{record.supervision}; metric from renders of {generator.name}",
            image_digests=record.image_digests or None,
        ),
    )


def compared_spec(spec: ExtractorSpec, metrics: Mapping[str, LearnedMetric]) -> ExtractorSpec:
    """What a task sees: levels that are compared by cosine, and already centred."""
    levels = tuple(
        Level(name, len(metric.mean) if metric.matrix is None else metric.matrix.shape[1])
        for name, metric in metrics.items()
    )
    return replace(
        spec, levels=levels, default_levels=tuple(metrics), similarity="cosine", centred=True, mean=None, aliases={}
    )


class InMetric(Mapping[str, NDArray[np.float32]]):
    """Levels of features brought into their metrics, each when it is asked for.

    Args:
        features: By level [N, D].
        metrics: By level, or by levels joined with `+`.
    """

    def __init__(self, features: Mapping[str, NDArray[Any]], metrics: Mapping[str, LearnedMetric]) -> None:
        self._features, self._metrics = features, metrics

    def __getitem__(self, level: str) -> NDArray[np.float32]:
        metric = self._metrics[level]
        parts = [np.asarray(self._features[one], dtype=np.float32) for one in level.split("+")]
        return metric.apply(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1))

    def __iter__(self) -> Iterator[str]:
        return iter(self._metrics)

    def __len__(self) -> int:
        return len(self._metrics)
