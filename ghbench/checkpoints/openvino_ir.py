"""OpenVINO IR: the constants of an `.xml` and its `.bin`, by name, without OpenVINO."""

from __future__ import annotations

import xml.parsers.expat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.checkpoints.checkpoint import Checkpoint
from ghbench.checkpoints.file_buffer import Buffer, open_buffer
from ghbench.checkpoints.pickled_arrays import element_count
from ghbench.checkpoints.records import Budget, refusal
from ghbench.checkpoints.unpickler import DAMAGE
from ghbench.digests import digest_file, digest_lines
from ghbench.errors import DataError, MissingError

FORMAT = "openvino-ir"
_MAX_XML = 64 * 2**20
_MAX_DEPTH = 64
_TYPES = {
    "f64": "<f8", "f32": "<f4", "f16": "<f2", "i64": "<i8", "i32": "<i4", "i16": "<i2", "i8": "i1",
    "u64": "<u8", "u32": "<u4", "u16": "<u2", "u8": "u1", "boolean": "?",
}  # fmt: skip


@dataclass(frozen=True)
class _Constant:
    name: str
    element_type: str
    shape: tuple[int, ...]
    offset: int
    size: int


def read(path: Path) -> Checkpoint:
    """Read the constants of a network.

    Args:
        path: The `.xml`; the `.bin` of the same name must be beside it.

    Returns:
        Arrays by layer name, and the network's name in `config`.

    Raises:
        DataError: The files are damaged or do not match, or the XML has a document type.
        MissingError: There is no `.bin`.
    """
    binary = path.with_suffix(".bin")
    if not binary.is_file():
        raise MissingError(f"{path.name} needs {binary.name} beside it", fix=f"put {binary.name} into {path.parent}")
    with open_buffer(path) as text:
        if len(text) > _MAX_XML:
            raise refusal(f"the XML file is too large ({len(text)} bytes)")
        reader = _XmlReader()
        reader.parse(text[:])
    with open_buffer(binary) as content:
        budget = Budget.for_file(len(content))
        tensors = {constant.name: _values(constant, content, budget) for constant in reader.constants.values()}
    digest = digest_lines([digest_file(path), digest_file(binary)])
    return Checkpoint(FORMAT, tensors, {"network": reader.network}, digest)


class _XmlReader:
    """Parses the XML. Document types are forbidden, so there are no entities to expand."""

    def __init__(self) -> None:
        self.network = ""
        self.constants: dict[str, _Constant] = {}
        self._layer: str | None = None
        self._depth = 0

    def parse(self, text: bytes) -> None:
        parser = xml.parsers.expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        try:
            parser.Parse(text, True)  # noqa: FBT003 - expat takes no keyword
        except DataError:
            raise
        except (xml.parsers.expat.ExpatError, *DAMAGE) as error:
            raise DataError(f"the XML is damaged: {error}", fix="get the file again") from error

    def _document_type(self, *_declaration: object) -> None:
        raise refusal("the XML has a document type, which OpenVINO never writes")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise refusal("the XML is nested too deeply")
        if self._depth == 1:
            if tag != "net":
                raise refusal(f"the XML starts with <{tag[:80]}>, not with <net>")
            self.network = attributes.get("name", "")
        elif tag == "layer":
            self._layer = attributes.get("name", "") if attributes.get("type") == "Const" else None
        elif tag == "data" and self._layer is not None:
            self._add(self._layer, attributes)
            self._layer = None

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if tag == "layer":
            self._layer = None

    def _add(self, name: str, attributes: dict[str, str]) -> None:
        if not name or name in self.constants:
            raise refusal(f"constant {name[:200]!r} is a duplicate or has no name")
        shape = tuple(int(size) for size in attributes["shape"].split(",") if size.strip())
        self.constants[name] = _Constant(
            name, attributes["element_type"], shape, int(attributes["offset"]), int(attributes["size"])
        )


def _values(constant: _Constant, content: Buffer, budget: Budget) -> NDArray[Any]:
    if constant.element_type not in _TYPES:
        raise refusal(f"constant {constant.name[:200]!r} has the unknown type {constant.element_type[:40]!r}")
    kind = np.dtype(_TYPES[constant.element_type])
    end = constant.offset + constant.size
    if constant.offset < 0 or constant.size < 0 or end > len(content):
        raise refusal(f"constant {constant.name[:200]!r} lies outside its .bin of {len(content)} bytes")
    if element_count(constant.shape) * kind.itemsize != constant.size:
        raise refusal(
            f"constant {constant.name[:200]!r} has {constant.size} bytes, which do not fit its shape {constant.shape}"
        )
    budget.spend_bytes(constant.size)
    return np.frombuffer(bytearray(content[constant.offset : end]), dtype=kind).reshape(constant.shape)
