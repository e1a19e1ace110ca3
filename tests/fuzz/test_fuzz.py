"""Whatever a file or a name holds, there is a value or a `UserError`: nothing runs, nothing is written elsewhere.

Quick in the suite; `make fuzz` tries as many damaged files of each kind as GHBENCH_FUZZ says, for minutes.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import checkpoint_files
import pytest
from foreign_files import GROUPS
from found import EXAMPLES
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from ghbench.errors import UserError
from ghbench.spec_string import at_any_path, parse, parse_recorded

LONG = int(os.environ.get("GHBENCH_FUZZ", "0"))
PROFILE = settings(
    max_examples=LONG or 40,
    deadline=None,
    database=None,
    derandomize=not LONG,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
SECONDS = 20.0
"""Processor time that a small file may take; a busy machine does not count."""
MARKER = "executed"
PLANTED = ("canary_module:touch", "./canary_module.py:touch")
PICKLED = (
    b"cposix\nsystem\n(S'touch executed'\ntR.",
    b"\x8c\x05posix\x8c\x06system\x93",
    b"cbuiltins\nexec\n",
    b"\x80\x04",
    b".",
    b"(",
    b"t",
    b"R",
    b"b",
    b"N",
    b"}",
    b"]",
    b"\x94",
    b"h\x00",
    b"j\xff\xff\xff\xff",
    b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x8a\xff",
    b"u",
    b"s",
    b"Q",
    b"0",
    b"2",
)
WORDS = (
    *PLANTED,
    "../" * 8 + "etc/passwd",
    "/etc/passwd",
    "C:\\x",
    "nul\0",
    "\ufeff",
    "\u202e",
    "\u2028",
    "é",
    "e\u0301",
    "<script>alert(1)</script>",
    "'; --",
    "NaN",
    "-inf",
    "1e999",
    "9" * 5000,
    "-0",
    "0x10",
    "1_0",
    "²",
    "٣",
    "{" * 60,
    "[" * 60,
    "&a",
    "*a",
    "!!python/object/apply:os.system [x]",
    "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>",
    "&b;",
    "\t",
    "\r",
    "\n",
    ":",
    ",",
    "=",
    ".",
    "~",
    "~nobody/x",
    "",
    "?",
    "|",
    ">",
    "2024-13-45",
    "\x1b[31m",
    "\x85",
)
JSON_VALUES = (
    *map(json.dumps, WORDS),
    '"\\ud800"',
    "null",
    "true",
    "-1",
    "0",
    "1.5",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "9" * 30,
    "9" * 5000,
    "1e-400",
    "[]",
    "{}",
    "[[]]",
    '{"a":1,"a":2}',
    "[" * 5000 + "]" * 5000,
    '[1,"a",null]',
    "[1e308,1e308]",
    '{"":{}}',
    str(2**31),
    str(2**63),
    str(-(2**63) - 1),
)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.symlink",
    "os.link",
    "os.truncate",
    "os.chmod",
    "shutil.rmtree",
}
_NEVER = {
    "os.system",
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "pty.spawn",
    "socket.connect",
    "pickle.find_class",
}
_watch: dict[str, object] = {"folder": None, "seen": []}


def _audit(event, args):
    """What Python tells of every opened file, process and connection, while a reader is at work."""
    folder = _watch["folder"]
    if folder is None:
        return
    if event in _NEVER:
        _watch["seen"].append((event, repr(args)[:200]))
    elif event in _CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & _WRITES):
        path = args[0]
        if isinstance(path, (str, bytes)):
            beside = (
                f"/proc/self/fd/{args[-1]}" if event in _CHANGES and isinstance(args[-1], int) and args[-1] > 0 else ""
            )
            found = os.path.realpath(Path(beside) / os.fsdecode(path))
            if not found.startswith(str(folder)):
                _watch["seen"].append((event, found))


sys.addaudithook(_audit)


@contextmanager
def watched(folder):
    """Fail if anything runs, connects or is written outside `folder` in the block."""
    _watch.update(folder=os.path.realpath(folder), seen=[])
    began = time.process_time()
    try:
        yield
    finally:
        _watch["folder"] = None
    assert not _watch["seen"]
    assert time.process_time() - began < SECONDS
    assert "canary_module" not in sys.modules


@pytest.fixture
def base(tmp_path, monkeypatch):
    """A folder with a module that nothing may import; no reader finds files of the user's."""
    (tmp_path / "canary_module.py").write_text("open('executed', 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("HOME", "CACHE", "DATA"):
        monkeypatch.setenv(f"GHBENCH_{name}", str(tmp_path / "ghbench"))
    checkpoint_files.register_look_alikes(monkeypatch)
    if LONG:
        limit = 12 * 2**30  # a bomb is an error here, and not the end of the process
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    yield tmp_path
    assert not (tmp_path / MARKER).exists()


def spliced(content, pieces):
    """The content with some pieces put in, and some bytes of it left out."""
    edit = st.tuples(st.integers(0, len(content)), pieces, st.one_of(st.integers(0, 8), st.integers(0, len(content))))

    def apply(edits):
        changed = content
        for place, inserted, removed in edits:
            changed = changed[:place] + inserted + changed[place + removed :]
        return changed

    return st.lists(edit, min_size=1, max_size=4).map(apply)


def places(value, path=()):
    yield path
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(part, (*path, key))


def replaced(value, path, text):
    """JSON of the value in which the text stands at a place, whether or not that makes JSON."""
    if not path:
        return text
    inner = replaced(value[path[0]], path[1:], text)
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(
                f"{json.dumps(key)}:{inner if key == path[0] else json.dumps(part)}" for key, part in value.items()
            )
            + "}"
        )
    return "[" + ",".join(inner if place == path[0] else json.dumps(part) for place, part in enumerate(value)) + "]"


def changed_json(text):
    """JSON with odd values at one place after the other, or spliced."""
    value = json.loads(text)
    odd = st.tuples(st.sampled_from(list(places(value))), st.sampled_from(JSON_VALUES))
    pieces = st.sampled_from([piece.encode() for piece in JSON_VALUES]) | st.binary(max_size=6)
    return odd.map(lambda chosen: replaced(value, *chosen).encode()) | spliced(text.encode(), pieces)


def changed_header(content):
    """A safetensors file with another header; the description inside its metadata is JSON of its own."""
    (length,) = struct.unpack("<Q", content[:8])
    header, rest = json.loads(content[8 : 8 + length]), content[8 + length :]
    metadata = header.get("__metadata__", {})

    def inside(key):
        return changed_json(metadata[key]).map(
            lambda text: json.dumps({**header, "__metadata__": {**metadata, key: text.decode(errors="replace")}})
        )

    descriptions = [inside(key) for key, text in metadata.items() if text.startswith(("{", "["))]
    texts = st.one_of(changed_json(json.dumps(header)), *[made.map(str.encode) for made in descriptions])
    return texts.map(lambda text: struct.pack("<Q", len(text)) + text + rest) | spliced(content, st.binary(max_size=9))


def hostile(content, form):
    """Files that were once good, and some that never were."""
    if form == "json":
        return changed_json(content.decode())
    if form == "header":
        return changed_header(content)
    pieces = st.sampled_from(PICKLED) | st.binary(max_size=9)
    if form == "text":
        pieces = st.sampled_from([word.encode(errors="surrogatepass") for word in WORDS]) | st.binary(max_size=4)
    return spliced(content, pieces) | st.binary(max_size=64)


def fuzz(name, reader, folder):
    """Try damaged files of one kind."""
    path = folder / reader.file
    folder.mkdir()
    reader.good(path)
    reader.read(path)  # nothing is left to import
    good, beside = path.read_bytes(), {path.name, path.with_suffix(".bin").name, "out"}

    def attempt(content):
        path.write_bytes(content)
        with watched(folder):
            try:
                reader.read(path)
            except UserError as error:
                str(error).encode()
        assert {entry.name for entry in folder.iterdir()} <= beside

    check = given(hostile(good, reader.form))(attempt)
    for found in EXAMPLES.get(name, ()):
        check = example(found)(check)
    slow = len(good) > 100_000
    settings(PROFILE, max_examples=PROFILE.max_examples // 4 if slow else PROFILE.max_examples)(check)()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("group", GROUPS)
def test_files(base, group):
    failures = []
    for name, reader in GROUPS[group]().items():
        began = time.perf_counter()
        try:
            fuzz(name, reader, base / name.replace(" ", "-"))
        except Exception as error:  # noqa: BLE001 - all are raised together
            error.add_note(f"reader: {name}")
            failures.append(error)
        print(f"{name}: {time.perf_counter() - began:.2f} s")
    if failures:
        raise ExceptionGroup("readers that fail", failures)


TEXTS = st.lists(
    st.sampled_from(WORDS) | st.text(max_size=6) | st.sampled_from(["a", "level=", "a=b", ".py", "orl"])
).map("".join)


def attempt_spec(text):
    try:
        spec = parse(text)
    except UserError as error:
        str(error).encode()
    else:
        assert parse(str(spec)) == spec
        spec.at_any_path()
        with suppress(UserError):
            spec.grouped()
    at_any_path(text)
    try:
        found = parse_recorded(text)
    except UserError as error:
        str(error).encode()
    else:
        assert found.attribute is None
        assert not Path(found.name).is_absolute()
        assert not any(set(value) & set(":/\\~") for value in found.options.values())


def test_spec_strings_and_recorded_names(base):
    def attempt(text):
        with watched(base / "spec"):
            attempt_spec(text)

    check = given(TEXTS)(attempt)
    for found in EXAMPLES["spec string"]:
        check = example(found)(check)
    settings(PROFILE, max_examples=4 * PROFILE.max_examples)(check)()
