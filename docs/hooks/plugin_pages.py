"""MkDocs hook: a page for each task and each extractor, from what they say of themselves, and the Python reference.

Specs are made, which builds no network and fetches nothing; what a spec needs and does not find stands on the page.
"""
# ruff: noqa: INP001 - a script beside the pages, no package

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import griffe
from ghbench_leaderboards.publish import Page, protocol_page, published_pages
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from ghbench import registry
from ghbench.errors import UserError
from ghbench.extractor import Decoder, Encoder, ExtractorSpec, Navigator, NavigatorSpec, SubjectSpec
from ghbench.plugin_summary import summary
from ghbench.registry import Plugin
from ghbench.running.request import load_extractor, load_task

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "plugins"
LISTED = {"task": "Reference by task", "extractor": "Reference by extractor"}
"""By kind the item of the navigation that is filled with its pages."""
REFERENCE = {
    "python": ("The Python API", "All of it is in `ghbench`: `import ghbench; ghbench.run(...)`.", ("ghbench.api",)),
    "protocols": (
        "Protocols",
        "What each plugin is. Nothing to inherit: have the methods.",
        (
            "ghbench.extractor", "ghbench.task", "ghbench.task_abilities", "ghbench.dataset", "ghbench.generator",
            "ghbench.generators.protocol", "ghbench.testing.extractors", "ghbench.testing.tasks",
            "ghbench.testing.navigators", "ghbench.testing.datasets", "ghbench.testing.generators",
        ),
    ),
    "errors": ("Errors", "", ("ghbench.errors",)),
}  # fmt: skip


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the navigation's lists of plugins."""
    for section in config.nav or []:
        for item in [item for items in section.values() for item in items if isinstance(item, dict)]:
            for kind, title in LISTED.items():
                if title in item:
                    item[title] = [{plugin.name: _uri(kind, plugin.name)} for plugin in _ours(kind)]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    os.environ["GHBENCH_OFFLINE"] = "1"
    pages = {_uri("task", plugin.name): task_page(plugin) for plugin in _ours("task")}
    pages |= {_uri("extractor", plugin.name): extractor_page(plugin) for plugin in _ours("extractor")}
    for kind in LISTED:
        pages[f"{FOLDER}/{kind}s/index.md"] = index_page(kind)
    for name, (title, text, modules) in REFERENCE.items():
        blocks = "\n".join(f"::: {module}\n" for module in modules)
        pages[f"reference/{name}.md"] = f"# {title}\n\n{text}\n\n{blocks}"
    for uri, text in pages.items():
        files.append(File.generated(config, uri, content=text))
    return files


def index_page(kind: str) -> str:
    """All plugins of a kind with their one line."""
    rows = [[f"[`{plugin.name}`]({plugin.name}.md)", summary(plugin).text] for plugin in _ours(kind)]
    more = {
        "task": "Protocols in words stand beside these pages; [write your own](../../tasks.md).",
        "extractor": "Models of hubs and files are extractors too: [where they live](../../models.md), "
        "[your own](../../extractors.md).",
    }[kind]
    return f"# All {kind}s\n\n{more}\n\n" + _table([kind, "what it is"], rows)


def task_page(plugin: Plugin) -> str:
    """Version, metrics, options, reference rows, protocol, and where it is published."""
    parts = _head(plugin)
    parts.append(f"```\nghbench describe task {plugin.name}\n```")
    try:
        task = load_task(plugin.name)
    except UserError as error:
        return "\n\n".join([*parts, *_options(plugin), _lacking(error)])
    abilities = ", ".join(f"`{ability.__name__}`" for ability in task.requires)
    parts.append(
        f"Version {task.version}. A subject must be: {abilities}." if abilities else f"Version {task.version}."
    )
    metrics = [
        [
            f"`{metric.name}`", metric.unit, {True: "higher", False: "lower", None: "neither"}[metric.higher_is_better],
            {"none": "none", "error": metric.error or "standard error"}.get(metric.uncertainty, metric.uncertainty),
        ]
        for metric in task.metrics
    ]  # fmt: skip
    parts += ["## Metrics", "The first one ranks.", _table(["metric", "unit", "better", "uncertainty over"], metrics)]
    parts += _options(plugin)
    if task.references:
        rows = [[f"`{row.name}`", row.what, "yes" if row.floor else ""] for row in task.references]
        parts += ["## Reference rows", _table(["row", "what it is", "to beat"], rows)]
    protocol = [[f"`{key}`", _text(value)] for key, value in task.protocol().items()]
    parts += ["## Protocol", "Part of every result's digest.", _table(["", ""], protocol)]
    parts += _published(lambda page: page.task.partition(":")[0] == plugin.name)
    parts += _protocol_page(plugin.name)
    return "\n\n".join(parts)


def extractor_page(plugin: Plugin) -> str:
    """What it is, what it learned from, its levels and options, and where it is published."""
    parts = _head(plugin)
    parts.append(f"```\nghbench describe extractor {plugin.name}\n```")
    try:
        subject = load_extractor(plugin.name)
        parts += ["## What it is", _table(["", ""], _of_spec(subject, subject.spec()))]
    except UserError as error:
        parts.append(_lacking(error))
    parts += _options(plugin)
    parts += _published(lambda page: any(name.partition(":")[0] == plugin.name for name in _shown(page)))
    return "\n\n".join(parts)


def _of_spec(subject: object, spec: SubjectSpec) -> list[list[str]]:
    abilities = {"encoder": Encoder, "decoder": Decoder, "navigator": Navigator}
    training = spec.training
    rows = [
        ["is a", ", ".join(name for name, ability in abilities.items() if isinstance(subject, ability))],
        ["supervision", training.supervision],
        ["learned from", ", ".join(training.datasets) or "nothing"],
        ["domain", training.domain],
        ["licence of the weights", spec.licence],
        ["cite", spec.citation or "nothing to cite"],
    ]
    if isinstance(spec, ExtractorSpec):
        side = " x ".join(map(str, spec.preprocessing.size))
        levels = ", ".join(f"`{level.name}` ({level.dim:,})" for level in spec.levels)
        rows += [
            ["levels (numbers)", levels],
            ["by default", ", ".join(f"`{name}`" for name in spec.default_levels)],
            ["input", f"{side} px, `{spec.preprocessing.resize}`, alignment `{spec.preprocessing.align}`"],
            ["compared by", spec.metric.kind if spec.metric else spec.similarity],
        ]
    if isinstance(spec, NavigatorSpec):
        rows.append(["directions", f"in `{spec.space}` of `{spec.generator}`"])
    return rows


def _head(plugin: Plugin) -> list[str]:
    text = inspect.getdoc(plugin.load()) or ""
    said = [section.value for section in _sections(text) if section.kind is griffe.DocstringSectionKind.text]
    return [f"# `{plugin.name}`", *said]


def _options(plugin: Plugin) -> list[str]:
    target: Any = plugin.load()
    words = {
        argument.name: argument.description.replace("\n", " ")
        for text in (inspect.getdoc(target), inspect.getdoc(getattr(target, "__init__", None)))
        for section in _sections(text or "")
        if section.kind is griffe.DocstringSectionKind.parameters
        for argument in section.value
    }
    rows = [
        [f"`{name}`", _default(option.default), words.get(name, "")]
        for name, option in inspect.signature(target).parameters.items()
    ]
    if not rows:
        return []
    return ["## Options", f"As in `{plugin.name}:NAME=VALUE`.", _table(["option", "default", "what"], rows)]


def _sections(text: str) -> Sequence[Any]:
    return griffe.Docstring(text).parse("google", warnings=False)


def _default(value: object) -> str:
    return "needed" if value is inspect.Parameter.empty else "" if value in {None, ""} else f"`{value}`"


@cache
def _shown(page: Page) -> tuple[str, ...]:
    """Spec strings of all rows of a published page."""
    references = load_task(page.task).references if page.references else ()
    return tuple(dict.fromkeys([*page.systems, *(row.name for row in references)]))


def _published(chosen: Callable[[Page], bool]) -> list[str]:
    links = [
        f"* [`{page.task}`](../../../leaderboards/{page.file}), {len(_shown(page))} systems"
        for page in published_pages().values()
        if chosen(page)
    ]
    return ["## Published", "\n".join(links)] if links else ["Nothing is published yet."]


def _protocol_page(name: str) -> list[str]:
    path = protocol_page(name)
    if path is None:
        return []
    title = path.read_text(encoding="utf-8").partition("\n")[0]
    return [f"In words: [{title.strip('# ')}](../../protocols/{path.name})."]


def _lacking(error: UserError) -> str:
    return f"It cannot be described without more: {error.message}."


def _uri(kind: str, name: str) -> str:
    return f"{FOLDER}/{kind}s/{name}.md"


def _ours(kind: Any) -> list[Plugin]:
    return [plugin for plugin in registry.plugins(kind) if plugin.package == registry.OURS]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
