"""Every foreign format comes back as plain arrays under the file's own names, recognised by its content."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys

import checkpoint_files as files
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ghbench.checkpoints import Checkpoint, match_keys, native, read, tensorflow_pickle, write
from ghbench.checkpoints.tensorflow_tables import encoder_table, generator_table
from ghbench.errors import DataError, MissingError

KINDS = {"rosinality-converted": "rosinality", "genforce-training": "genforce"}


def test_the_format_is_known_by_content_alone(good_files):
    assert len(good_files) == 14
    for name, path in good_files.items():
        kind = name.removesuffix("-old")
        if kind != "openvino-ir":
            path = path.rename(path.with_name("anything.xyz"))
        assert read(path).format == KINDS.get(kind, kind)


def test_safetensors_of_any_header_length_are_no_pickles(tmp_path):
    """Lengths are multiples of 8, and the first byte of some is that of a pickle."""
    first = set()
    for letters in range(0, 264, 8):
        content = Checkpoint("genforce", {"a/b": np.ones(3, np.float32)}, {"x": "y" * letters}, "", ())
        write(tmp_path / "x", content, licence="")
        first.add((tmp_path / "x").read_bytes()[0])
        assert read(tmp_path / "x").format == "native"
    assert 0x80 in first


def test_the_same_file_has_the_same_digest(good_files):
    assert read(good_files["psp"]).digest == read(good_files["psp"]).digest != read(good_files["genforce"]).digest


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_stylegan2_ada_gives_parameters_and_persistent_buffers(tmp_path, protocol):
    path = tmp_path / "network.pkl"
    path.write_bytes(files.ada_bytes(protocol))
    found = read(path)
    assert found.networks == ("G_ema", "D")
    shapes = {name: array.shape for name, array in found.network("G_ema").items()}
    expected = {"synthesis.const": (4, 4, 4), "synthesis.resample_filter": (4, 4)}
    assert shapes == expected | {"mapping.fc0.weight": (8, 8), "mapping.w_avg": (8,)}
    assert found.config["G_ema"] == {
        "class_name": "Generator", "init_args": [], "init_kwargs": {"z_dim": 8},
        "modules": {"mapping.fc0.activation": "lrelu"},
    }  # fmt: skip


def test_stylegan2_ada_values_are_those_of_the_module(tmp_path):
    weight = torch.randn(3, 5)
    network = files.Persistent("Generator", {"weight": torch.nn.Parameter(weight)})
    path = tmp_path / "network.pkl"
    path.write_bytes(pickle.dumps({"G_ema": network}))
    np.testing.assert_array_equal(read(path).tensors["G_ema/weight"], weight.numpy())


@pytest.mark.parametrize("styled", [True, False])
def test_tensorflow_stylegan1_gives_every_variable_by_its_path(tmp_path, styled):
    variables = files.stylegan1_variables(styled=styled)
    path = tmp_path / "karras.pkl"
    path.write_bytes(files.tensorflow_bytes(variables))
    found = read(path)
    assert found.format == "tensorflow-stylegan1"
    assert found.networks == ("G", "D", "Gs")
    average = found.network("Gs")
    assert set(average) == set(variables)
    for name, array in variables.items():
        np.testing.assert_array_equal(average[name], array)
    assert found.config["Gs"]["build_func_name"] == "build_Gs"


def test_a_four_tuple_is_ghfeat(tmp_path, monkeypatch):
    encoder = {"Conv0/weight": np.zeros((7, 7, 3, 2), np.float32)}
    table = {"Conv0/weight": (7, 7, 3, 2)}
    monkeypatch.setattr(tensorflow_pickle, "expected_encoder", lambda _variables: table)
    path = tmp_path / "ghfeat.pkl"
    path.write_bytes(files.tensorflow_bytes(encoder=encoder))
    found = read(path)
    assert found.format == "tensorflow-ghfeat"
    assert found.networks == ("E", "G", "D", "Gs")
    table["HighLevel/weight"] = (8192, 4096)
    with pytest.raises(DataError, match=r"missing: HighLevel/weight, expected \(8192, 4096\)"):
        read(path)


def test_an_encoder_without_heads_is_refused(tmp_path):
    path = tmp_path / "ghfeat.pkl"
    path.write_bytes(files.tensorflow_bytes(encoder={"Conv0/weight": np.zeros((7, 7, 3, 64), np.float32)}))
    with pytest.raises(DataError, match="HighLevel/weight"):
        read(path)


def test_a_stylegan2_pickle_is_known_by_its_modulation_weights(tmp_path):
    variables = {"dlatent_avg": np.zeros(8, np.float32), "synthesis/4x4/Conv/mod_weight": np.zeros((8, 4), np.float32)}
    path = tmp_path / "stylegan2.pkl"
    path.write_bytes(files.tensorflow_bytes(variables))
    assert read(path).format == "tensorflow-stylegan2"


def test_missing_and_misshapen_tensorflow_variables_are_listed(tmp_path):
    variables = files.stylegan1_variables()
    del variables["synthesis/8x8/Conv1/StyleMod/weight"]
    variables["synthesis/noise3"] = np.zeros((1, 1, 9, 9), np.float32)
    variables["synthesis/surplus"] = np.zeros(2, np.float32)
    path = tmp_path / "karras.pkl"
    path.write_bytes(files.tensorflow_bytes(variables))
    with pytest.raises(DataError) as raised:
        read(path)
    assert "missing: synthesis/8x8/Conv1/StyleMod/weight, expected (8, 10)" in str(raised.value)
    assert "wrong shape: synthesis/noise3, expected (1, 1, 8, 8), found (1, 1, 9, 9)" in str(raised.value)
    assert "extra: synthesis/surplus, found (2,)" in str(raised.value)


def test_the_tables_are_those_of_the_published_networks():
    channels = {4: 512, 8: 512, 16: 512, 32: 512, 64: 256, 128: 128, 256: 64}
    table = generator_table(channels, z_dim=512, w_dim=512, mapping_widths=(512,) * 8)
    assert sum(name.startswith("synthesis/") for name in table) == 99
    assert table["synthesis/64x64/Conv0_up/weight"] == (3, 3, 512, 256)
    assert table["synthesis/ToRGB_lod6/weight"] == (1, 1, 512, 3)
    assert table["synthesis/256x256/Conv1/StyleMod/weight"] == (512, 128)
    encoder = encoder_table({"HighLevel": (8192, 4096), "MidLevel": (8192, 4096), "LowLevel": (8192, 1792)})
    assert encoder["stage5/Convb/weight"] == (3, 3, 512, 512)
    assert encoder["stage4_unit1/Shortcut/weight"] == (1, 1, 1024, 2048)
    # 607 MB in float32.
    assert sum(math.prod(shape) for shape in encoder.values()) * 4 == pytest.approx(607e6, rel=0.01)


@pytest.mark.parametrize("zipped", [True, False])
def test_rosinality_gives_the_average_and_the_options(tmp_path, zipped):
    value = files.torch_objects()["rosinality"]
    torch.save(value, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    found = read(tmp_path / "x.pt")
    assert found.networks == ("g_ema", "d")
    for name, tensor in value["g_ema"].items():
        np.testing.assert_array_equal(found.tensors[f"g_ema/{name}"], tensor.numpy())
    for name, tensor in value["d"].items():
        np.testing.assert_array_equal(found.tensors[f"d/{name}"], tensor.numpy())
    assert found.config["args"] == {"size": 256, "channel_multiplier": 2}
    assert "latent_avg" in found.notes[0]


def test_a_converted_rosinality_file_has_its_mean(tmp_path):
    value = files.torch_objects()["rosinality-converted"]
    torch.save(value, tmp_path / "x.pt")
    found = read(tmp_path / "x.pt")
    np.testing.assert_array_equal(found.tensors["latent_avg"], value["latent_avg"].numpy())
    assert found.notes == ()


def test_genforce_and_psp_networks_have_their_own_names(good_files):
    assert read(good_files["genforce"]).networks == ("generator", "generator_smooth", "discriminator")
    assert read(good_files["genforce-training"]).networks == ("generator_smooth", "encoder")
    found = read(good_files["psp"])
    assert found.networks == ("encoder", "decoder")
    assert "convs.0.conv.weight" in found.network("decoder")
    assert found.config["opts"] == {"size": 256}
    with pytest.raises(DataError, match=r"G_ema.*encoder, decoder"):
        found.network("G_ema")


def test_openvino_constants_have_their_original_names(tmp_path):
    constants = files.openvino_constants()
    files.write_openvino(tmp_path / "net.xml", constants)
    found = read(tmp_path / "net.xml")
    assert list(found.tensors) == list(constants)
    for name, array in constants.items():
        np.testing.assert_array_equal(found.tensors[name], array)
    assert found.config == {"network": "synthesis"}
    (tmp_path / "net.bin").unlink()
    with pytest.raises(MissingError, match=r"net\.bin"):
        read(tmp_path / "net.xml")


def test_our_own_files_keep_where_they_come_from(good_files):
    found = read(good_files["native"])
    np.testing.assert_array_equal(found.tensors["a/b"], np.ones(3, np.float32))
    assert found.config["format"] == "genforce"
    assert found.config["source_digest"] == "d" * 64
    assert found.config["licence"] == "Apache-2.0"
    assert found.config["architecture"] == {"size": 32}
    assert found.notes == ("note",)


def test_bfloat16_is_read_exactly(tmp_path):
    wide = torch.randn(3, 2, 4)
    save_file({"a": wide.bfloat16(), "b": wide, "c": torch.ones((), dtype=torch.bfloat16)}, tmp_path / "x.safetensors")
    found = native.read(tmp_path / "x.safetensors").tensors
    assert found["a"].dtype == found["c"].dtype == np.float32
    np.testing.assert_array_equal(found["a"], wide.bfloat16().float().numpy())
    np.testing.assert_array_equal(found["b"], wide.numpy())
    assert found["c"] == 1


def test_matching_names_say_nothing():
    assert match_keys({"a": np.zeros((2, 3))}, {"a": (2, 3)}) is None


def test_a_long_list_of_wrong_names_is_cut():
    with pytest.raises(DataError, match="88 more"):
        match_keys({}, {f"layer{index}": (1,) for index in range(100)})


def test_unknown_content_is_named(tmp_path):
    path = tmp_path / "x.pt"
    torch.save({"epoch": 3, "weights": {}}, path)
    with pytest.raises(DataError, match="'epoch', 'weights'"):
        read(path)
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(DataError, match="list"):
        read(path)
    for page in (b"<!DOCTYPE html><html>", b"\n<html lang='en'>"):
        path.write_bytes(page)
        with pytest.raises(DataError, match="web page"):
            read(path)
    for content in (b"GIF89a", b"", b"\x89PNG"):
        path.write_bytes(content)
        with pytest.raises(DataError) as raised:
            read(path)
        assert "rosinality" in raised.value.fix
    with pytest.raises(DataError, match=r"absent\.pt"):
        read(tmp_path / "absent.pt")


def test_torch_is_not_needed(good_files):
    script = "import sys; from ghbench.checkpoints import read; read(sys.argv[1]); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script, good_files["rosinality"]], check=False)
    assert done.returncode == 0
