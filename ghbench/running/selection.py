"""What a user asks for: an extractor with its levels and policy, as a spec string or as an object."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ghbench import registry
from ghbench.errors import MissingError, PluginError, UsageError
from ghbench.extractor import Extractor
from ghbench.running.own_module import is_module, wrap
from ghbench.spec_string import SpecString, parse
from ghbench.task import POLICIES, Policy, Task

_OURS = ("level", "policy")


@dataclass(frozen=True)
class ExtractorRequest:
    """An extractor, the levels wanted of it, and how they are combined.

    Args:
        spec_string: Spec string of the extractor alone.
        level: What stood after `level=`, None for its default levels.
        policy: How several levels become one answer.
        given: The extractor itself, where the user handed over an object.
    """

    spec_string: SpecString
    level: str | None = None
    policy: Policy = "concat"
    given: Extractor | None = None

    def __str__(self) -> str:
        extra = {"level": self.level} if self.level else {}
        if self.policy != "concat":
            extra["policy"] = self.policy
        whole = SpecString(
            self.spec_string.name,
            self.spec_string.package,
            self.spec_string.attribute,
            {**self.spec_string.options, **extra},
        )
        return str(whole)

    def build(self) -> Extractor:
        """Make the extractor; its networks are loaded when they are first used."""
        return self.given if self.given is not None else load_extractor(self.spec_string)

    def check_options(self) -> None:
        """Find wrong options before anything runs; what cannot even be imported fails later, when its turn comes.

        Raises:
            UsageError: The extractor has no such option, needs another one, or the value does not fit.
        """
        if self.given is not None or self.spec_string.attribute is not None:
            return
        try:
            target = registry.find("extractor", self.spec_string).load()
        except (PluginError, MissingError):
            return
        registry.validate_options(target, self.spec_string)

    def package(self) -> str:
        """Distribution that it comes from, empty for objects and unregistered modules."""
        if self.given is not None or self.spec_string.attribute is not None:
            return ""
        return registry.find("extractor", self.spec_string).package


def extractor_request(extractor: object) -> ExtractorRequest:
    """Understand what a user names as an extractor.

    Args:
        extractor: A spec string, an `nn.Module`, or any object with `spec()` and an ability.

    Raises:
        UsageError: The spec string is wrong, or names an unknown extractor, option or policy.
        PluginError: The object is no extractor.
    """
    if not isinstance(extractor, str):
        given = _as_extractor(extractor, type(extractor).__name__)
        return ExtractorRequest(SpecString(given.spec().name), given=given)
    spec = parse(extractor)
    policy = spec.options.get("policy", "concat")
    if policy not in POLICIES:
        raise UsageError(f"no policy is called {policy!r}; expected one of {', '.join(POLICIES)}")
    plain = spec.without(*_OURS)
    if plain.attribute is None:
        plain = replace(plain, package=registry.needed_package("extractor", plain))
    return ExtractorRequest(plain, spec.options.get("level"), policy)


def load_extractor(spec: SpecString | str) -> Extractor:
    """Build an extractor from its spec string; an `nn.Module` becomes one by `ghbench.wrap`.

    Raises:
        UsageError: Unknown name or option.
        PluginError: It is no extractor, or failed to start.
        MissingError: Something it needs is not on this machine.
    """
    spec = parse(spec) if isinstance(spec, str) else spec
    return _as_extractor(registry.build("extractor", spec), str(spec))


def load_task(task: str | Task) -> Task:
    """Build a task from its spec string; a task object is returned as it is.

    Raises:
        UsageError: Unknown name or option.
        PluginError: It is no task, or failed to start.
    """
    built = registry.build("task", task) if isinstance(task, str) else task
    if not isinstance(built, Task):
        raise PluginError(f"{task!r} is no task: it lacks {', '.join(_lacking(built, Task))}")
    return built


def _as_extractor(value: object, name: str) -> Extractor:
    if isinstance(value, Extractor):
        return value
    if is_module(value):
        return wrap(value)
    raise PluginError(f"{name} is no extractor: it has no spec(), and is no torch.nn.Module")


def _lacking(value: Any, protocol: type) -> list[str]:
    wanted = [*protocol.__annotations__, *(name for name in vars(protocol) if not name.startswith("_"))]
    return [name for name in wanted if not hasattr(value, name)]
