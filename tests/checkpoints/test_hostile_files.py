"""Hostile, cut-off and damaged files of every format: a DataError each, nothing executed, memory bounded."""

from __future__ import annotations

import argparse
import os
import pickle
import re
import struct
import tracemalloc
import zipfile

import checkpoint_files as files
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ghbench.checkpoints import read, stylegan2_ada
from ghbench.checkpoints.records import Record
from ghbench.errors import DataError, MissingError

PEAK = 24 * 2**20


class Evil:
    def __reduce__(self):
        return os.system, ("touch canary",)


def refusal(path):
    """What `read` says when it refuses the file, which it must within bounded memory."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as refused:
            read(path)
        assert tracemalloc.get_traced_memory()[1] < PEAK
    finally:
        tracemalloc.stop()
    return str(refused.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_torch_file_is_refused_by_name(tmp_path, zipped):
    path = tmp_path / "x.pt"
    value = files.torch_objects()["rosinality"] | {"args": Evil()}
    torch.save(value, path, _use_new_zipfile_serialization=zipped)
    assert re.search(r"(posix|nt)\.system", refusal(path))


def test_code_in_a_module_is_refused_by_name(tmp_path):
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"G_ema": files.ada_network(), "augment_pipe": Evil()}))
    assert re.search(r"(posix|nt)\.system", refusal(path))


def test_code_in_a_tensorflow_network_is_refused_by_name(tmp_path):
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps((files.Network("G", {"lod": Evil()}),) * 3))
    assert re.search(r"(posix|nt)\.system", refusal(path))


def rewritten(source, target, change, compression=zipfile.ZIP_STORED):
    """Copy a zip file; `change` maps a member's name and content to the new content, or None to leave it out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)


ZIP_TRICKS = {
    "a zip bomb": (lambda name, content: content + bytes(2**26) if name.endswith("data/0") else content, "compressed"),
    "a short storage": (lambda name, content: content[:-1] if name.endswith("data/0") else content, "declared"),
    "a missing storage": (lambda name, content: None if name.endswith("data/0") else content, "data/0"),
    "a missing pickle": (lambda name, content: None if name.endswith("data.pkl") else content, r"torch\.save"),
    "another byte order": (lambda name, content: b"big" if name.endswith("byteorder") else content, "big-endian"),
}


def test_a_zip_file_over_several_disks_is_refused(good_files, tmp_path):
    # What Python's zipfile raises for this already when asked whether the file is a zip file.
    content = good_files["rosinality"].read_bytes()
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, 0, 2)
    end = content.rindex(b"PK\x05\x06")
    start = content.find(b"PK\x06\x07")
    kept = content[:end] if start < 0 else content[:start]
    (tmp_path / "x.pt").write_bytes(kept + locator + content[end:])
    assert re.search("zip file", refusal(tmp_path / "x.pt"))


@pytest.mark.parametrize("trick", ZIP_TRICKS)
def test_a_tricky_zip_file_is_refused(trick, good_files, tmp_path):
    change, reason = ZIP_TRICKS[trick]
    kind = zipfile.ZIP_DEFLATED if trick == "a zip bomb" else zipfile.ZIP_STORED
    rewritten(good_files["rosinality"], tmp_path / "x.pt", change, kind)
    assert re.search(reason, refusal(tmp_path / "x.pt"))


def test_a_program_is_refused(good_files, tmp_path):
    rewritten(good_files["rosinality"], tmp_path / "x.pt", lambda _name, content: content)
    with zipfile.ZipFile(tmp_path / "x.pt", "a") as archive:
        root = archive.namelist()[0].partition("/")[0]
        archive.writestr(f"{root}/constants.pkl", pickle.dumps(()))
    assert re.search("TorchScript", refusal(tmp_path / "x.pt"))


def test_an_endless_configuration_is_refused(tmp_path):
    endless = []
    for _ in range(25):
        endless = [endless, endless]
    value = files.torch_objects()["rosinality"] | {"args": argparse.Namespace(lists=endless)}
    torch.save(value, tmp_path / "x.pt")
    assert re.search("repeats its parts", refusal(tmp_path / "x.pt"))


CONFIG_BOMBS = {
    "one text in a thousand places": lambda: ["a" * 2**19] * 1_000,
    "one dictionary of long keys in a hundred places": lambda: [{f"{key}{'k' * 900}": 0 for key in range(99)}] * 199,
    "a key of bytes in a thousand places": lambda: [{bytes(900): 0}] * 1_000,
    "a key of many texts in a thousand places": lambda: [{("a" * 900,) * 9: 0}] * 1_000,
}


@pytest.mark.parametrize("bomb", CONFIG_BOMBS)
def test_a_configuration_that_grows_is_refused(bomb, tmp_path):
    value = files.torch_objects()["rosinality"] | {"args": argparse.Namespace(lists=CONFIG_BOMBS[bomb]())}
    torch.save(value, tmp_path / "x.pt")
    assert re.search("than it holds", refusal(tmp_path / "x.pt"))


def test_one_tensor_under_thousands_of_names_is_refused(tmp_path):
    names = dict.fromkeys(map(str, range(3_000)), torch.ones(3_000))
    torch.save({"g_ema": names}, tmp_path / "x.pt")
    assert re.search("than it holds", refusal(tmp_path / "x.pt"))


def test_modules_that_share_a_large_dictionary_are_refused(tmp_path):
    leaf = files.Persistent("Layer", dict.fromkeys(map(str, range(1_000))))
    leaves = dict.fromkeys(map(str, range(300)), leaf)
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"G_ema": files.Persistent("Net", modules=leaves)}))
    assert re.search("repeats its parts", refusal(path))


def shared_modules():
    module = files.Persistent("Layer", {"weight": files.parameter(2)})
    for _ in range(25):
        module = files.Persistent("Layer", modules={"left": module, "right": module})
    return module


def old_version():
    module = files.Persistent("Layer")
    module.meta["version"] = 99
    return module


ADA_TRICKS = {
    "shared modules": (shared_modules, "tree of modules"),
    "an unknown version": (old_version, "unknown version"),
    "a child that is no module": (lambda: files.Persistent("Layer", modules={"a": 3}), "persistent class"),
    "a parameter that is no tensor": (lambda: files.Persistent("Layer", {"a": "text"}), "tensor.* str"),
    "names that are no text": (lambda: files.Persistent("Layer", {3: None}), "_parameters"),
    "a long name": (lambda: files.Persistent("Layer", {"a" * 900: None}), "_parameters"),
    "a name of a megabyte": (lambda: files.Persistent("Layer", {"a" * 2**20: None}), "too long"),
}


@pytest.mark.parametrize("trick", ADA_TRICKS)
def test_a_tricky_module_tree_is_refused(trick, tmp_path):
    make, reason = ADA_TRICKS[trick]
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"G_ema": make()}))
    assert re.search(reason, refusal(path))


def test_a_module_that_is_its_own_child_is_refused():
    state = {"_modules": {}}
    meta = {"type": "class", "version": 6, "class_name": "Layer", "state": state}
    state["_modules"]["self"] = Record("torch_utils.persistence._reconstruct_persistent_obj", (meta,))
    with pytest.raises(DataError, match="tree of modules"):
        stylegan2_ada.extract({"G_ema": state["_modules"]["self"]})


def with_state(**changes):
    network = files.Network("G", {"lod": np.float32(0)})
    network.state |= changes
    return network


def nested_networks():
    network = files.Network("G", {})
    for _ in range(12):
        network = files.Network("G", {}, {str(index): network for index in range(8)})
    return network


TENSORFLOW_TRICKS = {
    "objects in place of numbers": (lambda: with_state(variables=[("lod", np.array([{}], object))]), r"numpy\.dtype"),
    "text in place of numbers": (lambda: with_state(variables=[("lod", "text")]), "tensor.* str"),
    "a name twice": (lambda: with_state(variables=[("lod", np.ones(1)), ("lod", np.ones(1))]), "lod"),
    "no variables": (lambda: with_state(variables=None), "without variables"),
    "a version unknown": (lambda: with_state(version="3"), "unknown version"),
    "components that are no networks": (lambda: with_state(components={"mapping": {}}), "TensorFlow network"),
    "components without end": (nested_networks, "TensorFlow network"),
}


@pytest.mark.parametrize("trick", TENSORFLOW_TRICKS)
def test_a_tricky_tensorflow_network_is_refused(trick, tmp_path):
    make, reason = TENSORFLOW_TRICKS[trick]
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps((make(),) * 3))
    assert re.search(reason, refusal(path))


LAUGHS = '<!DOCTYPE net [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
EXTERNAL = '<!DOCTYPE net [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
XML_TRICKS = {
    "an entity bomb": (lambda text: text.replace("<net", LAUGHS + "<net"), "document type"),
    "an outside entity": (lambda text: text.replace("<net", EXTERNAL + "<net"), "document type"),
    "an outside type": (lambda text: text.replace("<net", '<!DOCTYPE net SYSTEM "x.dtd"><net'), "document type"),
    "an offset beyond the file": (lambda text: text.replace('offset="0"', 'offset="999999"'), "outside"),
    "an offset before the file": (lambda text: text.replace('offset="0"', 'offset="-4"'), "outside"),
    "a size beyond the file": (lambda text: text.replace('size="256"', 'size="99999999999"'), "outside"),
    "a larger shape": (lambda text: text.replace('"1,4,4,4"', '"1000000,4,4,4"'), r"\(1000000, 4, 4, 4\)"),
    "a negative shape": (lambda text: text.replace('"1,4,4,4"', '"1,-4,-4,4"'), "shape"),
    "an offset that is no number": (lambda text: text.replace('offset="0"', 'offset="x"'), "damaged"),
    "no offset": (lambda text: text.replace('offset="0"', ""), "damaged"),
    "an unknown type": (lambda text: text.replace('"f16"', '"string"'), "unknown type"),
    "two of a name": (lambda text: text.replace("Mul_39_copy", "axes"), "axes"),
    "another document": (lambda text: text.replace("net ", "html ").replace("</net>", "</html>"), "<html>"),
    "deep nesting": (lambda text: text.replace("<layers>", "<a>" * 9999 + "<layers>"), "nested"),
    "an open end": (lambda text: text[:-3], "damaged"),
}


@pytest.mark.parametrize("trick", XML_TRICKS)
def test_a_tricky_openvino_network_is_refused(trick, tmp_path):
    change, reason = XML_TRICKS[trick]
    path = tmp_path / "net.xml"
    files.write_openvino(path, files.openvino_constants())
    path.write_text(change(path.read_text()))
    assert re.search(reason, refusal(path))


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 2) + b"{]",
        struct.pack("<Q", 61) + b'{"a":{"dtype":"F32","shape":[99999999],"data_offsets":[0,4]}}abcd',
        struct.pack("<Q", 23) + b'{"__metadata__":{"a":1}',
    ],
)
def test_a_tricky_safetensors_file_is_refused(content, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(content)
    assert re.search("safetensors", refusal(tmp_path / "x.safetensors"))


def test_every_format_cut_off_anywhere_is_refused(good_files, tmp_path):
    for name, path in good_files.items():
        content = path.read_bytes()
        target = tmp_path / "cut"
        for length in {*range(0, len(content), max(1, len(content) // 60)), len(content) - 1}:
            target.write_bytes(content[:length])
            if name == "openvino-ir":
                target.with_suffix(".bin").write_bytes(path.with_suffix(".bin").read_bytes())
            with pytest.raises(DataError):
                read(target)


def test_a_cut_off_bin_is_refused(good_files):
    binary = good_files["openvino-ir"].with_suffix(".bin")
    binary.write_bytes(binary.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"\.bin"):
        read(good_files["openvino-ir"])


def test_damaged_files_raise_nothing_but_our_errors(good_files, tmp_path):
    originals = {name: path.read_bytes() for name, path in good_files.items()}
    target = tmp_path / "damaged"
    target.with_suffix(".bin").write_bytes(good_files["openvino-ir"].with_suffix(".bin").read_bytes())

    @settings(max_examples=600, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        name=st.sampled_from(sorted(originals)),
        edits=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6), st.integers(0, 6)), min_size=1, max_size=6),
    )
    def damage(name, edits):
        content = originals[name]
        for place, inserted, removed in edits:
            at = int(place * len(content))
            content = content[:at] + inserted + content[at + removed :]
        target.write_bytes(content)
        try:
            found = read(target)
        except (DataError, MissingError):
            return
        assert all(isinstance(array, np.ndarray) for array in found.tensors.values())

    damage()
