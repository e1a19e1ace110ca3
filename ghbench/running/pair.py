"""One line, read as code: images -> extractor -> features -> task -> records -> score -> result."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.data.subset import Subset
from ghbench.dataset import content_digest
from ghbench.digests import digest_bytes, digest_json
from ghbench.errors import AbilityError, DataError, FeatureError, PluginError, UsageError
from ghbench.extractor import Encoder, ExtractorSpec, LearnedMetric, Subject, SubjectSpec
from ghbench.imaging import Alignment, alignment
from ghbench.levels import select_levels
from ghbench.results import files, scoring, slow_scores
from ghbench.results.provenance import provenance
from ghbench.results.schema import Counts, Missing, Result
from ghbench.running import record
from ghbench.running.comparison import Comparison, InMetric, compared_spec, comparison, taught
from ghbench.running.context import RunContext
from ghbench.running.features import fill, identity_of_subject
from ghbench.running.keys import align_parts, feature_key, identity_of_task, subject_parts
from ghbench.running.options import RunOptions
from ghbench.running.overlap import check_overlap
from ghbench.running.own_module import OwnModule
from ghbench.running.record import RoleData
from ghbench.running.request import RAW, SubjectRequest
from ghbench.running.teaching import Pupil
from ghbench.store import StoredFeatures, default_store
from ghbench.task import LEVEL, Evaluation, Role, Task, TaskInputs, Units
from ghbench.task_abilities import Checking, Comparing, Lacking


class Pair:
    """One subject on one task, on its way to a result.

    Args:
        request: The subject with its levels and policy.
        task: The task.
        options: How to run.
        command: What makes the same result again, for its provenance.

    Raises:
        UserError: The pair cannot be evaluated; nothing was extracted.
    """

    def __init__(self, request: SubjectRequest, task: Task, options: RunOptions, command: str) -> None:
        self.request, self.task, self.options, self.command = request, task, options, command
        self.phases: dict[str, float] = {}
        with self._phase("describe"):
            self.subject: Subject = request.build(options.seed)
            self.spec: SubjectSpec = self.subject.spec()
            if not isinstance(self.spec, SubjectSpec):
                raise FeatureError(
                    f"spec() of {request.spec_string} returned {type(self.spec).__name__}; expected an ExtractorSpec"
                )
            self.uses_features = Encoder in task.requires and not request.constant
            _check_abilities(self.subject, self.spec, task, request)
            self.levels = self._selected_levels()
            self.comparison = self._chosen_comparison()
            self.align = self._chosen_alignment()
            roles = task.roles()
            self.roles = {name: role_data(name, role, options.limit) for name, role in roles.items()}
            longest = max((len(role_rows(name, role)) for name, role in roles.items()), default=0)
            self.limit = options.limit if options.limit is not None and options.limit < longest else None
            judged = [(data.dataset, data.role.split) for data in self.roles.values() if data.role.judged]
            self.overlap = check_overlap(self.spec, judged, task.protocol())
            self.context = RunContext(
                task.name, options.seed, options.extraction, options.store or default_store(), options.search
            )

    def check_data(self) -> None:
        """See that the rows in use can be judged, before anything is extracted.

        Raises:
            DataError: They cannot.
        """
        if isinstance(self.task, Checking):
            self.task.check_datasets({name: data.dataset for name, data in self.roles.items()})

    def result(self) -> Result:
        """Read the finished result back, or make it."""
        self.check_data()
        path = files.result_path(files.task_folder(self.task.name), self.spec.name, self.digest, self.options.results)
        finished = files.finished(path)
        finished = finished if finished is not None and finished.digest == self.digest else None
        if finished is not None and not self.options.overwrite and not self._can_be_completed(finished):
            return self._as_named_now(finished)
        with self._phase("extract"):
            stored, encoded = self.features()
        with self._phase("evaluate"):
            evaluation = self.evaluate(stored)
        with self._phase("score"):
            # As whoever reads the file will score them.
            content, records = files.as_stored(evaluation.records, self.task.name)
            draws = scoring.replicates(self.task, records, seed=self.options.seed, stream=self.digest)
            scored = slow_scores.scores(self.task, records, digest_bytes(content), anew=True)
            metrics = scoring.metric_values(self.task, records, draws, scored)
            units = scoring.units_of(self.task, records)
        result = self._describe(evaluation, stored, units, cached=encoded == 0)
        label = None if finished is None else finished.label
        saved = files.save(result.model_copy(update={"metrics": metrics, "label": label}), content, path)
        scoring.keep_draws(self.task, saved.records_sha256, self.options.seed, self.digest, draws)
        return saved

    @cached_property
    def identity(self) -> str:
        """What the subject was built from."""
        return identity_of_subject(self.request)

    @cached_property
    def digest(self) -> str:
        """Identity of what is computed from what; names the result file."""
        return digest_json(
            {
                "subject": self.identity,
                **subject_parts(self.spec, self.levels, self.request.policy),
                **self.comparison.parts(),
                "task": [identity_of_task(self.task.name), self.task.version, self.task.protocol()],
                "align": align_parts(self.align),
                "data": {name: data.identity() for name, data in self.roles.items()},
                "dtype": self.options.dtype if self.uses_features else None,
                "limit": self.limit,
                "seed": self.options.seed,
            }
        )

    def _as_named_now(self, finished: Result) -> Result:
        """A finished result under the names of this run: those in its file may name the same content elsewhere."""
        subject = finished.subject.model_copy(update={"spec_string": str(self.request)})
        task = finished.task.model_copy(update={"name": self.task.name})
        return finished.model_copy(update={"subject": subject, "task": task})

    def notes(self) -> list[str]:
        """What a reader should know of somebody's own module: how its levels came about, and which are left out."""
        if not isinstance(self.subject, OwnModule) or not self.levels:
            return []
        others = [level.name for level in self.subject.spec().levels if level.name not in self.levels]
        if self.request.level is not None or not others:
            return self.subject.notes()
        evaluated = f"evaluated by default: level {', '.join(self.levels)}"
        choice = f"also there: {', '.join(others)} (level={others[0]}, or level=all)"
        return [f"{evaluated}; {choice}", *self.subject.notes()]

    def _selected_levels(self) -> tuple[str, ...]:
        request, task = self.request, self.task
        if not self.uses_features:
            if request.level is not None or request.policy != "concat":
                raise UsageError(f"level= and policy= mean nothing for {request.spec_string} on {task.name!r}")
            return ()
        if not isinstance(self.spec, ExtractorSpec):
            raise UsageError(f"{self.spec.name!r} has no features, which task {task.name!r} needs")
        if not self.spec.levels or not self.spec.default_levels:
            raise FeatureError(f"extractor {self.spec.name!r} declares no levels, or none that are used by default")
        if request.policy not in {"each", *task.policies}:
            raise UsageError(
                f"task {task.name!r} does not combine levels by policy {request.policy!r}",
                fix=f"policy={' or policy='.join(['each', *task.policies])}",
            )
        levels = select_levels(self.spec, request.level)
        without = [] if self.spec.mean is None else [level for level in levels if level not in self.spec.mean]
        if without:
            raise FeatureError(f"extractor {self.spec.name!r} has a mean, but none of level {', '.join(without)}")
        return levels

    def _chosen_comparison(self) -> Comparison:
        """In which metric features are compared; what taught it becomes part of the subject's training record."""
        compares = isinstance(self.task, Comparing) and self.task.compares and self.uses_features
        if not compares:
            if self.request.similarity is not None:
                raise UsageError(f"similarity= means nothing for task {self.task.name!r}: it compares no features")
            return Comparison()
        assert isinstance(self.spec, ExtractorSpec)
        chosen = comparison(self.request, self.spec, self.levels)
        self.spec = taught(self.spec, chosen)
        return chosen

    def _chosen_alignment(self) -> Alignment | None:
        """What the user chose, else what the extractor declares; a task may fix one for all."""
        fixed: str | None = self.task.protocol().get("align")
        wanted = self.options.align
        if fixed is not None and wanted not in {None, fixed}:
            raise UsageError(
                f"task {self.task.name!r} aligns its images by {fixed!r}; --align {wanted} would change them",
                fix="leave --align out; the task may have an option align",
            )
        if not self.uses_features:
            return None
        assert isinstance(self.spec, ExtractorSpec)
        return alignment(fixed or wanted or self.spec.preprocessing.align)

    def _can_be_completed(self, finished: Result) -> bool:
        """Whether something that was missing is here now; what only `evaluate` finds needs --overwrite."""
        foreseen = {missing.what for missing in finished.missing if missing.foreseen}
        return bool(foreseen - self._lacking_now()) if foreseen else False

    def _lacking_now(self) -> set[str]:
        return {lack.what for lack in self.task.lacking()} if isinstance(self.task, Lacking) else set()

    def features(self) -> tuple[dict[str, dict[str, StoredFeatures]], int]:
        """Features by role and view, and how many images had to be encoded for them."""
        stored: dict[str, dict[str, StoredFeatures]] = {name: {} for name in self.roles}
        encoded = 0
        if not self.uses_features:
            return stored, encoded
        assert isinstance(self.spec, ExtractorSpec)
        assert self.align is not None
        for name, data in self.roles.items():
            for view in data.role.views:
                key = feature_key(
                    self.spec,
                    self.identity,
                    data.dataset.card().name,
                    data.digest,
                    align_parts(self.align),
                    view,
                    self.options.dtype,
                )
                features = self.context.store.open(key, data.dataset.ids)
                if not all(map(features.is_ready, self.levels)):
                    encoded += fill(
                        features, self.subject, self.spec, data.dataset, self.levels, self.align, self.options
                    )
                stored[name][view] = features
        return stored, encoded

    def evaluate(self, stored: record.Stored) -> Evaluation:
        """The task's records; under the policy `each` those of every level, one below the other."""
        if self.request.policy != "each":
            evaluation = self.task.evaluate(self._inputs(stored, self.levels))
            _check_evaluation(evaluation, self.task)
            return evaluation
        parts = {level: self.task.evaluate(self._inputs(stored, (level,))) for level in self.levels}
        tables = []
        for level, part in parts.items():
            _check_evaluation(part, self.task)
            table = part.records.copy()
            table.insert(0, LEVEL, level)
            tables.append(table)
        return Evaluation(
            pd.concat(tables, ignore_index=True),
            tuple(dict.fromkeys(lack for part in parts.values() for lack in part.lacking)),
            _notes_of_levels({level: part.notes for level, part in parts.items()}),
        )

    def _inputs(self, stored: record.Stored, levels: tuple[str, ...]) -> TaskInputs:
        features = {
            role: {view: _StoredLevels(kept, levels) for view, kept in views.items()} for role, views in stored.items()
        }
        policy = "concat" if self.request.policy == "each" else self.request.policy
        datasets = {name: data.dataset for name, data in self.roles.items()}
        if self.comparison.kind == RAW:
            return TaskInputs(self.subject, self.spec, datasets, features, levels, policy, self.context)
        metrics = {name: metric for name, metric in self.metrics.items() if set(name.split("+")) <= set(levels)}
        compared = {
            role: {view: InMetric(kept, metrics) for view, kept in views.items()} for role, views in features.items()
        }
        assert isinstance(self.spec, ExtractorSpec)
        spec = compared_spec(self.spec, metrics)
        return TaskInputs(self.subject, spec, datasets, compared, tuple(metrics), policy, self.context)

    @cached_property
    def metrics(self) -> dict[str, LearnedMetric]:
        """Learned metrics by level, or by levels joined with `+`; none where features are compared as they are."""
        if self.comparison.kind == RAW:
            return {}
        assert isinstance(self.spec, ExtractorSpec)
        assert self.align is not None
        return self.comparison.metrics(
            Pupil(self.request, self.subject, self.spec, self.levels, self.align.name, self.options)
        )

    def _describe(self, evaluation: Evaluation, stored: record.Stored, units: Units | None, *, cached: bool) -> Result:
        level = self.levels[0] if self.levels else None
        foreseen = self._lacking_now() if evaluation.lacking else set()
        missing = [Missing(**asdict(lack), foreseen=lack.what in foreseen) for lack in evaluation.lacking]
        status: Literal["complete", "incomplete", "partial"] = (
            "partial" if self.limit is not None else "incomplete" if missing else "complete"
        )
        align = align_parts(self.align)
        return Result(
            digest=self.digest,
            status=status,
            subject=record.subject_record(self.request, self.spec),
            features=record.feature_record(
                self.spec, self.levels, self.request.policy, align, self.options.dtype, self.comparison.title
            ),
            navigator=record.navigator_record(self.spec),
            task=record.task_record(self.task),
            datasets={name: record.dataset_record(data, stored[name], level) for name, data in self.roles.items()},
            overlap=self.overlap,
            missing=missing,
            counts=Counts(
                records=len(evaluation.records),
                unit=None if units is None else units.kind,
                units=0 if units is None else units.count,
                units_digest=None if units is None else units.digest,
            ),
            warnings=[*self.notes(), *record.warnings(stored, self.levels), *evaluation.notes],
            limit=self.limit,
            timing=record.timing(self.phases, stored, level, cached=cached),
            provenance=provenance(self.command, self.options.seed),
        )

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.perf_counter() - began


class _StoredLevels(Mapping[str, NDArray[Any]]):
    """Levels of stored features, each mapped into memory when it is asked for."""

    def __init__(self, stored: StoredFeatures, levels: tuple[str, ...]) -> None:
        self._stored, self._levels = stored, levels

    def __getitem__(self, level: str) -> NDArray[Any]:
        if level not in self._levels:
            raise KeyError(level)
        return self._stored.read(level)

    def __iter__(self) -> Iterator[str]:
        return iter(self._levels)

    def __len__(self) -> int:
        return len(self._levels)


def role_rows(name: str, role: Role) -> NDArray[np.int64]:
    """Rows of a role's dataset: of one split, or all.

    Raises:
        DataError: There is no such split.
    """
    dataset = role.dataset
    if role.split is None:
        return np.arange(len(dataset))
    if role.split not in dataset.splits:
        known = ", ".join(dataset.splits) or "none"
        raise DataError(f"role {name!r}: dataset {dataset.card().name!r} has no split {role.split!r}; it has {known}")
    return np.asarray(dataset.splits[role.split])


def _notes_of_levels(notes: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Notes on all levels once, those on some with their level."""
    common = set.intersection(*map(set, notes.values()))
    shared = dict.fromkeys(note for own in notes.values() for note in own if note in common)
    return (*shared, *(f"level {level}: {note}" for level, own in notes.items() for note in own if note not in common))


def role_data(name: str, role: Role, limit: int | None = None) -> RoleData:
    """The rows of a role that are in use: of one split, or all; at most `limit` of them.

    Raises:
        DataError: There are none, or two images have the same id.
    """
    dataset, rows = role.dataset, role_rows(name, role)
    if role.split is not None or (limit is not None and limit < len(rows)):
        dataset = Subset(dataset, rows[:limit])
    if not len(dataset):
        raise DataError(f"role {name!r} of the task holds no images of {dataset.card().name!r}")
    if len(set(dataset.ids)) < len(dataset):
        twice = next(one for one, count in Counter(dataset.ids).items() if count > 1)
        raise DataError(f"several images of dataset {dataset.card().name!r} have the id {twice!r}; expected one each")
    return RoleData(role, dataset, content_digest(dataset))


def _check_abilities(subject: Subject, spec: SubjectSpec, task: Task, request: SubjectRequest) -> None:
    """Features that are already in the store need no Encoder; every other ability must be there."""
    if not task.metrics:
        raise PluginError(f"task {task.name!r} declares no metrics")
    scoring.resampled(task)  # before anything is extracted
    if request.constant:
        return
    lacking = [
        ability.__name__ for ability in task.requires if ability is not Encoder and not isinstance(subject, ability)
    ]
    if lacking:
        raise AbilityError(f"task {task.name!r} needs the ability {', '.join(lacking)}, which {spec.name!r} lacks")


def _check_evaluation(evaluation: object, task: Task) -> None:
    if not isinstance(evaluation, Evaluation) or LEVEL in evaluation.records.columns:
        raise DataError(
            f"task {task.name!r} must return an Evaluation; its records may have no column {LEVEL!r}, the runner's own"
        )
