"""One line, read as code: images -> extractor -> features -> task -> records -> score -> result."""

from __future__ import annotations

import shlex
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ghbench.data.subset import first_rows
from ghbench.dataset import Dataset, content_digest
from ghbench.digests import digest_array, digest_json
from ghbench.errors import FeatureError, UsageError, UserError, disk_error
from ghbench.extraction import ExtractionOptions, Precomputed, extract_features, store_precomputed
from ghbench.extractor import Encoder, Extractor, ExtractorSpec
from ghbench.imaging import DECODE_VERSION, RESIZES, alignment
from ghbench.levels import select_levels
from ghbench.results import files, statistics
from ghbench.results.provenance import provenance
from ghbench.results.schema import (
    DatasetRecord,
    Failure,
    MetricValue,
    Result,
    TaskRecord,
)
from ghbench.running import result_parts
from ghbench.running.overlap import check_overlap
from ghbench.running.selection import ExtractorRequest, extractor_request, load_task
from ghbench.store import FeatureKey, FeatureStore, StoredFeatures, default_store
from ghbench.task import Noting, Role, Task, TaskInputs

Report = Callable[[str], None]


@dataclass(frozen=True)
class RunOptions:
    """How pairs are run.

    Args:
        align: Alignment for all extractors; None: what each declares.
        overwrite: Evaluate again what is already finished. Features are kept: their key says that they are the same.
        limit: Only the first so many images; the result is partial and enters no table.
        seed: From which all randomness of evaluation and bootstrap is spawned.
        dtype: Storage dtype of features.
        extraction: Batch size, workers, device, progress.
        store: Feature store; None: the one in `GHBENCH_CACHE`.
        results: Folder of results; None: the one in `GHBENCH_HOME`.
    """

    align: str | None = None
    overwrite: bool = False
    limit: int | None = None
    seed: int = 0
    dtype: Literal["float32", "float16"] = "float32"
    extraction: ExtractionOptions = field(default_factory=ExtractionOptions)
    store: FeatureStore | None = None
    results: Path | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"limit={self.limit}; expected at least 1 image")
        if self.seed < 0:
            raise UsageError(f"seed={self.seed}; expected a whole number from 0")
        if self.dtype not in {"float32", "float16"}:
            raise UsageError(f"features cannot be stored as {self.dtype!r}; expected float32 or float16")
        if self.align is not None:
            alignment(self.align)


def run(extractor: object, task: str | Task, options: RunOptions | None = None, **changes: Any) -> Result:
    """Evaluate one extractor on one task.

    Args:
        extractor: Spec string, `nn.Module` or object with `spec()` and an ability.
        task: Spec string or task object.
        options: How to run.
        **changes: Fields of `RunOptions` that differ from `options`.

    Returns:
        The result, also written to the results folder; a finished one is read back unless `overwrite`.

    Raises:
        UserError: Anything that the user can put right.
    """
    options = replace(options or RunOptions(), **changes)
    return _Pair(extractor_request(extractor), load_task(task), options).result()


def run_pairs(
    extractors: Sequence[object],
    tasks: Sequence[str | Task],
    options: RunOptions | None = None,
    report: Report | None = None,
    *,
    references: bool = False,
) -> list[Result | Failure]:
    """Evaluate every extractor on every task; a pair that fails is recorded and stops no other.

    Args:
        extractors: Spec strings or objects.
        tasks: Spec strings or objects.
        options: How to run.
        report: Called with a line about each pair as it starts.
        references: Whether to run the rows too that each task wants in its table, after the extractors.

    Returns:
        Results and failures, task by task, in the order given.

    Raises:
        UsageError: A name or option is wrong; nothing was run.
    """
    options = options or RunOptions()
    requests = [extractor_request(extractor) for extractor in extractors]
    for request in requests:
        request.check_options()
    loaded = [load_task(task) for task in tasks]
    outcomes: list[Result | Failure] = []
    for task in loaded:
        beside = [name for name in task.references if name not in extractors] if references else []
        for request in [*requests, *map(extractor_request, beside)]:
            if report is not None:
                report(f"{request} on {task.name}")
            outcomes.append(_run_or_record(request, task, options))
    return outcomes


def _run_or_record(request: ExtractorRequest, task: Task, options: RunOptions) -> Result | Failure:
    command = _command(request, task, options)
    path = files.failure_path(files.slug(task.name), request.spec_string.name, command, options.results)
    try:
        result = _Pair(request, task, options).result()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin's bug is that pair's failure and stops no other
        failure = Failure(
            extractor=str(request),
            task=task.name,
            error=_told(error),
            error_type=type(error).__name__,
            exit_code=error.exit_code if isinstance(error, UserError) else 1,
            provenance=provenance(command, options.seed),
        )
        try:
            files.save_failure(failure, path)
        except OSError as unwritable:
            failure = failure.model_copy(update={"error": f"{failure.error}; nor can this be noted: {unwritable}"})
        return failure
    path.unlink(missing_ok=True)
    return result


class _Pair:
    """One extractor on one task, on its way to a result."""

    def __init__(self, request: ExtractorRequest, task: Task, options: RunOptions) -> None:
        self.request, self.task, self.options = request, task, options
        self.phases: dict[str, float] = {}
        with self._phase("describe"):
            self.extractor: Extractor = request.build()
            self.spec: ExtractorSpec = self.extractor.spec()
            self.levels = select_levels(self.spec, request.level)
            _check_abilities(self.extractor, self.spec, task)
            self.align = alignment(_align_name(options.align, task, self.spec))
            self.roles = {name: _limited(role, options.limit) for name, role in task.datasets().items()}
            self.overlap = check_overlap(self.spec, [role.dataset for role in self.roles.values()], task.protocol())
            self.contents = {name: content_digest(role.dataset) for name, role in self.roles.items()}

    def result(self) -> Result:
        """Read the finished result back, or make it."""
        path = files.result_path(files.slug(self.task.name), self.spec.name, self.digest, self.options.results)
        finished = None if self.options.overwrite else files.finished(path)
        if finished is not None and finished.digest == self.digest:
            return finished
        with self._phase("extract"):
            stored, encoded = self._features()
        with self._phase("evaluate"):
            records = self.task.evaluate(self._inputs(stored), self._rng())
        with self._phase("score"):
            scores = self.task.score(records)
            replicates = statistics.replicates(self.task, records, seed=self.options.seed)
        metrics = statistics.with_intervals(scores, replicates, self.task.units(records).kind)
        return files.save(self._describe(metrics, records, stored, encoded), records, path)

    @cached_property
    def digest(self) -> str:
        """Identity of what is computed from what; names the result file."""
        return digest_json(
            {
                "extractor": str(self.request.spec_string),
                "version": self.spec.version,
                "weights": self.spec.weights_digest,
                "backend": self.spec.backend,
                "preprocessing": self._preprocessing(),
                "decode": DECODE_VERSION,
                "similarity": self.spec.similarity,
                "mean": self._mean_digests(),
                "training": self._training_digest(),
                "levels": list(self.levels),
                "policy": self.request.policy,
                "task": [self.task.name, self.task.version, self.task.protocol()],
                "align": self._align_parts(),
                "data": {name: [self.contents[name], role.annotations_digest] for name, role in self.roles.items()},
                "dtype": self.options.dtype,
                "limit": self.options.limit,
                "seed": self.options.seed,
            }
        )

    def _features(self) -> tuple[dict[str, dict[str, StoredFeatures]], int]:
        """Features by role and view, and how many images had to be encoded for them."""
        store = self.options.store or default_store()
        stored: dict[str, dict[str, StoredFeatures]] = {}
        encoded = 0
        for name, role in self.roles.items():
            for view in role.views:
                features = store.open(self._key(name, view), role.dataset.ids)
                if not all(map(features.is_ready, self.levels)):
                    encoded += self._extract(role.dataset, features)
                stored.setdefault(name, {})[view] = features
        return stored, encoded

    def _extract(self, dataset: Dataset, features: StoredFeatures) -> int:
        if isinstance(self.extractor, Precomputed) and features.key.view == "plain":
            store_precomputed(self.extractor, self.spec, dataset, features, self.levels)
            return 0
        if not isinstance(self.extractor, Encoder):
            raise UsageError(f"extractor {self.spec.name!r} encodes no images; it has no {features.key.view} features")
        return extract_features(
            self.extractor, self.spec, dataset, features, self.levels, self.align.name, self.options.extraction
        )

    def _key(self, role: str, view: str) -> FeatureKey:
        dataset = self.roles[role].dataset
        return FeatureKey(
            extractor=self.spec.name,
            extractor_version=self.spec.version,
            options=str(self.request.spec_string),
            weights_digest=self.spec.weights_digest,
            preprocessing=self._preprocessing(),
            align=self._align_parts(),
            view=view,
            backend=self.spec.backend,
            dtype=self.options.dtype,
            dataset=dataset.card().name,
            dataset_digest=self.contents[role],
            decode_version=DECODE_VERSION,
        )

    def _preprocessing(self) -> dict[str, Any]:
        """What happens to an image apart from its alignment, which the user may choose."""
        described = asdict(self.spec.preprocessing)
        parts = {name: described[name] for name in ("size", "resize", "normalise", "grey")}
        resize = RESIZES.get(self.spec.preprocessing.resize)
        return parts if resize is None else {**parts, "resize_version": resize.version}

    def _mean_digests(self) -> dict[str, str] | None:
        """The means that centre the chosen levels: another mean, another number."""
        mean = self.spec.mean
        return None if mean is None else {level: digest_array(np.asarray(mean[level])) for level in self.levels}

    def _training_digest(self) -> str:
        """Another training record is another statement about the same numbers."""
        record = asdict(self.spec.training)
        listed = record.pop("image_digests")
        return digest_json({**record, "images": None if listed is None else sorted(listed)})

    def _align_parts(self) -> dict[str, Any]:
        return {"name": self.align.name, "version": self.align.version, "weights_digest": self.align.weights_digest}

    def _inputs(self, stored: Mapping[str, Mapping[str, StoredFeatures]]) -> TaskInputs:
        features = {
            role: {
                view: {level: np.asarray(kept.read(level), dtype=np.float32) for level in self.levels}
                for view, kept in views.items()
            }
            for role, views in stored.items()
        }
        datasets = {name: role.dataset for name, role in self.roles.items()}
        return TaskInputs(self.spec, self.levels, self.request.policy, features, datasets, self.extractor)

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.options.seed).spawn(1)[0])

    def _describe(
        self, metrics: list[MetricValue], records: pd.DataFrame, stored: result_parts.Stored, encoded: int
    ) -> Result:
        return Result(
            digest=self.digest,
            status="complete" if self.options.limit is None else "partial",
            extractor=result_parts.extractor_record(self.request, self.spec, self.levels),
            task=TaskRecord(
                name=self.task.name,
                version=self.task.version,
                main_metric=self.task.main_metric,
                references=list(self.task.references),
                untrained=self.task.untrained,
                protocol=self.task.protocol(),
            ),
            align=self._align_parts(),
            datasets={
                name: DatasetRecord(
                    name=role.dataset.card().name,
                    images=len(role.dataset),
                    content_digest=self.contents[name],
                    annotations_digest=role.annotations_digest,
                    recipe_digest=role.dataset.recipe_digest,
                    feature_key=stored[name]["plain"].key.digest,
                )
                for name, role in self.roles.items()
            },
            domain=self.spec.training.domain,
            overlap=self.overlap,
            metrics=metrics,
            counts=result_parts.counts(self.roles, stored, self.levels[0], len(records), self.task.units(records)),
            warnings=result_parts.warnings(stored, self.levels) + _notes(self.task, records),
            dtype=self.options.dtype,
            limit=self.options.limit,
            timing=result_parts.timing(self.phases, stored, self.levels[0], cached=encoded == 0),
            provenance=provenance(_command(self.request, self.task, self.options), self.options.seed),
        )

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.perf_counter() - began


def _check_abilities(extractor: Extractor, spec: ExtractorSpec, task: Task) -> None:
    """Features that are already in the store need no Encoder; every other ability must be there."""
    lacking = [
        ability.__name__ for ability in task.requires if ability is not Encoder and not isinstance(extractor, ability)
    ]
    if lacking:
        raise UsageError(f"task {task.name!r} needs the ability {', '.join(lacking)}, which {spec.name!r} has not")
    if not spec.levels:
        raise FeatureError(f"extractor {spec.name!r} declares no levels")


def _align_name(wanted: str | None, task: Task, spec: ExtractorSpec) -> str:
    """What the user chose, else what the extractor declares; a task may need all pictures in one frame."""
    fixed: str | None = task.protocol().get("align")
    if fixed is not None and wanted not in {None, fixed}:
        raise UsageError(
            f"task {task.name!r} aligns its pictures by {fixed!r}; with --align {wanted} they would be others",
            fix="leave --align out; the task may have an option align",
        )
    return fixed or wanted or spec.preprocessing.align


def _notes(task: Task, records: pd.DataFrame) -> list[str]:
    return list(task.notes(records)) if isinstance(task, Noting) else []


def _limited(role: Role, limit: int | None) -> Role:
    if limit is None:
        return role
    return replace(role, dataset=first_rows(role.dataset, limit))


def _command(request: ExtractorRequest, task: Task, options: RunOptions) -> str:
    """The command line that makes the same result; a call with `...` in it where an object was handed over."""
    if request.given is not None:
        changes = {"align": None, "limit": None, "seed": 0, "dtype": "float32"}
        chosen = [f", {name}={getattr(options, name)!r}" for name in changes if getattr(options, name) != changes[name]]
        return f"ghbench.run({type(request.given).__name__}(...) as {request}, {task.name!r}{''.join(chosen)})"
    parts = ["ghbench run", f"--extractor {shlex.quote(str(request))}", f"--task {shlex.quote(task.name)}"]
    parts += [f"--align {options.align}"] if options.align else []
    parts += [f"--limit {options.limit}"] if options.limit else []
    parts += [f"--seed {options.seed}"] if options.seed else []
    parts += [f"--dtype {options.dtype}"] if options.dtype != "float32" else []
    return " ".join(parts)


def _told(error: BaseException) -> str:
    """The sentence for the user; of a bug what a plugin's author needs: the error and the line that raised it."""
    known = disk_error(error) if isinstance(error, OSError) else error
    if isinstance(known, UserError):
        return str(known)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} (a bug, at {last.filename}, line {last.lineno}, in {last.name})"
