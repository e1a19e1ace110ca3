"""Options of a plugin: the texts of a spec string become what its class or function declares."""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from ghbench.errors import UsageError
from ghbench.spec_string import SpecString, parse


def is_made(target: object) -> bool:
    """Whether it is the plugin itself, not what makes one; networks are callable too."""
    if inspect.isclass(target) or inspect.isroutine(target):
        return False
    return not callable(target) or hasattr(target, "spec") or hasattr(target, "forward")


def option_names(target: Any) -> frozenset[str]:
    """Names of the options that a class or function declares; none of an object that is already made."""
    model = getattr(target, "Options", None)
    if model is not None:
        return frozenset(model.model_fields)
    return frozenset() if is_made(target) else frozenset(inspect.signature(target).parameters)


def validate_options(target: Callable[..., Any], spec: SpecString) -> dict[str, Any]:
    """Turn the text options of a spec string into typed arguments.

    A target declares its options by its signature, or by a pydantic model in its attribute `Options`; it then takes
    one argument, `options`.

    Raises:
        UsageError: An unknown key, a missing one or a value that does not fit the declared type.
    """
    given = spec.grouped()
    model = getattr(target, "Options", None)
    if model is not None:
        _check_keys(given, {name: field.is_required() for name, field in model.model_fields.items()}, spec)
        return {"options": _validate(lambda: model.model_validate(given), spec)}
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(target).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_POSITIONAL
    }
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return dict(given)
    required = {name: parameter.default is inspect.Parameter.empty for name, parameter in parameters.items()}
    _check_keys(given, required, spec)
    try:
        hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except Exception:  # noqa: BLE001 - names that only a type checker imports
        hints = {}
    hints = {name: _type_of_default(parameter.default) for name, parameter in parameters.items()} | hints
    return {key: _convert(value, hints[key], key, spec) for key, value in given.items()}


def _type_of_default(default: object) -> Any:
    """The type of an option without annotation: that of its default, else a number where the text is one."""
    if isinstance(default, bool | int | float | str):
        return type(default)
    return int | float | str


def _check_keys(given: Mapping[str, object], required: Mapping[str, bool], spec: SpecString) -> None:
    for key in given:
        if key not in required:
            near = difflib.get_close_matches(key, required, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            allowed = ", ".join(sorted(required)) or "none"
            raise UsageError(f"{spec.name!r} has no option {key!r}{hint} Allowed: {allowed}")
    missing = [key for key, needed in required.items() if needed and key not in given]
    if missing:
        needed = ",".join(f"{key}=..." for key in missing)
        if spec.attribute is None:
            raise UsageError(f"{spec.name!r} needs {needed}")
        raise UsageError(
            f"{spec.attribute} of {spec.name} needs {needed}",
            fix=f"write {spec.name}:{spec.attribute},{needed}; or name a function there that makes one",
        )


def _convert(value: str | SpecString, annotation: Any, key: str, spec: SpecString) -> Any:
    if annotation is SpecString or SpecString in typing.get_args(annotation):
        return parse(value) if isinstance(value, str) else value
    if isinstance(value, SpecString):
        raise UsageError(f"option {key!r} of {spec.name!r} takes no nested options")
    from pydantic import TypeAdapter

    return _validate(lambda: TypeAdapter(annotation).validate_python(value), spec, key)


def _validate(validate: Callable[[], Any], spec: SpecString, key: str | None = None) -> Any:
    from pydantic import ValidationError

    try:
        return validate()
    except ValidationError as error:
        first = error.errors()[0]
        name = key or ".".join(str(part) for part in first["loc"])
        raise UsageError(f"option {name!r} of {spec.name!r}: {first['msg']}, got {first['input']!r}") from error
