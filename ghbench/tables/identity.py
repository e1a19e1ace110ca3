"""Is a result of what it says? Its subject, as the file describes it, against the plugin that is installed."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from ghbench import registry
from ghbench.errors import MissingError, UsageError, UserError
from ghbench.extractor import ExtractorSpec, Subject, SubjectSpec
from ghbench.results.schema import Result
from ghbench.running.comparison import comparison, taught
from ghbench.running.features import identity_of_subject
from ghbench.running.keys import feature_key
from ghbench.running.overlap import UNCHECKED
from ghbench.running.pair import Pair
from ghbench.running.record import dataset_record, feature_record, navigator_record, training_record
from ghbench.running.request import SubjectRequest, subject_request
from ghbench.spec_string import SpecString, parse_recorded
from ghbench.tables.collect import name_of
from ghbench.tables.reproduce import options_of
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


def identity_of(result: Result, task: Task, *, images: bool = False, listed: bool = False) -> Identity:
    """Compare what a result says of its subject with what the installed plugin of that name says; without a network.

    Only our own plugins and the task's constants are asked: no other package's code runs because a file names it.

    Args:
        result: As read from its file.
        task: The task that the user named.
        images: Whether to ask this machine's images too; a task's constants are made of them, and compared only then.
        listed: Whether it is published: then a name of ours means what is installed, in its version, and one that
            cannot be built is a difference; only weights that are not on this machine leave it unchecked.
    """
    if result.subject.constant and not images:
        return Identity(unchecked="the task's own row, which is made of its images")
    try:
        request = _request(result)
        subject = _installed_subject(result, task, request)
        if subject is None:
            ours = {plugin.name for plugin in registry.plugins("extractor") if plugin.package == registry.OURS}
            taken = listed and parse_recorded(name_of(result)).name in ours
            return _either("not a registered plugin of ghbench's own", wrong=taken)
        spec, title = _compared(result, request, subject.spec())
    except MissingError as error:
        return Identity(unchecked=in_a_line(error))
    except Exception as error:  # noqa: BLE001 - options that stand in a file met a plugin's code
        return _either(in_a_line(error), wrong=listed and result.subject.package == registry.OURS and _is_plain(result))
    if spec.version != result.subject.version and spec.name == result.subject.name:
        return _either(f"made with version {result.subject.version}, installed is {spec.version}", wrong=listed)
    lines, unchecked = _differences(result, spec, request.policy, title), None
    lines += _key_differences(result, request, spec)
    if images:
        try:
            lines += _image_differences(result, task)
        except UserError as error:
            unchecked = in_a_line(error)
    return Identity(tuple(lines), unchecked)


def _is_plain(result: Result) -> bool:
    """Whether the subject's name may be built from a file: those that hold the names of other plugins are not."""
    try:
        parse_recorded(name_of(result))
    except UserError:
        return False
    return True


def _either(what: str, *, wrong: bool) -> Identity:
    return Identity((what,)) if wrong else Identity(unchecked=what)


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


def _differences(result: Result, spec: SubjectSpec, policy: str, title: str) -> list[str]:
    recorded = result.subject
    pairs: list[tuple[str, object, object]] = [
        ("name", recorded.name, spec.name),
        ("weights digest", recorded.weights_digest, spec.weights_digest),
        ("training record", recorded.training, training_record(spec)),
        ("licence", recorded.licence, spec.licence),
    ]
    kept = result.features
    if recorded.parameters is not None and isinstance(spec, ExtractorSpec):
        pairs.append(("parameters", recorded.parameters, spec.parameters))
    if kept is not None and isinstance(spec, ExtractorSpec):
        known = {level.name for level in spec.levels}
        levels = [level for level in kept.levels if level in known]
        now = feature_record(spec, levels, policy, kept.align, kept.dtype, title)
        pairs.append(("features", kept, now))
    pairs.append(("navigator", result.navigator, navigator_record(spec)))
    return [f"{what}: {short(then)} in the file, {short(now)} by the plugin" for what, then, now in pairs
            if plain(then) != plain(now)]  # fmt: skip


def _key_differences(result: Result, request: SubjectRequest, spec: SubjectSpec) -> list[str]:
    """Roles whose feature key does not follow from what the file says of images and features."""
    kept, lines = result.features, []
    if kept is None or not isinstance(spec, ExtractorSpec):
        return []
    built_from = identity_of_subject(request)
    for role, data in result.datasets.items():
        key = feature_key(spec, built_from, data.name, data.content_digest, kept.align, dtype=kept.dtype)
        if data.feature_key is not None and data.feature_key != key.digest:
            lines.append(f"role {role}, feature_key: {data.feature_key} in the file, {key.digest} by what it says")
    return lines


def _image_differences(result: Result, task: Task) -> list[str]:
    """Images, overlap and digest, as a run of the same pair on this machine would write them.

    Raises:
        UserError: The images are not on this machine, or the pair cannot be run.
    """
    pair = Pair(subject_request(name_of(result), task), task, options_of(result, task), "verify")
    lines = []
    for role in dict.fromkeys([*result.datasets, *pair.roles]):
        recorded, data = result.datasets.get(role), pair.roles.get(role)
        now = None if data is None else dataset_record(data, {}, None)
        for part in ("images", "content_digest", "annotations_digest", "split", "judged"):
            then, here = (None if one is None else getattr(one, part) for one in (recorded, now))
            if then != here:
                lines.append(f"role {role}, {part}: {short(then)} in the file, {short(here)} on this machine")
    if _kind_of_overlap(pair.overlap) != _kind_of_overlap(result.overlap):
        lines.append(f"overlap: {short(result.overlap)} in the file, {short(pair.overlap)} now")
    if pair.digest != result.digest:
        lines.append(f"digest: {result.digest} in the file, {pair.digest} by what it says")
    return lines


def _kind_of_overlap(sentence: str) -> str:
    """`none`, unchecked or found: the words may change from version to version."""
    return next((kind for kind in ("none", UNCHECKED) if sentence.startswith(kind)), "found")


def in_a_line(error: Exception) -> str:
    """What an error says, in one line."""
    return error.message.partition("\n")[0] if isinstance(error, UserError) else f"{type(error).__name__}: {error}"


def plain(value: object) -> object:
    """As JSON has it: lists for tuples."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump(mode="json"))
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def short(value: object) -> str:
    """A value in at most 80 letters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
