"""`ghbench describe`: everything that a plugin says of itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

import typer

from ghbench.cli.terminal import print_columns, print_json, progress_bars, say
from ghbench.foreign_output import to_stderr


def describe(
    kind: Annotated[Literal["extractor", "task", "dataset", "generator"], typer.Argument(help="What it is.")],
    spec: Annotated[str, typer.Argument(help="Its spec string; of a generator also a path.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    modules: Annotated[
        bool, typer.Option("--modules", help="Of a torch.nn.Module: the names that layers= takes, with output shapes.")
    ] = False,
) -> None:
    """Describe an extractor, a task, a dataset or a generator."""
    if modules:
        with to_stderr():
            tree = _modules(kind, spec)
        if as_json:
            print_json(tree)
        else:
            print_columns(["module", "class", "output for one image"], [list(row.values()) for row in tree])
        return
    describers = {"extractor": _extractor, "task": _task, "dataset": _dataset, "generator": _generator}
    with to_stderr():
        description = describers[kind](spec)
    if as_json:
        print_json(description)
    else:
        levels = description.pop("levels") if kind == "generator" else []
        _print(description)
        if levels:
            rows = [["-" if value is None else str(value) for value in row.values()] for row in levels]
            print_columns([name.replace("_", " ") for name in levels[0]], rows)


def _extractor(spec: str) -> dict[str, Any]:
    from ghbench.extractor import ExtractorSpec
    from ghbench.running.own_module import OwnModule
    from ghbench.running.request import load_extractor

    subject = load_extractor(spec)
    about = subject.spec()
    description = asdict(about)
    listed = description["training"].pop("image_digests")
    if isinstance(about, ExtractorSpec):
        description["levels"] = {level.name: level.dim for level in about.levels}
        description["centred"] = about.centred or description.pop("mean") is not None
        description.pop("mean", None)
        if about.metric is not None:
            kept = {
                level: len(metric.mean) if metric.matrix is None else metric.matrix.shape[1]
                for level, metric in about.metric.metrics.items()
            }
            description["metric"] = {
                "kind": about.metric.kind, "generator": about.metric.generator, "components": kept
            }  # fmt: skip
    if isinstance(subject, OwnModule):
        description["notes"] = subject.notes()
    if names := getattr(subject, "names", None):
        description["directions_with_names"] = list(names)
    return {
        **description,
        "abilities": [name for name, ability in _abilities().items() if isinstance(subject, ability)],
        "training_images_listed": None if listed is None else len(listed),
    }


def _modules(kind: str, spec: str) -> list[dict[str, str]]:
    from ghbench.errors import UsageError
    from ghbench.running.own_module import OwnModule
    from ghbench.running.request import load_extractor

    subject = load_extractor(spec) if kind == "extractor" else None
    if not isinstance(subject, OwnModule):
        raise UsageError(f"--modules lists the parts of a torch.nn.Module, which {kind} {spec!r} is not")
    return subject.module_tree()


def _abilities() -> dict[str, type]:
    from ghbench.extraction import Precomputed
    from ghbench.extractor import Decoder, Encoder, Navigator

    return {"Encoder": Encoder, "Decoder": Decoder, "Navigator": Navigator, "Precomputed": Precomputed}


def _task(spec: str) -> dict[str, Any]:
    from ghbench.running.request import load_task

    task = load_task(spec)
    return {
        "name": task.name,
        "version": task.version,
        "metrics": [metric.name for metric in task.metrics],
        "requires": [ability.__name__ for ability in task.requires],
        "policies": ["each", *task.policies] if task.policies else [],
        "references": {row.name: row.what for row in task.references},
        "protocol": task.protocol(),
    }


def _dataset(spec: str) -> dict[str, Any]:
    from ghbench import registry
    from ghbench.dataset import Dataset, content_digest

    dataset: Dataset = registry.build("dataset", spec)
    return {
        **asdict(dataset.card()),
        "images": len(dataset),
        "targets": {
            name: {"shape": list(target.values.shape), "unit": target.unit, "names": len(target.names)}
            for name, target in dataset.targets.items()
        },
        "splits": {name: len(rows) for name, rows in dataset.splits.items()},
        "content_digest": content_digest(dataset),
        "recipe_digest": dataset.recipe_digest,
    }


def _generator(spec: str) -> dict[str, Any]:
    from ghbench.generators.description import generator_description
    from ghbench.generators.loading import generator_plugin

    with progress_bars():
        return generator_description(generator_plugin(spec))


def _print(description: dict[str, Any], indent: str = "") -> None:
    for key, value in description.items():
        if isinstance(value, dict) and value:
            say(f"{key}:", indent=indent)
            _print(value, indent + "  ")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
            say(f"{key}: {'-' if shown is None or shown in ('', {}) else shown}", indent=indent)
