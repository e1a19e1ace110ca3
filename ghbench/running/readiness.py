"""Can a plugin be used on this machine now, and if not, what does it need?"""

from __future__ import annotations

import inspect

from ghbench import registry
from ghbench.errors import UserError
from ghbench.extractor import Encoder
from ghbench.foreign_output import to_stderr
from ghbench.generator import GeneratorPlugin
from ghbench.locations import without_network
from ghbench.registry import Plugin
from ghbench.task import Task


def readiness(plugin: Plugin) -> str | None:
    """Try a plugin without the network.

    Args:
        plugin: What to try.

    Returns:
        None where it can be used, else what it lacks.
    """
    required = _required_options(plugin)
    if isinstance(required, UserError):
        return _in_one_line(required)
    if required:
        return f"needs options: {', '.join(f'{name}=...' for name in required)}"
    try:
        with without_network(), to_stderr():
            _use(registry.build(plugin.kind, plugin.qualified_name))
    except UserError as error:
        return _in_one_line(error)
    except Exception as error:  # noqa: BLE001 - somebody's plugin may fail in any way, and the list goes on
        return f"{type(error).__name__}: {error}".partition("\n")[0]
    return None


def _in_one_line(error: UserError) -> str:
    first = error.message.partition("\n")[0]
    return first if error.fix is None else f"{first}; fix: {error.fix}"


def _required_options(plugin: Plugin) -> list[str] | UserError:
    try:
        target = plugin.load()
    except UserError as error:
        return error
    options = getattr(target, "Options", None)
    if options is not None:
        return [name for name, field in options.model_fields.items() if field.is_required()]
    parameters = inspect.signature(target).parameters.values()
    gathering = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    return [
        parameter.name
        for parameter in parameters
        if parameter.default is inspect.Parameter.empty and parameter.kind not in gathering
    ]


def _use(value: object) -> None:
    """Touch what needs data or weights."""
    if isinstance(value, Task):
        value.roles()
    elif isinstance(value, Encoder) and hasattr(value, "spec"):
        import numpy as np

        size = value.spec().preprocessing.size
        ramp = np.linspace(0, 255, 3 * size[0] * size[1]).astype(np.uint8).reshape(1, 3, *size)
        value.extract(ramp)
    elif isinstance(value, GeneratorPlugin):
        value.load()
