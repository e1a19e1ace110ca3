"""What a suite is, and how it is read from YAML: strictly, with the line of what is wrong.

A YAML file may come from anybody, so the names in it are recorded names: they reach registered plugins only. Who
trusts the file allows modules and paths with `--allow-own-code`.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib import resources
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ghbench.digests import digest_json
from ghbench.errors import DataError, MissingError, UsageError
from ghbench.spec_string import parse, parse_recorded

_LARGEST = 1_000_000
_DEEPEST = 20


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class SuiteTask(_Strict):
    """A task of a suite; `chance` and `ceiling` of its first metric normalise its score."""

    task: str
    chance: float | None = None
    ceiling: float | None = None


class SuiteOptions(_Strict):
    """Options of every pair, as `ghbench run` has them."""

    align: str | None = None
    limit: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)
    dtype: Literal["float32", "float16", "int8"] = "float32"


def _task(value: object) -> object:
    return {"task": value} if isinstance(value, str) else value


class Suite(_Strict):
    """Extractors x tasks x options, and how scores are put together, if at all."""

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_. -]{0,59}$")
    version: int = Field(ge=1)
    extractors: list[str] = []
    tasks: list[Annotated[SuiteTask, BeforeValidator(_task)]] = Field(min_length=1)
    options: SuiteOptions = SuiteOptions()
    aggregate: Literal["normalised", "mean-rank"] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Suite:
        for names in (self.extractors, [task.task for task in self.tasks]):
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise ValueError(f"{min(twice)!r} stands twice")
        for task in self.tasks if self.aggregate == "normalised" else ():
            if task.chance is None or task.ceiling is None or task.chance == task.ceiling:
                raise ValueError(f"aggregate: normalised needs two different numbers chance and ceiling of {task.task}")
        if self.aggregate is not None and len(self.tasks) < 2:
            raise ValueError("an aggregate needs at least two tasks")
        return self

    @property
    def digest(self) -> str:
        """Identity of the declaration."""
        return digest_json(self.model_dump(mode="json"))


def suite_of(extractors: Sequence[str], tasks: Sequence[str], name: str = "all tasks") -> Suite:
    """A suite that nobody declared: no aggregate."""
    return Suite(name=name, version=1, extractors=list(extractors), tasks=[SuiteTask(task=task) for task in tasks])


def shipped_suites() -> dict[str, EntryPoint]:
    """Suites that packages register in the group `ghbench.suites` as `package:file`, without the ending `.yaml`."""
    return {entry.name: entry for entry in entry_points(group="ghbench.suites")}


def load_suite(given: str, *, own_code: bool = False) -> Suite:
    """Read a suite.

    Args:
        given: A registered name, or the path of a YAML file.
        own_code: Whether names in a file may be modules, files and paths.

    Raises:
        UsageError: There is no such suite, or a name in it is not a registered one.
        DataError: The file does not describe a suite.
    """
    if Path(given).suffix.lower() in {".yaml", ".yml"}:
        return _suite_of_text(_read(Path(given).expanduser()), given, own_code=own_code)
    known = shipped_suites()
    if given not in known:
        near = difflib.get_close_matches(given, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(
            f"no suite is called {given!r}{hint}", fix=f"name a file ending in .yaml, or one of {', '.join(known)}"
        )
    entry = known[given]
    text = resources.files(entry.module).joinpath(f"{entry.attr}.yaml").read_text(encoding="utf-8")
    return _suite_of_text(text, f"suite {given}", own_code=False)


def _read(path: Path) -> str:
    if not path.exists():
        raise MissingError(f"{path} does not exist; expected a YAML file")
    if not path.is_file():
        raise DataError(f"{path} is not a file")
    if path.stat().st_size > _LARGEST:
        raise DataError(f"{path} has {path.stat().st_size:,} bytes; expected a suite of at most {_LARGEST:,}")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text") from error


def _suite_of_text(text: str, where: str, *, own_code: bool) -> Suite:
    try:
        _refuse_expansion(text, where)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_repeated_keys(root, where)
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that is none
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f", line {mark.line + 1}"
        raise DataError(f"{where}{line}: {getattr(error, 'problem', None) or error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{where} is not a suite; expected the keys name, version, extractors and tasks")
    try:
        suite = Suite.model_validate(content)
    except ValidationError as error:
        lines = [
            f"{where}, line {_line(root, one['loc'])}: {'.'.join(map(str, one['loc'])) or 'suite'}: {one['msg']}"
            for one in error.errors()
        ]
        raise DataError("\n".join(lines), fix="docs/suites.md says what a suite holds") from error
    for key, names in (("extractors", suite.extractors), ("tasks", [task.task for task in suite.tasks])):
        for row, name in enumerate(names):
            try:
                parse(name) if own_code else parse_recorded(name)
            except UsageError as error:
                fix = None if own_code else "give it with --extractor, or add --allow-own-code if you trust the file"
                raise UsageError(f"{where}, line {_line(root, (key, row))}: {error.message}", fix=fix) from error
    return suite


def _refuse_expansion(text: str, where: str) -> None:
    """Aliases can make a small file huge, and deep nesting ends the parser."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > _DEEPEST:
            what = "an alias" if isinstance(event, yaml.AliasEvent) else "deep nesting"
            raise DataError(f"{where}, line {event.start_mark.line + 1}: {what}; expected plain lists and keys")


def _refuse_repeated_keys(node: Any, where: str) -> None:
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen if isinstance(key.value, str) else True:
                raise DataError(f"{where}, line {key.start_mark.line + 1}: a key that stands twice or is no text")
            seen.add(key.value)
            _refuse_repeated_keys(value, where)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_repeated_keys(value, where)


def _line(node: Any, location: Sequence[int | str]) -> int:
    """The line of the innermost part of a location that stands in the file, counted from 1."""
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next((value for key, value in node.value if key.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = node.value[part]
        else:
            found = None
        if found is None:
            break
        node = found
    return int(node.start_mark.line) + 1
