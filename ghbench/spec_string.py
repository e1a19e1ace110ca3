r"""Spec strings: `name:key=value,key=value`, the one way to name a plugin with its options.

package/name            one of two plugins of the same name
my_pkg.my_module:MyNet  an object of a module that nobody registered
./my_file.py:MyNet      the same, of a file
a:key=1,inner.key=2     nested options are dotted
a:text=one\,two         an escaped comma
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ghbench.errors import UsageError, UserError
from ghbench.files import exists, user_path

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
PATH = "PATH"
"""What stands for a path where only its content counts."""
_SECOND_COLON = re.compile(r"(^[A-Za-z_][A-Za-z0-9_.]*):(?=[A-Za-z_]+=)|:(?=(?:level|policy|layers|pool|similarity)=)")
_RECORDED_VALUE = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*")


@dataclass(frozen=True, slots=True)
class SpecString:
    """A parsed spec string.

    Args:
        name: Registered name, dotted module, or path of a Python file.
        package: Distribution that the plugin must come from, None for any.
        attribute: Object of the module, None for a registered plugin.
        options: Options as text, dotted keys unresolved.
    """

    name: str
    package: str | None = None
    attribute: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """The canonical form: options sorted by key, commas escaped; parses back to the same value."""
        head = self.name if self.package is None else f"{self.package}/{self.name}"
        segments = [] if self.attribute is None else [self.attribute]
        segments += [f"{key}={_escape(value)}" for key, value in sorted(self.options.items())]
        return head if not segments else f"{head}:{','.join(segments)}"

    def __hash__(self) -> int:
        return hash(str(self))

    def without(self, *keys: str) -> SpecString:
        """The same spec string less some options."""
        kept = {key: value for key, value in self.options.items() if key not in keys}
        return SpecString(self.name, self.package, self.attribute, kept)

    def at_any_path(self) -> SpecString:
        """The same spec string with `PATH` for every file and folder: equal wherever they lie."""
        options = {key: PATH if is_path(value) else value for key, value in self.options.items()}
        return SpecString(PATH if self.is_file else self.name, self.package, self.attribute, options)

    @property
    def is_file(self) -> bool:
        """Whether it names an object of a Python file."""
        return self.attribute is not None and is_path(self.name)

    def nested(self, key: str) -> dict[str, str]:
        """This spec string as options of another one: `key=name`, and `key.option=value` for each of its options."""
        return {
            key: str(self.without(*self.options)),
            **{f"{key}.{option}": value for option, value in self.options.items()},
        }

    def grouped(self) -> dict[str, str | SpecString]:
        """Options with dotted keys folded: `dataset=a,dataset.path=b` becomes `dataset` -> the spec `a:path=b`."""
        nested: dict[str, dict[str, str]] = {}
        flat: dict[str, str | SpecString] = {}
        for key, value in self.options.items():
            head, dot, rest = key.partition(".")
            if dot:
                nested.setdefault(head, {})[rest] = value
            else:
                flat[key] = value
        for head, inner in nested.items():
            if head not in flat:
                raise UsageError(f"option {head}.{next(iter(inner))} of {self.name!r} has no {head}=NAME to belong to")
            base = parse(str(flat[head]))
            flat[head] = SpecString(base.name, base.package, base.attribute, {**base.options, **inner})
        return flat


def is_path(value: str) -> bool:
    """Whether an option's value names a file or folder; `parse` has made such values absolute."""
    return Path(value).is_absolute()


def at_any_path(name: str) -> str:
    """A task's name with `PATH` for every file and folder; a name that is no spec string is returned as it is."""
    try:
        return str(parse(name).at_any_path())
    except UserError:
        return name


def parse(text: str) -> SpecString:
    """Parse a spec string.

    Args:
        text: For instance `mobilenet-v2:level=all,policy=each`.

    Returns:
        Its parts.

    Raises:
        UsageError: The text does not follow the grammar.
    """
    if not _is_unicode(text):
        raise UsageError(f"spec string {text!a} is not UTF-8", fix="rename the file or folder that it names")
    head, colon, tail = text.partition(":")
    if colon and not tail:
        raise UsageError(f"spec string {text!r} ends with a colon; expected name:key=value,key=value")
    package, name = _split_head(head, text)
    if _SECOND_COLON.search(tail):
        raise UsageError(
            f"spec string {text!r} has a second colon; options are separated by commas",
            fix=f"write {head}:" + _SECOND_COLON.sub(r"\1,", tail),
        )
    segments = _split_unescaped(tail) if colon else []
    attribute: str | None = None
    if segments and "=" not in segments[0]:
        attribute = segments.pop(0)
        if not _ATTRIBUTE.fullmatch(attribute):
            raise UsageError(f"segment {attribute!r} of {text!r} is neither key=value nor the name of an object")
    options: dict[str, str] = {}
    for segment in segments:
        key, equals, value = segment.partition("=")
        if not equals or not _KEY.fullmatch(key):
            raise UsageError(f"segment {segment!r} of {text!r} is not key=value")
        if key in options:
            raise UsageError(f"option {key!r} stands twice in {text!r}")
        options[key] = _expand_path(_unescape(value))
    return SpecString(name, package, attribute, options)


def parse_recorded(text: str) -> SpecString:
    """Parse a name that stands in a file: results, weights, manifests, cards.

    Only registered names with plain options can be written this way. `module:attribute`, files and option values that
    could be either are refused, because whoever wrote the file is not the user.

    Args:
        text: For instance `mobile-stylegan-ffhq:size=128`.

    Returns:
        Its parts; `attribute` is None and no value holds a colon or a slash.

    Raises:
        UsageError: The text is anything else.
    """
    name, _, options = text.partition(":")
    fields = [segment.partition("=") for segment in options.split(",")] if options else []
    plain = all(_KEY.fullmatch(key) and _RECORDED_VALUE.fullmatch(value) for key, _, value in fields)
    if not plain or not _NAME.fullmatch(name) or name.endswith(".py"):
        raise UsageError(f"{text[:200]!r}, read from a file, is not a registered name with plain options")
    return SpecString(name, options={key: value for key, _, value in fields})


def _is_unicode(text: str) -> bool:
    """Whether a text can be written down: names of files that are not UTF-8 reach Python as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _split_head(head: str, text: str) -> tuple[str | None, str]:
    if head.startswith((".", "/", "~")) or head.endswith(".py"):
        return None, str(user_path(head).absolute())
    package, slash, name = head.rpartition("/")
    if not _NAME.fullmatch(name) or (slash and not _NAME.fullmatch(package)):
        raise UsageError(f"{head!r} in spec string {text!r} is not a name; expected name or package/name")
    return (package if slash else None), name


def _expand_path(value: str) -> str:
    """Make values that are paths absolute, so that the same file is the same option from every folder."""
    if value.startswith((".", "/", "~")) or ("/" in value and exists(value)):
        return str(user_path(value).absolute())
    return value


def _split_unescaped(text: str) -> list[str]:
    """Split at commas that no backslash escapes; a backslash escapes whatever follows it."""
    segments, current, characters = [], "", iter(text)
    for character in characters:
        if character == "\\":
            current += character + next(characters, "")
        elif character == ",":
            segments.append(current)
            current = ""
        else:
            current += character
    return [*segments, current]


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,")


def _unescape(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value)
