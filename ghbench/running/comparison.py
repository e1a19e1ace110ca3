"""In which metric the features of an extractor are compared: as they are, in its own, or in one that is learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from ghbench.data.metric_lessons import VERSION, teacher
from ghbench.errors import UsageError
from ghbench.extractor import ExtractorSpec, LearnedMetric, Level, OwnMetric
from ghbench.generators.first_party import FACES
from ghbench.generators.loading import generator_plugin
from ghbench.metrics.learned_metric import Kind
from ghbench.running.options import RunOptions
from ghbench.running.request import SubjectRequest
from ghbench.running.teaching import learn
from ghbench.task import Policy

RAW = "raw"


@dataclass(frozen=True)
class Comparison:
    """In which metric features are compared.

    Args:
        kind: `raw`, `centred`, `whitened` or `within`.
        generator: Spec string of the generator whose pictures teach it; empty for `raw`.
        own: Metrics that travel with the weights.
    """

    kind: str = RAW
    generator: str = ""
    own: OwnMetric | None = None

    @property
    def title(self) -> str:
        """How a result says it; empty where features are compared as they are."""
        return "" if self.kind == RAW else f"cosine, {self.kind} by {self.generator}"

    def parts(self) -> dict[str, Any]:
        """What decides the metric, as JSON values; nothing where features are compared as every extractor's were."""
        if self.kind == RAW:
            return {} if self.own is None else {"metric": RAW}
        if self.own is not None:
            return {"metric": [self.kind, "own"]}
        plugin = generator_plugin(self.generator).spec()
        return {"metric": [self.kind, VERSION, plugin.name, plugin.size, plugin.weights_digest]}


def comparison(request: SubjectRequest, spec: ExtractorSpec) -> Comparison:
    """The metric that a request asks for, or that the extractor brings.

    Raises:
        UsageError: There is no such metric, or a generator is named for none.
    """
    kind, generator = request.similarity, request.similarity_generator
    if kind is not None and kind not in {RAW, *get_args(Kind)}:
        known = ", ".join([RAW, *get_args(Kind)])
        raise UsageError(f"there is no similarity {kind!r}; expected one of {known}")
    if generator is not None and kind in {None, RAW}:
        raise UsageError("similarity.generator teaches a metric; name one", fix="similarity=within or whitened")
    own = spec.metric
    if kind == RAW or (kind is None and own is None):
        return Comparison(RAW, "", own)
    if kind is None and own is not None:
        return Comparison(own.kind, own.generator, own)
    return Comparison(str(kind), teacher(generator or (own.generator if own else FACES)))


def taught(spec: ExtractorSpec, by: Comparison) -> ExtractorSpec:
    """The spec of an extractor with a metric: what taught the metric is part of its training record."""
    if by.kind == RAW or by.own is not None:
        return spec
    generator, record = generator_plugin(by.generator).spec(), spec.training
    return replace(
        spec,
        training=replace(
            record,
            datasets=tuple(dict.fromkeys([*record.datasets, *generator.training.datasets])),
            networks=tuple(dict.fromkeys([*record.networks, generator.weights_digest])),
            supervision=f"{record.supervision}; metric from renders of {generator.name}",
            image_digests=record.image_digests or None,
        ),
    )


def metrics_of(
    request: SubjectRequest,
    spec: ExtractorSpec,
    by: Comparison,
    levels: tuple[str, ...],
    policy: Policy,
    options: RunOptions,
) -> dict[str, LearnedMetric]:
    """The metric of each level or, under the policy `concat`, of all levels beside one another.

    Args:
        request: The extractor.
        spec: Its spec.
        by: Kind and teacher.
        levels: Levels in use.
        policy: How they become one answer.
        options: Alignment, dtype, extraction and store.

    Returns:
        By level, or by the levels joined with `+`.
    """
    groups = [levels] if policy == "concat" else [(level,) for level in levels]
    found: dict[str, LearnedMetric] = {}
    for group in groups:
        name = "+".join(group)
        if by.own is not None and name in by.own.metrics:
            found[name] = by.own.metrics[name]
            continue
        generator = by.generator if by.own is None else teacher(by.own.generator)
        found[name] = learn(request, spec, cast("Kind", by.kind), generator, group, options).metric
    return found


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


def compared_spec(spec: ExtractorSpec, metrics: Mapping[str, LearnedMetric]) -> ExtractorSpec:
    """What a task sees: levels that are compared by cosine, and already centred."""
    levels = tuple(
        Level(name, len(metric.mean) if metric.matrix is None else metric.matrix.shape[1])
        for name, metric in metrics.items()
    )
    return replace(
        spec, levels=levels, default_levels=tuple(metrics), similarity="cosine", centred=True, mean=None, aliases={}
    )
