"""What a user asks for: a subject with its levels and policy, as a spec string or as an object; and tasks by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, get_args

from ghbench import registry
from ghbench.errors import MissingError, PluginError, UsageError
from ghbench.extractor import Subject
from ghbench.metrics.learned_metric import Kind
from ghbench.plugin_options import option_names, validate_options
from ghbench.randomness import preserved_randomness
from ghbench.running.initial_weights import random_weights
from ghbench.running.own_module import is_module, wrap
from ghbench.spec_string import SpecString, parse
from ghbench.task import POLICIES, Policy, Task
from ghbench.task_abilities import WithConstants

_OURS = ("level", "policy")
RAW = "raw"
SIMILARITIES = (RAW, *get_args(Kind))
"""Values of `similarity` that are ours; an extractor may have an option of that name, with other values."""
_WRAPPED = ("layers", "pool", "size")
"""Options of a `torch.nn.Module` that `wrap` takes, unless its constructor has one of that name."""


@dataclass(frozen=True)
class SubjectRequest:
    """A subject, the levels wanted of it, and how they are combined.

    Args:
        spec_string: Spec string of the subject alone.
        level: What stood after `level=`, None for its default levels.
        policy: How several levels become one answer.
        given: The subject itself, where the user handed over an object or a task brings it.
        constant: Whether it is one of the task's own reference rows.
        similarity: Metric in which features are compared, see `ghbench.running.comparison`; None for the extractor's.
        similarity_generator: Generator whose pictures teach it; None for faces, or what taught the extractor's own.
    """

    spec_string: SpecString
    level: str | None = None
    policy: Policy = "concat"
    given: Subject | None = None
    constant: bool = False
    similarity: str | None = None
    similarity_generator: str | None = None

    def __str__(self) -> str:
        named = {
            "level": self.level, "similarity": self.similarity, "similarity.generator": self.similarity_generator
        }  # fmt: skip
        extra = {name: value for name, value in named.items() if value}
        if self.policy != "concat":
            extra["policy"] = self.policy
        return str(replace(self.spec_string, options={**self.spec_string.options, **extra}))

    def build(self, seed: int = 0) -> Subject:
        """Make the subject, with `seed` for whatever its constructor draws; networks may be loaded when first used."""
        if self.given is not None:
            return self.given
        return load_extractor(registry.ours_first("extractor", self.spec_string), seed)

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
        validate_options(target, self.spec_string)

    def package(self) -> str:
        """Distribution that it comes from, empty for objects and unregistered modules."""
        if self.given is not None or self.spec_string.attribute is not None:
            return ""
        return registry.find("extractor", registry.ours_first("extractor", self.spec_string)).package


def subject_request(subject: object, task: Task | None = None, *, reference: bool = False) -> SubjectRequest:
    """Understand what a user names as a subject.

    Args:
        subject: A spec string, an `nn.Module`, any object with `spec()` and an ability, or what is understood already.
        task: The task that it is for; its constants can be named too.
        reference: It is the name of one of the task's reference rows, which no other package can take over.

    Raises:
        UsageError: The spec string is wrong, or names an unknown subject, option or policy.
        PluginError: The object has no spec.
    """
    if isinstance(subject, SubjectRequest):
        return subject
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
    similarity = generator = None
    if _similarity_is_ours(plain):
        similarity, generator = plain.options.get("similarity"), plain.options.get("similarity.generator")
        plain = plain.without("similarity", "similarity.generator")
        if generator is not None and similarity in {None, RAW}:
            raise UsageError("similarity.generator teaches a metric; name one", fix="similarity=within or whitened")
    plain = registry.ours_first("extractor", plain) if reference else plain
    if plain.attribute is None:
        plain = replace(plain, package=registry.needed_package("extractor", plain))
    return SubjectRequest(
        plain, spec.options.get("level"), policy, similarity=similarity, similarity_generator=generator
    )  # fmt: skip


def _similarity_is_ours(spec: SpecString) -> bool:
    """Whether `similarity` chooses a metric, and is no option of the extractor's own.

    Raises:
        UsageError: It is neither.
    """
    value = spec.options.get("similarity")
    if value is None or value in SIMILARITIES:
        return True
    target = registry.load_attribute(spec) if spec.attribute else registry.find("extractor", spec).load()
    if "similarity" in option_names(target):
        return False
    raise UsageError(f"there is no similarity {value!r}; expected one of {', '.join(SIMILARITIES)}")


def without_similarity(request: SubjectRequest) -> SubjectRequest:
    """The request, where no features are compared in a metric.

    Raises:
        UsageError: It names one.
    """
    if request.similarity is not None:
        raise UsageError(f"similarity={request.similarity} means nothing here: features are taken as they are")
    return request


def chosen_levels(request: SubjectRequest, level: str | None, policy: Policy | None) -> SubjectRequest:
    """The same subject with other levels or another policy; None leaves what it has.

    Raises:
        UsageError: There is no such policy.
    """
    if policy is not None and policy not in POLICIES:
        raise UsageError(f"there is no policy {policy!r}; choose one of {', '.join(POLICIES)}")
    return replace(request, level=level or request.level, policy=policy or request.policy)


def load_extractor(spec: SpecString | str, seed: int = 0) -> Subject:
    """Build a subject from its spec string; an `nn.Module` becomes one by `ghbench.wrap`.

    Args:
        spec: Spec string; of a module it may also name `layers=layer1+layer4`, `pool=cls` and `size=224`.
        seed: From which weights are drawn that the constructor neither loads nor seeds itself.

    Raises:
        UsageError: Unknown name or option.
        PluginError: It has no spec, or failed to start.
        MissingError: Something it needs is not on this machine.
    """
    spec = parse(spec) if isinstance(spec, str) else spec
    if spec.attribute is None:
        with preserved_randomness(seed):
            return _as_subject(registry.factory("extractor", spec)(), str(spec))
    import torch  # before the user's file does, so that its generator is seeded

    with preserved_randomness(seed):
        target = registry.load_attribute(spec)
        theirs = option_names(target)
        ours = {name: value for name, value in spec.options.items() if name in _WRAPPED and name not in theirs}
        make = registry.factory("extractor", spec.without(*ours), target)
        before = torch.get_rng_state()
        value = make()
        drawn = not torch.equal(before, torch.get_rng_state())
    if not is_module(value):
        if ours:
            raise UsageError(
                f"{', '.join(ours)} of {str(spec)!r} choose outputs of a torch.nn.Module; "
                f"{spec.attribute} gives a {type(value).__name__}"
            )
        return _as_subject(value, str(spec))
    wrapped = wrap(value, levels=ours.get("layers"), pool=ours.get("pool"), size=_size(ours.get("size", "224")))  # type: ignore[arg-type]
    if drawn:
        wrapped.drawn_weights, wrapped.drawn_whole = _drawn_weights(value, make, seed + 1)
    return wrapped


def _drawn_weights(module: Any, make: Callable[[], Any], seed: int) -> tuple[tuple[str, ...], bool]:
    """Weights that another seed changes, and whether these are all: such a network was never trained."""
    try:
        with preserved_randomness(seed):
            names, everything = random_weights(module, make())
    except Exception:  # noqa: BLE001 - the network is there; only a remark about it is lost
        return (), False
    return tuple(sorted(names)), everything


def _size(text: str) -> int:
    if not text.isdecimal() or len(text) > 5:
        raise UsageError(f"size={text}; expected the side of the input in pixels, for instance size=224")
    return int(text)


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
    if isinstance(value, type):
        raise UsageError(f"{value.__name__} is a class; expected an instance", fix=f"write {value.__name__}(...)")
    if isinstance(value, Subject):
        return value
    if is_module(value):
        return wrap(value)
    raise PluginError(
        f"{name} is neither a torch.nn.Module nor an object with spec(), but a {type(value).__name__}",
        fix="name a class of a module or an extractor, or a function that returns one",
    )


def _missing_members(value: Any, protocol: type) -> list[str]:
    wanted = [*protocol.__annotations__, *(name for name in vars(protocol) if not name.startswith("_"))]
    return [name for name in wanted if not hasattr(value, name)]
