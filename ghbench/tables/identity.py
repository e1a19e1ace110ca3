"""Is a result of what it says? Its subject, as the file describes it, against the plugin that is installed."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from ghbench import registry
from ghbench.errors import UsageError, UserError
from ghbench.extractor import ExtractorSpec, Subject, SubjectSpec
from ghbench.results.schema import Result
from ghbench.running.comparison import comparison, taught
from ghbench.running.overlap import UNCHECKED, check_overlap
from ghbench.running.record import feature_record, navigator_record, training_record
from ghbench.running.request import SubjectRequest, subject_request
from ghbench.spec_string import SpecString, parse_recorded
from ghbench.tables.collect import name_of
from ghbench.task import Task
from ghbench.task_abilities import WithConstants


@dataclass(frozen=True, slots=True)
class Identity:
    """What comparing a result with its installed plugin gave.

    Args:
        differences: One line each.
        unchecked: Why nothing could be compared; None where it was.
    """

    differences: tuple[str, ...] = ()
    unchecked: str | None = None


def seal_differences(result: Result) -> list[str]:
    """What is wrong with a result's seal; whoever can compute sha256 can also make one that fits."""
    if result.seal is None:
        return ["it has no seal: it was made by an older ghbench, or somebody removed it"]
    return [] if result.seal == result.content_seal() else ["it was changed after it was written"]


def identity_of(result: Result, task: Task) -> Identity:
    """Compare what a result says of its subject with what the installed plugin of that name says; without a network.

    Only our own plugins and the task's constants are asked: no other package's code runs because a file names it.

    Args:
        result: As read from its file.
        task: The task that the user named.
    """
    try:
        request = _request(result)
        subject = _installed_subject(result, task, request)
        if subject is None:
            return Identity(unchecked="not a registered plugin of ghbench's own")
        spec, title = _compared(result, request, subject.spec())
    except UserError as error:
        return Identity(unchecked=error.message.partition("\n")[0])
    except Exception as error:  # noqa: BLE001 - options that stand in a file met a plugin's code
        return Identity(unchecked=f"{type(error).__name__}: {error}")
    if spec.version != result.subject.version and spec.name == result.subject.name:
        return Identity(unchecked=f"made with version {result.subject.version}, installed is {spec.version}")
    return Identity(tuple(_differences(result, spec, task, title)))


def _request(result: Result) -> SubjectRequest:
    """What the file names, without what chooses among levels and metrics."""
    if result.subject.constant or result.subject.package != registry.OURS:
        return SubjectRequest(SpecString(result.subject.name))
    return subject_request(str(registry.ours_first("extractor", parse_recorded(name_of(result)))))


def _compared(result: Result, request: SubjectRequest, spec: SubjectSpec) -> tuple[SubjectSpec, str]:
    """The spec with what a learned metric adds to it, and how the metric is called."""
    kept = result.features
    if kept is None or not isinstance(spec, ExtractorSpec) or not (request.similarity or spec.metric):
        return spec, ""
    if kept.similarity in {"cosine", "l2"} and request.similarity is None:
        return spec, ""  # of a task that compares no features
    by = comparison(request, spec, tuple(kept.levels))
    return taught(spec, by), by.title


def _installed_subject(result: Result, task: Task, request: SubjectRequest) -> Subject | None:
    if result.subject.constant:
        found = task.constant(result.subject.spec_string) if isinstance(task, WithConstants) else None
        if found is None:
            raise UsageError(f"{task.name!r} has no constant {result.subject.spec_string!r}")
        return found
    if result.subject.package != registry.OURS:
        return None
    built: Subject = registry.build("extractor", request.spec_string)
    return built


def _differences(result: Result, spec: SubjectSpec, task: Task, title: str) -> list[str]:
    recorded = result.subject
    pairs: list[tuple[str, object, object]] = [
        ("name", recorded.name, spec.name),
        ("weights digest", recorded.weights_digest, spec.weights_digest),
        ("training record", recorded.training, training_record(spec)),
        ("licence", recorded.licence, spec.licence),
    ]
    kept = result.features
    if kept is not None and isinstance(spec, ExtractorSpec):
        known = {level.name for level in spec.levels}
        levels = [level for level in kept.levels if level in known]
        now = feature_record(spec, levels, kept.policy, kept.align, kept.dtype, title)
        pairs.append(("features", kept, now))
    pairs.append(("navigator", result.navigator, navigator_record(spec)))
    lines = [f"{what}: {_short(then)} in the file, {_short(now)} by the plugin" for what, then, now in pairs
             if _plain(then) != _plain(now)]  # fmt: skip
    return lines + _overlap_differences(result, spec, task)


def _overlap_differences(result: Result, spec: SubjectSpec, task: Task) -> list[str]:
    """The sentence about training and test, where the task's images are on this machine."""
    try:
        judged = [(role.dataset, role.split) for role in task.roles().values() if role.judged]
        now = check_overlap(spec, judged, task.protocol())
    except UserError:
        return []
    return (
        []
        if _kind_of_overlap(now) == _kind_of_overlap(result.overlap)
        else [f"overlap: {_short(result.overlap)} in the file, {_short(now)} now"]
    )


def _kind_of_overlap(sentence: str) -> str:
    """`none`, unchecked or found: the words may change from version to version."""
    return next((kind for kind in ("none", UNCHECKED) if sentence.startswith(kind)), "found")


def _plain(value: object) -> object:
    """As JSON has it: lists for tuples."""
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(mode="json"))
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
