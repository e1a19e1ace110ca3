"""What a row is called: distinct, short where space is, and found again by whatever a table printed."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from ghbench.errors import MissingError, UsageError, UserError
from ghbench.registry import without_defaults
from ghbench.results.schema import Result
from ghbench.running.request import subject_request
from ghbench.spec_string import SpecString, parse
from ghbench.tables.collect import Entry, align, name_of, usual_align
from ghbench.task import Task

_AFTER_SPEC = re.compile(r"(?= @ | --[a-z]+ | #[0-9a-z]{8}$)")
_MARKS = re.compile(r"( \(published\))?( \(\d+\))?$")
_CUT = "…"


@dataclass(frozen=True, slots=True)
class Named:
    """A row before it is ranked: a result, the level that it is about (None: all), and its name without a digest."""

    entry: Entry
    level: str | None
    name: str


def system_name(result: Result, level: str | None) -> str:
    """Spec string or label of a row, and whatever is unusual about its run."""
    name = result.label or name_of(result)
    if level is not None:
        name = f"{result.label or without_levels(name)} @ {level}"
    dtype = result.features.dtype if result.features else "float32"
    options = {"align": align(result), "seed": result.provenance.seed, "dtype": dtype}
    usual = {"align": usual_align(result), "seed": 0, "dtype": "float32"}
    return " ".join([name, *(f"--{key} {value}" for key, value in options.items() if value != usual[key])])


def without_levels(spec_string: str) -> str:
    """A spec string less its choice of levels and policy."""
    try:
        return str(parse(spec_string).without("level", "policy"))
    except UsageError:  # the name of an object need not follow the grammar
        return spec_string


def usual_name(spec_string: str) -> str:
    """A row's name less its choice of levels and policy, and less options that say what is usual anyway."""
    spec, *run = _AFTER_SPEC.split(spec_string, maxsplit=1)
    return "".join([without_defaults("extractor", without_levels(spec)), *run])


def distinct_names(names: Sequence[str], digests: Sequence[str]) -> list[str]:
    """Results that differ in what a name does not say, for instance in weights, get their digest into it."""
    often = Counter(names)
    pairs = zip(names, digests, strict=True)
    return [name if often[name] == 1 else f"{name} #{digest[:8]}" for name, digest in pairs]


def short_names(names: Sequence[str], width: int) -> list[str]:
    """Names of at most `width` letters where that can be: folders and common options go first, then letters inside.

    Args:
        names: All names of a table; what they share distinguishes none.
        width: Letters that there is room for.

    Returns:
        Distinct names for distinct names, in their order.
    """
    shared = _shared_options(names)
    short = [name if len(name) <= width else _briefly(name, shared) for name in names]
    for share in (0.5, 0.35, 0.2):
        cut = [_cut(name, width, share) for name in short]
        if len(set(cut)) == len(set(names)):
            return cut
    return short if len(set(short)) == len(set(names)) else list(names)


def find_system(
    entries: Sequence[Entry], text: str, task: Task, with_align: str | None = None
) -> tuple[Entry, str | None]:
    """The result, and the level of it, that the user means by a name that some table printed or a spec string.

    Args:
        entries: Results of the task.
        text: `pixels`, `ghbench/pixels`, `net:level=all @ r16`, `net --align tight`, `net #a1b2c3d4`,
            `net (published)`; what `short_names` made of one of them.
        task: The task, whose constants can be named too.
        with_align: Keep results of this alignment, under their names without it.

    Raises:
        UsageError: Several fit; the message lists them.
        MissingError: None fits.
    """
    marks = None if any(entry.result.label == text for entry in entries) else _MARKS.search(text)
    wanted = text[: marks.start()] if marks else text
    published = marks is not None and marks[1] is not None
    if with_align is not None:
        entries = [entry for entry in entries if align(entry.result) == with_align]
    systems = [named for entry in entries for named in systems_of(entry) if entry.published or not published]
    names = [named.name.replace(f" --align {with_align}", "") for named in systems]
    distinct = distinct_names(names, [named.entry.result.digest for named in systems])
    canonical = _canonical(wanted, task)
    tests: tuple[Callable[[int], bool], ...] = (
        lambda index: distinct[index] == wanted,
        lambda index: f"{names[index]} #{systems[index].entry.result.digest}".startswith(wanted) and " #" in wanted,
        lambda index: names[index] in {wanted, canonical},
        lambda index: name_of(systems[index].entry.result) in {wanted, canonical} and systems[index].level is None,
        lambda index: _abbreviates(wanted, names[index]),
        lambda index: systems[index].entry.result.subject.name == wanted,
    )
    for test in tests:
        found = [index for index in range(len(systems)) if test(index)]
        if len(found) == 1:
            return systems[found[0]].entry, systems[found[0]].level
        if found:
            listed = [distinct[index] + " (published)" * systems[index].entry.published for index in found]
            raise UsageError(f"{text!r} can mean {len(found)} rows: {', '.join(listed)}", fix=f"write {listed[0]!r}")
    option = f" --align {with_align}" if with_align else ""
    raise MissingError(
        f"there is no result of {canonical!r} on {task.name!r}",
        fix=f"ghbench run --extractor {shlex.quote(canonical)} --task {shlex.quote(task.name)}{option}",
    )


def systems_of(entry: Entry) -> list[Named]:
    """The rows that a result makes: one, or one a level."""
    result = entry.result
    each = result.features is not None and result.features.policy == "each"
    levels = dict.fromkeys(value.level for value in result.metrics)
    return [Named(entry, level, system_name(result, level)) for level in (levels if each else {None: None, **levels})]


def _canonical(text: str, task: Task) -> str:
    """As results name it, where it can be understood."""
    try:
        return str(subject_request(text, task)).removeprefix("ghbench/")
    except UserError:
        return text


def _abbreviates(text: str, name: str) -> bool:
    """Whether `short_names` could have made a text of a name."""
    if _CUT in text:
        head, _, tail = text.partition(_CUT)
        full = _briefly(name, {})
        return any(each.startswith(head) and each.endswith(tail) for each in (name, full))
    (asked, asked_rest), (spec, rest) = _parts(text), _parts(_briefly(name, {}))
    if asked is None or spec is None:
        return False
    same = (asked.name, asked.attribute, asked_rest) == (spec.name, spec.attribute, rest)
    return same and asked.options.items() <= spec.options.items()


def _parts(name: str) -> tuple[SpecString | None, str]:
    """The spec string that a name begins with, as it is written, and what follows it."""
    spec, *rest = _AFTER_SPEC.split(name, maxsplit=1)
    head, colon, tail = spec.partition(":")
    try:
        parsed = parse(f"x{colon}{tail}")
    except UsageError:
        return None, "".join(rest)
    return SpecString(head, None, parsed.attribute, parsed.options), "".join(rest)


def _shared_options(names: Sequence[str]) -> dict[str, set[tuple[str, str]]]:
    """By what a spec string is of: the options that all of several such names have."""
    by_head: dict[str, list[set[tuple[str, str]]]] = defaultdict(list)
    for name in set(names):
        spec, _ = _parts(name)
        if spec is not None:
            by_head[f"{spec.name}:{spec.attribute}"].append(set(spec.options.items()))
    return {head: set.intersection(*options) for head, options in by_head.items() if len(options) > 1}


def _briefly(name: str, shared: dict[str, set[tuple[str, str]]]) -> str:
    spec, rest = _parts(name)
    if spec is None:
        return name
    common = shared.get(f"{spec.name}:{spec.attribute}", set())
    options = {key: _last(value) for key, value in spec.options.items() if (key, value) not in common}
    return f"{SpecString(_last(spec.name), None, spec.attribute, options)}{rest}"


def _last(path: str) -> str:
    """The last part of a path; other texts as they are."""
    return PurePath(path).name or path if "/" in path or "\\" in path else path


def _cut(name: str, width: int, share: float) -> str:
    if len(name) <= width:
        return name
    head = max(1, round((width - 1) * share))
    return f"{name[:head]}{_CUT}{name[len(name) - max(1, width - 1 - head) :]}"
