"""Checks a plugin that a spec string names, by the kit of whatever kind it is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any, Literal, get_args

from ghbench import registry
from ghbench.dataset import Dataset
from ghbench.errors import UsageError
from ghbench.extractor import Navigator
from ghbench.generator import GeneratorPlugin
from ghbench.running.request import load_task, subject_request
from ghbench.spec_string import SpecString, parse
from ghbench.task import Task
from ghbench.testing.datasets import check_dataset
from ghbench.testing.extractors import check_extractor
from ghbench.testing.generators import check_generator
from ghbench.testing.navigators import check_navigator
from ghbench.testing.tasks import check_task
from ghbench.testing.violation import ConformanceError, demand

PluginKind = Literal["extractor", "navigator", "task", "dataset", "generator"]
KINDS: tuple[PluginKind, ...] = get_args(PluginKind)
SLOWEST_IMPORT = 15.0
"""Seconds of processor time that importing a plugin's module may take; torch alone takes a few."""
_TIMED = "import sys, time; import {}; print(time.process_time())"


def check_plugin(spec: str, kind: PluginKind | None = None) -> tuple[PluginKind, str]:
    """Check a plugin by the kit of its kind, made twice: both must describe themselves in the same way.

    Args:
        spec: Spec string: a registered name, `my_pkg.my_module:MyNet`, `./my.py:Net`.
        kind: What it is; None: what it shows itself to be.

    Returns:
        The kind, and the plugin's own name.

    Raises:
        ConformanceError: The sentence of the contract that does not hold.
        UsageError: There is no such plugin, or plugins of two kinds have the name.
        MissingError: Its data or weights are not on this machine.
    """
    parsed = parse(spec)
    make, kind = _recognised(parsed, spec, kind)
    if kind in {"task", "dataset"}:
        # A file is executed each time, and what was made last is of the classes that pickle finds by their names.
        before = make()
        if kind == "dataset":
            return kind, check_dataset(make(), before).name
        task = load_task(make())
        demand(task.protocol() == before.protocol(), f"{task.name}: made again, it has another protocol")
        check_task(task)
        return kind, task.name
    kits: dict[str, Callable[[Any], Any]] = {
        "extractor": check_extractor, "navigator": check_navigator, "generator": check_generator,
    }  # fmt: skip
    check_import(parsed, kind)
    described = kits[kind](made := make())
    demand(make().spec() == described, f"{described.name}: made again, {type(made).__name__} has another spec")
    return kind, described.name


def check_import(spec: SpecString, kind: PluginKind) -> None:
    """Check that the module of a registered plugin is imported in reasonable time; files of one's own are not timed.

    Raises:
        ConformanceError: It takes longer than `SLOWEST_IMPORT` seconds of processor time.
    """
    if spec.attribute is not None:
        return
    module = registry.find(_group(kind), spec).target.partition(":")[0]
    done = subprocess.run(
        [sys.executable, "-c", _TIMED.format(module)], capture_output=True, text=True, check=False
    )  # fmt: skip
    demand(done.returncode == 0, f"{module} cannot be imported alone: {done.stderr.strip()[-200:]}")
    seconds = float(done.stdout.split()[-1])
    demand(seconds <= SLOWEST_IMPORT, f"importing {module} takes {seconds:.0f} s; load weights when they are used")


def _recognised(spec: SpecString, text: str, kind: PluginKind | None) -> tuple[Callable[[], Any], PluginKind]:
    """What makes the plugin, and its kind."""
    if kind is None and spec.attribute is None:
        groups: list[registry.Kind] = [
            one for one in registry.KINDS if any(plugin.name == spec.name for plugin in registry.plugins(one))
        ]
        known = [one for one in groups if one != "recipe"]
        if len(known) > 1:
            raise UsageError(f"{spec.name!r} is {' and '.join(known)}", fix=f"--kind {known[0]}")
        group: registry.Kind = known[0] if known else "extractor"
    else:
        group = _group(kind or "extractor")
    # An object of a module is made in the same way whatever it is.
    made = registry.build(group, spec) if group != "extractor" or spec.attribute else None
    shown = kind or _kind_of(made)
    if shown in {"extractor", "navigator"}:
        subject = subject_request(text).build()
        if kind is None:
            shown = "navigator" if isinstance(subject, Navigator) else "extractor"
        elif isinstance(subject, Navigator) is not (kind == "navigator"):
            raise ConformanceError(f"{text} has {'' if kind == 'extractor' else 'no '}directions(codes)")
        return lambda: subject_request(text).build(), shown
    return lambda: registry.build(_group(shown), spec), shown


def _kind_of(made: object) -> PluginKind:
    """The kind of a plugin that is made; what is nothing else is an extractor, a `torch.nn.Module` too."""
    protocols: dict[PluginKind, type] = {"task": Task, "dataset": Dataset, "generator": GeneratorPlugin}
    return next((kind for kind, protocol in protocols.items() if isinstance(made, protocol)), "extractor")


def _group(kind: PluginKind) -> registry.Kind:
    """Where a kind is registered: navigators among the extractors."""
    return "extractor" if kind == "navigator" else kind
