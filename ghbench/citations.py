"""What to cite for a result, a task, an extractor, a dataset or a generator, as BibTeX.

`references.bib` beside this file holds the entries and the names of the plugins that rest on them. What it does not
know, another package's plugin for instance, is cited by the words of its own spec or card.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ghbench import registry
from ghbench.errors import UserError
from ghbench.extractor import NavigatorSpec, SubjectSpec
from ghbench.registry import Kind
from ghbench.results.schema import Result
from ghbench.spec_string import SpecString, parse
from ghbench.version import __version__

BIBLIOGRAPHY = Path(__file__).with_name("references.bib")
Name = tuple[Kind | Literal["similarity"], str]
"""What is used: its kind and its name."""
_ENTRY = re.compile(r"^@\w+\{([\w-]+),\n.*?^\}\n", re.MULTILINE | re.DOTALL)
_USES = re.compile(r"^  ghbench = \{(.*?)\},\n", re.MULTILINE)
_INSIDE: tuple[Kind, ...] = ("dataset", "generator", "extractor")
"""Kinds that an option may name."""
_SIZES = ("64", "128", "256")
"""A generator may have networks of their own for small images."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the bibliography.

    Args:
        key: Its key.
        bibtex: Its text.
        uses: `KIND/NAME` of what rests on it.
    """

    key: str
    bibtex: str
    uses: frozenset[str]


@cache
def bibliography() -> tuple[Entry, ...]:
    """All entries in the order of the file, the toolkit's own first."""
    text = BIBLIOGRAPHY.read_text(encoding="utf-8").replace("{VERSION}", f"{{{__version__}}}")
    return tuple(
        Entry(found[1], _USES.sub("", found[0]), frozenset((_USES.search(found[0]) or ["", ""])[1].split()))
        for found in _ENTRY.finditer(text)
    )


def entries(used: Mapping[Name, str]) -> list[Entry]:
    """What to cite: the toolkit, the entries for what was used, and what others say of themselves.

    Args:
        used: By name the words of its own spec or card, empty where there are none.
    """
    names = {f"{kind}/{name}": words for (kind, name), words in used.items()}
    toolkit, *others = bibliography()
    found = [Entry(entry.key, entry.bibtex, entry.uses & names.keys()) for entry in others if entry.uses & names.keys()]
    covered = {name for entry in others for name in entry.uses}
    own = [_own_words(name, words) for name, words in names.items() if words and name not in covered]
    return [toolkit, *found, *own]


def used_by_result(result: Result) -> dict[Name, str]:
    """What a result rests on: its subject and what taught it, its task, its images."""
    subject = {} if result.subject.constant else _named("extractor", parse(result.subject.spec_string))
    generator = _named("generator", parse(result.navigator.generator)) if result.navigator else {}
    training = result.subject.training
    taught = _taught(training.get("datasets", ()), training.get("networks", ()))
    used = subject | generator | _named("task", parse(result.task.name)) | taught
    for dataset in result.datasets.values():
        if ("dataset", dataset.name) not in used:
            used |= _named("dataset", parse(dataset.name))
    return used


def used_by_plugin(text: str) -> dict[Name, str]:
    """What the plugins of a spec string's name rest on, of whatever kind they are; empty where there is none."""
    spec = parse(text)
    used: dict[Name, str] = {}
    for kind in registry.KINDS:
        if _is_registered(kind, spec.name):
            used |= _named(kind, spec)
            made = _made(kind, spec)
            used |= _around(made)
            used[kind, spec.name] = _words(made)
    return used


def _named(kind: Kind, spec: SpecString) -> dict[Name, str]:
    """A plugin, and those that its options name, given or by default."""
    used: dict[Name, str] = {(kind, spec.name): ""}
    options = {**_defaults(kind, spec), **spec.grouped()}
    similarity = options.get("similarity")
    if isinstance(similarity, SpecString):  # with the generator that teaches the metric
        options |= similarity.options
        similarity = similarity.name
    used["similarity", str(similarity)] = ""
    for value in options.values():
        inner = parse(value) if isinstance(value, str) and re.match(r"[\w-]+(:|$)", value) else value
        if isinstance(inner, SpecString):
            for inside in _INSIDE:
                if _is_registered(inside, inner.name):
                    used |= _named(inside, inner)
                    break
    return used


def _defaults(kind: Kind, spec: SpecString) -> dict[str, Any]:
    try:
        parameters = inspect.signature(registry.find(kind, spec).load()).parameters
    except UserError:
        return {}
    return {name: parameter.default for name, parameter in parameters.items()}


def _made(kind: Kind, spec: SpecString) -> Any:
    """The plugin itself; None where it cannot be made from this name on this machine."""
    from ghbench.running.request import load_task, subject_request

    try:
        if kind == "task":
            return load_task(str(spec))
        return subject_request(str(spec)).build() if kind == "extractor" else registry.build(kind, spec)
    except UserError:
        return None


def _around(made: Any) -> dict[Name, str]:
    """The datasets of a task; what taught a subject."""
    try:
        if hasattr(made, "roles"):
            cards = [role.dataset.card() for role in made.roles().values()]
            return {("dataset", card.name): card.citation for card in cards}
        about = made.spec() if hasattr(made, "spec") else None
    except UserError:
        return {}
    if not isinstance(about, SubjectSpec):
        return {}
    generator = _named("generator", parse(about.generator)) if isinstance(about, NavigatorSpec) else {}
    return generator | _taught(about.training.datasets, about.training.networks)


def _taught(datasets: Iterable[str], networks: Iterable[str]) -> dict[Name, str]:
    """Datasets and generators of a training record."""
    used: dict[Name, str] = {("dataset", name.partition("#")[0]): "" for name in datasets}
    known = set(networks)
    return used | {("generator", name): "" for name, digest in _generator_digests() if digest in known}


@cache
def _generator_digests() -> tuple[tuple[str, str], ...]:
    """Names and weights digests of the registered generators."""
    found = []
    for plugin in registry.plugins("generator"):
        spec = SpecString(plugin.name, plugin.package)
        sizes = [{}, *({"size": size} for size in _SIZES if "size" in _defaults("generator", spec))]
        made = [_made("generator", replace(spec, options=options)) for options in sizes]
        found += [(plugin.name, one.spec().weights_digest) for one in made if one is not None]
    return tuple(found)


def _words(made: Any) -> str:
    try:
        about = made.card() if hasattr(made, "card") else made.spec() if hasattr(made, "spec") else None
    except UserError:
        about = None
    return str(getattr(about, "citation", ""))


def _is_registered(kind: Kind, name: str) -> bool:
    return any(plugin.name == name for plugin in registry.plugins(kind))


def _own_words(name: str, words: str) -> Entry:
    key = re.sub(r"[^a-z0-9]+", "-", name.lower())
    plain = re.sub(r"([&%$#_{}])", r"\\\1", " ".join(words.split()))
    return Entry(key, f"@misc{{{key},\n  note = {{{plain}}},\n}}\n", frozenset({name}))
