"""Plugins by name: entry-point groups, loaded lazily; suggestions for unknown names, an error for ambiguous ones."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import inspect
import os
import re
import sys
import typing
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal

from ghbench.digests import digest_bytes
from ghbench.errors import PluginError, UnknownPluginError, UsageError, UserError
from ghbench.files import regular_file, user_path
from ghbench.foreign_output import to_stderr
from ghbench.plugin_options import is_made, validate_options
from ghbench.randomness import preserved_randomness
from ghbench.spec_string import SpecString, parse, parse_recorded
from ghbench.user_code import known_fix, user_frame

Kind = Literal["extractor", "task", "dataset", "generator", "recipe"]
OURS = "ghbench"
"""The package whose plugins need no package in their name in a result."""
KINDS: tuple[Kind, ...] = ("extractor", "task", "dataset", "generator", "recipe")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A registered plugin that may never have been imported.

    Args:
        kind: What it is.
        name: Registered name.
        target: `module:attribute` of its class or factory.
        package: Name of the distribution that registered it.
    """

    kind: Kind
    name: str
    target: str
    package: str

    @property
    def qualified_name(self) -> str:
        """`package/name`, which is never ambiguous."""
        return f"{self.package}/{self.name}"

    def load(self) -> Callable[..., Any]:
        """Import the plugin's class or factory.

        Raises:
            MissingError: The plugin says that this machine lacks something.
            PluginError: The import failed for any other reason.
        """
        try:
            with to_stderr():
                target = EntryPoint(self.name, self.target, f"ghbench.{self.kind}s").load()
        except UserError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{self.kind} {self.name!r} of package {self.package!r} cannot be imported: "
                f"{type(error).__name__}: {error}"
            ) from error
        return typing.cast("Callable[..., Any]", target)


def plugins(kind: Kind) -> list[Plugin]:
    """All registered plugins of a kind, sorted by name. Imports none of them."""
    return list(_registered(kind, _search_path()))


@lru_cache
def _registered(kind: Kind, _path: tuple[tuple[str, int], ...]) -> tuple[Plugin, ...]:
    """The same, remembered until something is installed: reading the metadata of all packages takes a tenth second."""
    named: dict[int, str] = {}  # a package's name is parsed from its metadata, whose longest part is its README
    found = set()
    for entry in entry_points(group=f"ghbench.{kind}s"):
        of = id(entry.dist)
        if of not in named:
            named[of] = entry.dist.name if entry.dist else "unknown"
        found.add(Plugin(kind, entry.name, entry.value, named[of]))
    return tuple(sorted(found, key=lambda plugin: (plugin.name, plugin.package)))


def _search_path() -> tuple[tuple[str, int], ...]:
    """Where packages are found, and when a package was last added or removed there."""
    folders = [Path(folder).absolute() for folder in sys.path]
    return tuple((str(folder), folder.stat().st_mtime_ns) for folder in folders if folder.is_dir())


def find(kind: Kind, spec: SpecString) -> Plugin:
    """The plugin that a spec string names.

    Raises:
        UsageError: No plugin has the name (with the nearest ones), or two packages use it.
    """
    known = plugins(kind)
    found = [plugin for plugin in known if plugin.name == spec.name and spec.package in {None, plugin.package}]
    if len(found) > 1:
        both = " and ".join(plugin.qualified_name for plugin in found)
        raise UsageError(
            f"two packages register a {kind} {spec.name!r}: {both}", fix=f"write {found[0].qualified_name}"
        )
    if found:
        return found[0]
    if spec.name.endswith(".py"):
        raise UsageError(
            f"{spec.name} is a file; expected an object in it", fix=f"write {spec.name}:{_a_class(spec.name)}"
        )
    near = difflib.get_close_matches(spec.name, [plugin.name for plugin in known], n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    where = f" in package {spec.package!r}" if spec.package else ""
    raise UsageError(f"no {kind} is called {spec.name!r}{where}{hint}", fix=f"ghbench list {kind}s")


def needed_package(kind: Kind, spec: SpecString) -> str | None:
    """The package that must stand in a recorded name: None for ghbench's own, and where only one has the name.

    Raises:
        UsageError: As `find`.
    """
    plugin = find(kind, spec)
    same = [other for other in plugins(kind) if other.name == plugin.name]
    return plugin.package if len(same) > 1 and plugin.package != OURS else None


def ours_first(kind: Kind, spec: SpecString) -> SpecString:
    """A recorded name, or one that a task writes, made clear: without a package it means ghbench's own plugin.

    Another package that registers the same name does not change what the name means.
    """
    ours = (
        spec.package is None
        and spec.attribute is None
        and any(plugin.name == spec.name and plugin.package == OURS for plugin in plugins(kind))
    )
    return replace(spec, package=OURS) if ours else spec


def build(kind: Kind, spec: SpecString | str) -> Any:
    """Make the plugin that the user's spec string describes; `module:attribute` and files are imported and called.

    The process's random generators are left as they were. A name that was read from a file goes through
    `build_recorded` instead.

    Args:
        kind: What to make.
        spec: Spec string that the user typed, as text or parsed.

    Returns:
        What the plugin's class or factory returns.

    Raises:
        UsageError: Unknown name, unknown option or a value that does not fit.
        PluginError: The plugin failed.
        MissingError: The plugin needs something that this machine does not have.
    """
    with preserved_randomness():
        return factory(kind, parse(spec) if isinstance(spec, str) else spec)()


def factory(kind: Kind, spec: SpecString, attribute: Any = None) -> Callable[[], Any]:
    """What makes the plugin, again at every call; its module is imported now.

    Args:
        kind: What to make.
        spec: Parsed spec string.
        attribute: What `load_attribute` gave for it, where it was called already.

    Raises:
        UsageError: As `build`.
        PluginError: The import failed.
        MissingError: As `build`.
    """
    if spec.attribute is None:
        target: Any = find(kind, spec).load()
    else:
        target = load_attribute(spec) if attribute is None else attribute
    if spec.attribute is not None and is_made(target):
        if spec.options:
            raise UsageError(
                f"{spec.attribute} is a {type(target).__name__} that is already made; it takes no options",
                fix=f"name its class instead of {spec.attribute}, or leave {', '.join(spec.options)} out",
            )
        return lambda: target
    arguments = validate_options(target, spec)

    def make() -> Any:
        try:
            with to_stderr():
                return target(**arguments)
        except UserError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{kind} {str(spec)!r} failed to start: {type(error).__name__}: {error}{user_frame(error)}",
                fix=known_fix(error),
            ) from error

    return make


def build_recorded(kind: Kind, text: str) -> Any:
    """Make the plugin whose name stands in a file; only registered names can be reached, never a module or a path.

    Args:
        kind: What to make.
        text: The name as the file gives it.

    Raises:
        UsageError: It is not a registered name, or has unknown options.
        PluginError: The plugin failed.
        MissingError: The plugin needs something that this machine does not have.
    """
    return build(kind, ours_first(kind, parse_recorded(text)))


def load_attribute(spec: SpecString) -> Any:
    """The object that `module:attribute` or `file.py:attribute` names.

    Raises:
        UserError: What the module itself says while it is imported, unchanged; MissingError, for instance.
        PluginError: The module or the attribute does not exist, or the import failed.
    """
    assert spec.attribute is not None
    try:
        with to_stderr():
            module = _import_file(Path(spec.name)) if spec.name.endswith(".py") else importlib.import_module(spec.name)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        message = f"{str(spec)!r} cannot be loaded: {type(error).__name__}: {error}{user_frame(error)}"
        mending = _mending(spec, error)
        kind = PluginError if mending is None else UnknownPluginError
        raise kind(message, fix=known_fix(error) or mending) from error
    value: Any = module
    for part in spec.attribute.split("."):
        if not hasattr(value, part):
            raise UnknownPluginError(_no_attribute(spec, value, part))
        value = getattr(value, part)
    return value


def without_defaults(kind: Kind, text: str) -> str:
    """A spec string less the options that say what its plugin does without them; as it is unless that is ghbench's own.

    `random-trunk:seed=0` is `random-trunk`.
    """
    try:
        spec = parse(text)
        plugin = find(kind, spec)
        parameters = inspect.signature(plugin.load()).parameters if plugin.package == OURS else {}
    except UserError:
        return text
    usual = [key for key, value in spec.options.items() if key in parameters and str(parameters[key].default) == value]
    return str(spec.without(*usual))


def _a_class(file: str) -> str:
    """A class that a file defines at its top, read without executing it; a placeholder where there is none."""
    try:
        body = ast.parse(Path(file).read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError):
        return "CLASS"
    return next((node.name for node in body if isinstance(node, ast.ClassDef)), "CLASS")


def _no_attribute(spec: SpecString, value: object, part: str) -> str:
    module = getattr(value, "__name__", None)
    own = [name for name, held in vars(value).items() if inspect.isclass(held) and held.__module__ == module]
    near = difflib.get_close_matches(part, own, n=1)
    hint = f"; did you mean {near[0]}?" if near else "."
    return f"{spec.name} has no {part!r}{hint} Its classes: {', '.join(own) or 'none'}"


def _mending(spec: SpecString, error: BaseException) -> str | None:
    """What to do where the module itself is not there; about what it lacks inside, its author knows more."""
    if spec.name.endswith(".py") and not user_path(spec.name).is_file():
        return f"the name of a file that exists: ls {Path(spec.name).parent}"
    if isinstance(error, ModuleNotFoundError) and error.name and f"{spec.name}.".startswith(f"{error.name}."):
        if any(plugin.name == spec.name for plugin in plugins("extractor")):
            return f"an option needs a value: {spec.name}:{spec.attribute}=VALUE"
        file = f"./{spec.name.replace('.', '/')}.py:{spec.attribute}"
        return f"install the package that holds {spec.name}, or name its file, for instance {file}"
    return None


def _import_file(path: Path) -> Any:
    """Execute a file as a module of its own, which `inspect`, `pickle` and tracebacks find by its name and file."""
    path = user_path(path).resolve()
    if path.exists():
        regular_file(path)
    # Two files of one stem are two modules: `inspect.getsource` finds a class's file by its module's name.
    name = re.sub(r"\W", "_", f"ghbench_user_{path.stem}") + f"_{digest_bytes(os.fsencode(path))[:8]}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(found)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except BaseException:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise
    return module
