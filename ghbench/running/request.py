"""What a user asks for: a subject with its levels and policy, as a spec string or as an object; and tasks by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ghbench import registry
from ghbench.errors import MissingError, PluginError, UsageError
from ghbench.extractor import Subject
from ghbench.running.own_module import is_module, wrap
from ghbench.spec_string import SpecString, parse
from ghbench.task import POLICIES, Policy, Task, WithConstants

_OURS = ("level", "policy")


@dataclass(frozen=True)
class SubjectRequest:
    """A subject, the levels wanted of it, and how they are combined.

    Args:
        spec_string: Spec string of the subject alone.
        level: What stood after `level=`, None for its default levels.
        policy: How several levels become one answer.
        given: The subject itself, where the user handed over an object or a task brings it.
        constant: Whether it is one of the task's own reference rows.
    """

    spec_string: SpecString
    level: str | None = None
    policy: Policy = "concat"
    given: Subject | None = None
    constant: bool = False

    def __str__(self) -> str:
        extra = {"level": self.level} if self.level else {}
        if self.policy != "concat":
            extra["policy"] = self.policy
        return str(replace(self.spec_string, options={**self.spec_string.options, **extra}))

    def build(self) -> Subject:
        """Make the subject; its networks are loaded when they are first used."""
        if self.given is not None:
            return self.given
        return load_extractor(registry.ours_first("extractor", self.spec_string))

    def check_options(self) -> None:
        """Find wrong options before anything runs; what cannot even be imported fails later, when its turn comes.

        Raises:
            UsageError: The subject has no such option, needs another one, or the value does not fit.
        """
        if self.given is not None or self.spec_string.attribute is not None:
            return
        try:
            target = registry.find("extractor", registry.ours_first("extractor", self.spec_string)).load()
        except (PluginError, MissingError):
            return
        registry.validate_options(target, self.spec_string)

    def package(self) -> str:
        """Distribution that it comes from, empty for objects and unregistered modules."""
        if self.given is not None or self.spec_string.attribute is not None:
            return ""
        return registry.find("extractor", registry.ours_first("extractor", self.spec_string)).package


def subject_request(subject: object, task: Task | None = None, *, reference: bool = False) -> SubjectRequest:
    """Understand what a user names as a subject.

    Args:
        subject: A spec string, an `nn.Module`, or any object with `spec()` and an ability.
        task: The task that it is for; its constants can be named too.
        reference: It is the name of one of the task's reference rows, which no other package can take over.

    Raises:
        UsageError: The spec string is wrong, or names an unknown subject, option or policy.
        PluginError: The object has no spec.
    """
    if not isinstance(subject, str):
        given = _as_subject(subject, type(subject).__name__)
        return SubjectRequest(SpecString(given.spec().name), given=given)
    constant = _constant(task, subject)
    if constant is not None:
        return SubjectRequest(SpecString(subject), given=constant, constant=True)
    spec = parse(subject)
    policy = spec.options.get("policy", "concat")
    if policy not in POLICIES:
        raise UsageError(f"there is no policy {policy!r}; choose one of {', '.join(POLICIES)}")
    plain = spec.without(*_OURS)
    plain = registry.ours_first("extractor", plain) if reference else plain
    if plain.attribute is None:
        plain = replace(plain, package=registry.needed_package("extractor", plain))
    return SubjectRequest(plain, spec.options.get("level"), policy)


def load_extractor(spec: SpecString | str) -> Subject:
    """Build a subject from its spec string; an `nn.Module` becomes one by `ghbench.wrap`.

    Raises:
        UsageError: Unknown name or option.
        PluginError: It has no spec, or failed to start.
        MissingError: Something it needs is not on this machine.
    """
    spec = parse(spec) if isinstance(spec, str) else spec
    return _as_subject(registry.build("extractor", spec), str(spec))


def load_task(task: str | Task) -> Task:
    """Build a task from its spec string; a task object is returned as it is.

    Raises:
        UsageError: Unknown name or option.
        PluginError: It is not a task, or failed to start.
    """
    built = registry.build("task", task) if isinstance(task, str) else task
    if not isinstance(built, Task):
        raise PluginError(f"{task!r} is not a task: it lacks {', '.join(_missing_members(built, Task))}")
    return built


def _constant(task: object, name: str) -> Subject | None:
    return task.constant(name) if isinstance(task, WithConstants) else None


def _as_subject(value: object, name: str) -> Subject:
    if isinstance(value, Subject):
        return value
    if is_module(value):
        return wrap(value)
    raise PluginError(f"{name} is neither a torch.nn.Module nor an object with spec()")


def _missing_members(value: Any, protocol: type) -> list[str]:
    wanted = [*protocol.__annotations__, *(name for name in vars(protocol) if not name.startswith("_"))]
    return [name for name in wanted if not hasattr(value, name)]
