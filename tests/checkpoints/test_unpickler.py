"""The unpickler: honest pickles of every protocol come back whole; hostile ones are refused by name and never run."""

from __future__ import annotations

import argparse
import builtins
import codecs
import collections
import functools
import importlib
import io
import operator
import os
import pickle
import runpy
import struct
import subprocess
import sys
import textwrap
import time
import tracemalloc

import numpy as np
import pytest
import torch

from ghbench.checkpoints.pickled_arrays import NUMPY
from ghbench.checkpoints.plain_globals import CONTAINERS, EASY_DICT, NAMESPACE
from ghbench.checkpoints.records import Budget, inert
from ghbench.checkpoints.torch_tensors import NESTED_STORAGE, TENSORS, as_array
from ghbench.checkpoints.unpickler import load_pickle
from ghbench.errors import DataError

# Everything that any format allows, so that a refusal here is a refusal everywhere.
ALL = {**CONTAINERS, **NUMPY, **EASY_DICT, **NAMESPACE, **TENSORS, **NESTED_STORAGE}
ALL["torch_utils.persistence._reconstruct_persistent_obj"] = inert("persistent")
ALL["dnnlib.tflib.network.Network"] = inert("Network")
PEAK = 24 * 2**20


class Calls:
    """Pickles as a call of `function`; with `state`, followed by BUILD."""

    def __init__(self, function, *arguments, state=None):
        self.parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.parts


def named(module, name):
    return f"c{module}\n{name}\n".encode()


def text(value):
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


@pytest.mark.parametrize("protocol", range(6))
def test_plain_containers_and_arrays_come_back(protocol):
    array = np.arange(600, dtype=np.float32).reshape(20, 30)
    value = {
        "array": array,
        "fortran": np.asfortranarray(array),
        "big_endian": array.astype(">f4"),
        "scalar": np.float64(2.5),
        "plain": [1, -5, 2**70, 2.5, True, False, None, "ü", b"\x00\xff", (1, 2, 3, 4), ()],
        "set": {1, 2},
        "ordered": collections.OrderedDict(a=1),
        "namespace": argparse.Namespace(size=256),
    }
    value["again"] = value["array"]
    found = load_pickle(pickle.dumps(value, protocol=protocol), ALL)
    for name in ("array", "fortran", "big_endian"):
        np.testing.assert_array_equal(found[name], value[name])
    assert found["again"] is found["array"]
    assert found["namespace"].state == {"size": 256}
    for name in ("scalar", "plain", "set", "ordered"):
        assert found[name] == value[name]


def test_tensors_in_plain_pickles_come_back_without_torch_load():
    value = {
        "transposed": torch.arange(12.0).reshape(3, 4).T,
        "parameter": torch.nn.Parameter(torch.ones(4)),
        "half": torch.arange(3).half(),
        "bfloat16": torch.linspace(-3, 3, 300).bfloat16(),
        "empty": torch.empty(0, 3),
        "number": torch.tensor(3.0),
    }
    found = load_pickle(pickle.dumps(value), ALL)
    for name, tensor in value.items():
        np.testing.assert_array_equal(as_array(found[name]), tensor.detach().float().numpy())


HOSTILE_CALLS = {
    "os.system": lambda canary: Calls(os.system, f"touch {canary}"),
    "builtins.eval": lambda canary: Calls(eval, f"open({canary!r}, 'w').close()"),
    "builtins.exec": lambda canary: Calls(exec, f"open({canary!r}, 'w').close()"),
    "builtins.open": lambda canary: Calls(open, canary, "w"),
    "builtins.__import__": lambda canary: Calls(__import__, "antigravity"),
    "subprocess.Popen": lambda canary: Calls(subprocess.Popen, ("touch", canary)),
    "builtins.getattr": lambda canary: Calls(getattr, Calls(importlib.import_module, "os"), "system"),
    "importlib.import_module": lambda canary: Calls(importlib.import_module, "os"),
    "operator.attrgetter": lambda canary: operator.attrgetter("system"),
    "operator.methodcaller": lambda canary: Calls(operator.methodcaller, "touch"),
    "functools.partial": lambda canary: functools.partial(os.system, f"touch {canary}"),
    "runpy.run_path": lambda canary: Calls(runpy.run_path, canary),
    "builtins.map": lambda canary: Calls(map, os.system, [f"touch {canary}"]),
    "_codecs.decode": lambda canary: Calls(codecs.decode, b"x", "zlib"),
    "codecs.getdecoder": lambda canary: Calls(codecs.getdecoder, "utf-8"),
    "torch.serialization.load": lambda canary: Calls(torch.load, canary),
    "pickle.loads": lambda canary: Calls(pickle.loads, pickle.dumps(Calls(os.system, f"touch {canary}"))),
    "numpy.load": lambda canary: Calls(np.load, canary),
}
WRITTEN_AS = {"os.system": f"{os.system.__module__}.system", "pickle.loads": f"{pickle.loads.__module__}.loads"}
WRITTEN_AS["numpy.load"] = "numpy"
WRITTEN_AS["builtins.open"] = "open"


@pytest.mark.parametrize("name", HOSTILE_CALLS)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_name_outside_the_list_is_refused_by_name(name, protocol, tmp_path):
    canary = tmp_path / "canary"
    file = tmp_path / "checkpoint.pkl"
    file.write_bytes(pickle.dumps({"G_ema": HOSTILE_CALLS[name](str(canary))}, protocol=protocol, fix_imports=False))
    with pytest.raises(DataError) as raised:
        load_pickle(file, ALL)
    assert WRITTEN_AS.get(name, name) in str(raised.value)
    assert not canary.exists()


def nested_torch_payload(canary):
    """What opens `torch.storage._load_from_bytes` in naive readers: pickles inside the bytes of a storage."""
    head = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
    return head + pickle.dumps(Calls(os.system, f"touch {canary}"), 2)


def storage_inside_storage(canary):
    inner = Calls(torch.storage._load_from_bytes, nested_torch_payload(canary))
    head = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
    return head + pickle.dumps(inner, 2)


RECONSTRUCT = np.empty(3).__reduce__()[0]
# Allowed names with hostile arguments: (pickle, what the message says).
TRICKS = {
    "a nested torch payload": (
        lambda canary: pickle.dumps(Calls(torch.storage._load_from_bytes, nested_torch_payload(canary))),
        "posix.system|nt.system",
    ),
    "a storage in a storage": (
        lambda canary: pickle.dumps(Calls(torch.storage._load_from_bytes, storage_inside_storage(canary))),
        "torch.storage._load_from_bytes",
    ),
    "torch.storage._load_from_bytes of a path": (
        lambda canary: pickle.dumps(Calls(torch.storage._load_from_bytes, canary)),
        "_load_from_bytes",
    ),
    "an array of objects": (lambda canary: pickle.dumps(np.array([{"a": 1}], dtype=object)), "numpy.dtype"),
    "an array of records": (lambda canary: pickle.dumps(np.zeros(2, dtype=[("a", "f4")])), "numpy.dtype"),
    "numpy _reconstruct of another class": (
        lambda canary: pickle.dumps(Calls(RECONSTRUCT, np.matrix, (0,), b"b")),
        "numpy.*matrix",
    ),
    "numpy _reconstruct of a large shape": (
        lambda canary: pickle.dumps(Calls(RECONSTRUCT, np.ndarray, (2**40,), b"b")),
        "_reconstruct",
    ),
    "another codec": (lambda canary: pickle.dumps(Calls(codecs.encode, "x", "zlib_codec")), "latin1"),
    "a codec of a file": (lambda canary: pickle.dumps(Calls(codecs.encode, "x", "rot13")), "latin1"),
    "a state for a function": (
        lambda canary: b"\x80\x02" + named("collections", "OrderedDict") + b"}" + text("a") + b"K\x01sb.",
        "a state for a Global",
    ),
    "two states": (
        lambda canary: (
            b"\x80\x02" + named("argparse", "Namespace") + b")\x81" + b"}" + text("a") + b"K\x01sb" + b"}b" + b"."
        ),
        "two states",
    ),
    "a state for a number": (lambda canary: b"\x80\x02K\x01}b.", "a state for a int"),
    "attributes of a list": (lambda canary: b"\x80\x02]}" + text("a") + b"K\x01sb.", "a state for a list"),
    "a call of a value": (lambda canary: b"\x80\x02" + named("torch", "float32") + b")R.", "torch.float32"),
    "a call of a text": (lambda canary: b"\x80\x02" + text("os.system") + text(canary) + b"\x85R.", " str"),
    "a call without arguments": (
        lambda canary: b"\x80\x02" + named("collections", "OrderedDict") + b"K\x01R.",
        "tuple",
    ),
    "INST": (lambda canary: b"(" + text(f"touch {canary}") + b"ios\nsystem\n.", "os.system"),
    "OBJ": (lambda canary: b"(" + named("os", "system") + text(canary) + b"o.", "os.system"),
    "NEWOBJ": (lambda canary: b"\x80\x02" + named("os", "system") + text(canary) + b"\x85\x81.", "os.system"),
    "NEWOBJ_EX": (
        lambda canary: b"\x80\x04" + named("argparse", "Namespace") + b")}\x92.",
        "instruction",
    ),
    "a dotted name": (lambda canary: b"\x80\x04" + text("os") + text("path.os.system") + b"\x93.", "os.path.os.system"),
    "a name that is a list": (lambda canary: b"\x80\x04]]\x93.", "not text"),
    "a name with terminal codes": (lambda canary: b"\x80\x04" + text("os\x1b[2J") + text("s") + b"\x93.", r"\\x1b"),
    "copyreg of a class": (
        lambda canary: (
            b"\x80\x02"
            + named("copyreg", "_reconstructor")
            + named("copyreg", "_reconstructor")
            + named("builtins", "object")
            + b"N\x87R."
        ),
        "copyreg._reconstructor",
    ),
    "EXT1": (lambda canary: b"\x80\x02\x82\x01.", "instruction"),
    "EXT2": (lambda canary: b"\x80\x02\x83\x01\x00.", "instruction"),
    "EXT4": (lambda canary: b"\x80\x02\x84\x01\x00\x00\x00.", "instruction"),
    "out-of-band buffers": (lambda canary: b"\x80\x05\x97.", "instruction"),
    "a persistent id": (lambda canary: b"\x80\x02" + text("storage") + b"Q.", "persistent ids"),
    "a persistent id as text": (lambda canary: b"Pstorage\n.", "persistent ids"),
    "a future protocol": (lambda canary: b"\x80\x7fN.", "127"),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_an_allowed_name_with_hostile_arguments_is_refused(trick, tmp_path):
    make, reason = TRICKS[trick]
    canary = tmp_path / "canary"
    with pytest.raises(DataError, match=reason):
        load_pickle(make(str(canary)), ALL)
    assert not canary.exists()


def _stored_text(length):
    """What `torch.storage._load_from_bytes` reads: a small storage, after a text that is dropped."""
    stream = io.BytesIO()
    torch.save(torch.ones(2).untyped_storage(), stream, _use_new_zipfile_serialization=False)
    return stream.getvalue().replace(b"}q\x00(X\x10", b"}q\x00(" + text("a" * length) + b"0X\x10", 1)


DTYPE = named("numpy", "dtype") + text("f4") + b"\x85R"
ARRAY = named("numpy.core.multiarray", "_reconstruct") + named("numpy", "ndarray") + b"K\x00\x85C\x01b\x87R"
HUGE = b"\x8a\x08" + struct.pack("<q", 2**38)
GIBIBYTE = struct.pack("<Q", 2**40)
_STORED = _stored_text(2**18)
BOMBS = {
    "a declared array": b"\x80\x02" + ARRAY + b"(K\x01" + HUGE + b"\x85" + DTYPE + b"\x89C\x04aaaatb.",
    "an array of size zero types": b"\x80\x02" + named("numpy", "dtype") + text("S0") + b"\x85R.",
    "declared bytes": b"\x80\x04\x8e" + GIBIBYTE + b"a.",
    "declared text": b"\x80\x04\x8d" + GIBIBYTE + b"a.",
    "a declared bytearray": b"\x80\x05\x96" + GIBIBYTE + b"a.",
    "a declared integer": b"\x80\x02\x8b" + struct.pack("<I", 2**31 - 1) + b"a.",
    "a long integer": b"I" + b"9" * 4000 + b"\n.",
    "zeros of bytes()": b"\x80\x02" + named("builtins", "bytes") + b"J\xff\xff\xff\x7f\x85R.",
    "nested marks": b"\x80\x02" + b"(" * 100_000,
    "nested lists": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "nested tuples": b"\x80\x02)" + b"\x85" * 100_000 + b".",
    "nested tuples as a key": b"\x80\x02})" + b"\x85" * 100_000 + b"Ns.",
    "a dictionary of a cycle": b"\x80\x02]q\x00h\x00a" + b"}h\x00Ns.",
    "a text encoded again and again": (
        b"\x80\x02" + named("_codecs", "encode") + b"q\x00" + text("a" * 2**20) + b"q\x01" + text("latin1") + b"q\x02("
        b"" + b"h\x00h\x01h\x02\x86R" * 50_000 + b"t."
    ),
    "a list made into sets again and again": (
        b"\x80\x02"
        + named("builtins", "set")
        + b"q\x00]("
        + b"K\x01" * 50_000
        + b"eq\x01("
        + b"h\x00h\x01\x85R" * 50_000
    ),
    "sizes copied again and again": (
        b"\x80\x02](" + b"N" * 50_000 + b"eq\x00" + named("torch", "Size") + b"q\x01(" + b"h\x01h\x00\x85R" * 30_000
    ),
    "a tuple key hashed again and again": (
        b"\x80\x02(" + b"N" * 50_000 + b"tq\x00}q\x01" + b"h\x00Ns" * 100_000 + b"."
    ),
    "a text key of a megabyte": b"\x80\x02}" + text("a" * 2**20) + b"q\x00Ns" + b"h\x00Ns" * 90_000 + b".",
    "numbers of one hash as keys": b"\x80\x02}("
    + b"".join(b"\x8a\x0b" + ((2**61 - 1) * index).to_bytes(11, "little") + b"N" for index in range(100_000))
    + b"u.",
    "numbers of one hash as members": b"\x80\x04("
    + b"".join(b"\x8a\x0b" + ((2**61 - 1) * index).to_bytes(11, "little") for index in range(100_000))
    + b"\x91.",
    "a long name looked up": b"\x80\x04" + text("a" * 2**20) + b"q\x00h\x00\x93.",
    "a storage read again and again": (
        b"\x80\x02"
        + named("torch.storage", "_load_from_bytes")
        + b"q\x00B"
        + struct.pack("<I", len(_STORED))
        + _STORED
        + b"q\x01("
        + b"h\x00h\x01\x85R" * 50_000
        + b"t."
    ),
    "an array filled again and again": (
        b"\x80\x02" + DTYPE + b"q\x00B" + struct.pack("<I", 2**20) + b"a" * 2**20 + b"q\x01]"
        b"" + (ARRAY + b"(K\x01J" + struct.pack("<i", 2**18) + b"\x85h\x00\x89h\x01tba") * 100 + b"."
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_memory_bomb_is_refused_before_it_grows(bomb):
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(DataError):
            load_pickle(BOMBS[bomb], ALL)
        assert time.process_time() - start < 10
        assert tracemalloc.get_traced_memory()[1] < PEAK
    finally:
        tracemalloc.stop()


def test_too_many_instructions_are_refused():
    with pytest.raises(DataError, match="instructions"):
        load_pickle(b"\x80\x02" + b"N0" * 5_000 + b"N.", ALL, budget=Budget(steps=10_000))


def test_a_memo_index_costs_no_memory():
    tracemalloc.start()
    try:
        assert load_pickle(b"\x80\x02Nr" + struct.pack("<I", 2**32 - 1) + b".", ALL) is None
        assert tracemalloc.get_traced_memory()[1] < PEAK
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="address space limits are Linux's")
def test_bombs_stay_below_an_address_space_limit(tmp_path):
    (tmp_path / "bombs.pkl").write_bytes(pickle.dumps(BOMBS))
    script = textwrap.dedent(
        f"""
        import pickle, resource
        from pathlib import Path
        import numpy
        from ghbench.checkpoints.unpickler import load_pickle
        from ghbench.checkpoints.pickled_arrays import NUMPY
        from ghbench.checkpoints.plain_globals import CONTAINERS
        from ghbench.errors import DataError
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        bombs = pickle.loads(Path({str(tmp_path / "bombs.pkl")!r}).read_bytes())
        resource.setrlimit(resource.RLIMIT_AS, (used + 256 * 2**20,) * 2)
        refused = 0
        for bomb in bombs.values():
            try:
                load_pickle(bomb, {{**CONTAINERS, **NUMPY}})
            except DataError as error:
                assert "MemoryError" not in str(error), error
                refused += 1
        assert refused == len(bombs)
        """
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_truncation_is_refused():
    content = pickle.dumps({"array": np.arange(500.0), "tensor": torch.arange(4.0), "n": argparse.Namespace(a=1)})
    load_pickle(content, ALL)
    for length in range(len(content)):
        with pytest.raises(DataError):
            load_pickle(content[:length], ALL)


def test_streams_and_missing_and_empty_files(tmp_path):
    assert load_pickle(io.BytesIO(pickle.dumps([1])), ALL) == [1]
    (tmp_path / "empty.pkl").touch()
    with pytest.raises(DataError, match="empty"):
        load_pickle(tmp_path / "empty.pkl", ALL)
    with pytest.raises(DataError, match=r"absent\.pkl"):
        load_pickle(tmp_path / "absent.pkl", ALL)


def test_a_tensor_beyond_its_storage_is_refused():
    storage = torch.arange(4.0).untyped_storage()
    typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
    rebuild = torch._utils._rebuild_tensor_v2
    for offset, shape, stride in [
        (1, (4,), (1,)),
        (0, (3,), (2,)),
        (0, (2**39,), (0,)),
        (-1, (1,), (1,)),
        (0, (2,), (-1,)),
    ]:
        with pytest.raises(DataError, match=r"tensor|array"):
            load_pickle(pickle.dumps(Calls(rebuild, typed, offset, shape, stride, 0, {})), ALL)


def test_no_name_of_python_itself_is_ever_called():
    callables = {name for name, call in ALL.items() if call is not None and call.__module__.split(".")[0] != "ghbench"}
    assert not callables
    assert not any(call in vars(builtins).values() for call in ALL.values() if call is not None)


def test_the_largest_object_an_instruction_can_make_stays_bounded():
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="instructions"):
            load_pickle(b"\x80\x04(" + b"\x8f" * 500_000 + b"t.", ALL)
        assert tracemalloc.get_traced_memory()[1] < 160 * 2**20
    finally:
        tracemalloc.stop()
