"""What a weights file says about itself may be anything: only errors of ours come out of reading it."""

from __future__ import annotations

import copy
import itertools
import json
import struct
from contextlib import suppress

import pytest

from ghbench.errors import DataError, UserError
from ghbench.generators.first_party import shipped_file
from ghbench.generators.loading import generator_plugin
from ghbench.ghfeat.files.weights import load_encoder

ODD = [None, [], {}, 3, -1, 0, "x", "", 1e400, 10**30, True, [[]], {"a": 1}, 5_000, [None], ["x"], "DIGITS"]


def split(path):
    """Header and body of a safetensors file."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*path, key))


def changed(value, path, odd):
    if not path:
        return odd
    value = copy.deepcopy(value)
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = odd
    return value


def write(path, header, body, about):
    """A file with the description `about`; the text DIGITS becomes a number of five thousand digits."""
    said = json.dumps(about).replace('"DIGITS"', "9" * 5_000)
    head = json.dumps(header | {"__metadata__": {"ghbench": said}}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + body)


FILES = {"encoder": "ghfeat-mnist32", "generator": "stylegan2-mnist32"}
READERS = {"encoder": load_encoder, "generator": lambda path: generator_plugin(path).spec()}
FOUND = {
    "encoder": [
        (("architecture",), [[]]),
        (("config",), "x"),
        (("config", "about"), [None]),
        (("architecture", "encoder", "head_channels"), 10**30),
        (("architecture", "encoder", "pyramid_width"), 1e400),
        (("architecture", "encoder", "layout", "levels", 0, 0), ""),
        (("architecture", "encoder", "layout", "rows"), 1e400),
    ],
    "generator": [
        (("architecture",), 3),
        (("architecture", "generator", "class"), []),
        (("architecture", "generator", "arguments", "w_dim"), 0),
        (("architecture", "generator", "arguments", "labels"), -1),
    ],
}
"""Changes that once ended in a traceback."""


@pytest.mark.parametrize("kind", FILES)
def test_odd_descriptions_raise_nothing_but_our_errors(kind, tmp_path):
    header, body = split(shipped_file(FILES[kind]))
    about = json.loads(header["__metadata__"]["ghbench"])
    path = tmp_path / "odd.safetensors"
    for place, odd in FOUND[kind]:
        write(path, header, body, changed(about, place, odd))
        with pytest.raises(DataError):
            READERS[kind](path)
    for place, odd in zip(places(about), itertools.cycle(ODD)):
        write(path, header, body, changed(about, place, odd))
        with suppress(UserError):
            READERS[kind](path)
