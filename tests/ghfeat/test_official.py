"""The authors' encoder: every variable is used, and codes are those of the official program."""

from __future__ import annotations

import pickle
import sys
import types
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional

from ghbench import checkpoints
from ghbench.checkpoints import Checkpoint
from ghbench.checkpoints.tensorflow_tables import encoder_table, generator_table
from ghbench.errors import DataError
from ghbench.generators.conversion.converting import convert
from ghbench.ghfeat.extractor import Ghfeat
from ghbench.ghfeat.files.description import describe_encoder
from ghbench.ghfeat.files.official import OFFICIAL_CHANNELS, encoder_from_official, official_encoder, official_name
from ghbench.ghfeat.files.weights import load_encoder
from ghbench.ghfeat.network.config import EncoderConfig, paper
from ghbench.ghfeat.network.encoder import Encoder
from ghbench.ghfeat.network.layout import adain_layout
from ghbench.ghfeat.network.statistics import layout_statistics
from ghbench.ghfeat.network.trunk import SameConv2d
from ghbench.levels import select_levels

HEADS = {"HighLevel": (8192, 4096), "MidLevel": (8192, 4096), "LowLevel": (8192, 1792)}
TABLE = encoder_table(HEADS)


def test_every_official_variable_has_one_tensor_of_its_shape():
    with torch.device("meta"):
        state = Encoder(paper(adain_layout(OFFICIAL_CHANNELS))).state_dict()
    found = {}
    for name, tensor in state.items():
        theirs = official_name(name)
        if theirs is not None:
            shape = tuple(tensor.shape)
            found[theirs] = (*shape[2:], shape[1], shape[0]) if len(shape) > 1 else shape
    assert found == TABLE


def same(images, kernel, stride=1, *, value=0.0):
    """What TensorFlow calls SAME: as many outputs as inputs over stride, padding as even as can be, less in front."""
    pads = []
    for side in (3, 2):
        length = images.shape[side]
        total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
        pads += [total // 2, total - total // 2]
    return functional.pad(images, pads, value=value)


class OfficialProgram:
    """The official encoder written down once more from its description, on variables by their official names."""

    def __init__(self, variables):
        self.variables = {name: torch.from_numpy(array) for name, array in variables.items()}

    def conv(self, x, scope, stride=1):
        kernel = self.variables[f"{scope}/weight"].permute(3, 2, 0, 1)
        x = functional.conv2d(same(x, kernel.shape[2], stride), kernel, stride=stride)
        bias = self.variables.get(f"{scope}/bias")
        return x if bias is None else x + bias[:, None, None]

    def norm(self, x, scope):
        mean, variance, gamma, beta = (
            self.variables[f"{scope}/batch_norm/{part}"].reshape(-1, *[1] * (x.ndim - 2))
            for part in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        return (x - mean) / torch.sqrt(variance + 1e-5) * gamma + beta

    def bottleneck(self, x, scope, stride):
        carried = x
        if f"{scope}/Shortcut/weight" in self.variables:
            carried = self.norm(self.conv(x, f"{scope}/Shortcut", stride), f"{scope}/Shortcut")
        x = self.norm(self.conv(x, f"{scope}/Conva"), f"{scope}/Conva").relu()
        x = self.norm(self.conv(x, f"{scope}/Convb", stride), f"{scope}/Convb").relu()
        x = self.norm(self.conv(x, f"{scope}/Convc"), f"{scope}/Convc")
        return (x + carried).relu()

    def head(self, x, scope):
        x = x.reshape(x.shape[0], -1) @ self.variables[f"{scope}/weight"] + self.variables[f"{scope}/bias"]
        return self.norm(x, scope)

    def __call__(self, images):
        x = functional.leaky_relu(self.norm(self.conv(images, "Conv0", 2), "Conv0"), 0.2)
        x = functional.max_pool2d(same(x, 3, 2, value=-torch.inf), 3, 2)
        maps = []
        for stage, units in enumerate((3, 4, 6, 3), start=1):
            for unit in range(1, units + 1):
                x = self.bottleneck(x, f"stage{stage}_unit{unit}", 2 if stage > 1 and unit == 1 else 1)
            maps.append(x)
        maps = [*maps[2:], self.bottleneck(x, "stage5", 2)]
        maps = [self.conv(x, f"fpn/lconv_{row}") for row, x in enumerate(maps, start=3)]
        for row in (1, 0):
            maps[row] = maps[row] + maps[row + 1].repeat_interleave(2, 2).repeat_interleave(2, 3)
        maps = [self.conv(x, f"fpn/fconv_{row}") for row, x in enumerate(maps)]
        maps = [functional.adaptive_avg_pool2d(x, 4) for x in maps]
        maps = [self.conv(x, f"fuse_conv_{row}") for row, x in enumerate(maps)]
        aligned = [maps[0] + maps[2], maps[1] + maps[2], maps[2]]
        scopes = ("LowLevel", "MidLevel", "HighLevel")
        return torch.cat([self.head(x, scope) for x, scope in zip(aligned, scopes, strict=True)][::-1], dim=1)


@torch.no_grad()
def test_codes_are_those_of_the_official_program():
    layout = adain_layout({4: 6, 8: 6, 16: 6, 32: 6, 64: 5, 128: 4, 256: 3})
    config = EncoderConfig(layout, width=1 / 16, pyramid_width=8, padding="same")
    with torch.device("meta"):
        state = Encoder(config).state_dict()
    rng = np.random.default_rng(0)
    variables = {}
    for name, tensor in state.items():
        theirs, shape = official_name(name), tuple(tensor.shape)
        if theirs is not None:
            shape = (*shape[2:], shape[1], shape[0]) if len(shape) > 1 else shape
            spread = 1 / np.sqrt(np.prod(shape[:-1])) if len(shape) > 1 else 0.3
            variables[theirs] = rng.normal(scale=spread, size=shape).astype(np.float32)
            if theirs.endswith(("moving_variance", "gamma")):
                variables[theirs] = np.abs(variables[theirs]) + 0.5
    images = torch.from_numpy(rng.uniform(-1, 1, size=(2, 3, 256, 256)).astype(np.float32))
    expected = OfficialProgram(variables)(images)
    codes = encoder_from_official(variables, config)(images)
    torch.testing.assert_close(torch.cat(list(codes.values()), dim=1), expected, rtol=1e-4, atol=1e-5)
    shifted = encoder_from_official(variables, EncoderConfig(layout, width=1 / 16, pyramid_width=8))(images)
    assert not torch.allclose(torch.cat(list(shifted.values()), dim=1), expected, rtol=1e-2, atol=1e-2)


@torch.no_grad()
@pytest.mark.parametrize(("kernel", "before"), [(3, 0), (7, 2)])
def test_odd_padding_is_larger_at_the_end(kernel, before):
    conv = SameConv2d(1, 1, kernel, 2, bias=False)
    torch.nn.init.ones_(conv.weight)
    # Kernels of ones count the pixels that they cover: in a corner, the kernel less what hangs over.
    assert float(conv(torch.ones(1, 1, 16, 16))[0, 0, 0, 0]) == (kernel - before) ** 2
    assert float(conv(torch.ones(1, 1, 16, 16))[0, 0, -1, -1]) == (kernel - (kernel - 2 - before)) ** 2


class Network:
    """Stands in for the class of NVIDIA's program while a test writes a pickle."""

    def __init__(self, variables, components=None):
        self.variables, self.components = variables, components or {}

    def __getstate__(self):
        return {
            "version": 3,
            "name": "network",
            "static_kwargs": {},
            "components": self.components,
            "build_module_src": "raise SystemExit",
            "build_func_name": "build",
            "variables": list(self.variables.items()),
        }


@pytest.fixture(scope="module")
def official_pickle(tmp_path_factory):
    """A pickle as the authors', of full size, in float16 and all zeros but for a few numbers."""
    module = types.ModuleType("dnnlib.tflib.network")
    module.Network = Network
    encoder = {name: np.zeros(shape, np.float16) for name, shape in TABLE.items()}
    for name, array in encoder.items():
        if name.endswith("moving_variance"):
            array[:] = 1
    encoder["HighLevel/batch_norm/beta"][:] = np.arange(4096) / 4096
    encoder["HighLevel/weight"][7, 3] = 0.5
    encoder["fpn/lconv_3/weight"][0, 2, 5, 11] = 0.25
    table = generator_table(OFFICIAL_CHANNELS, z_dim=512, w_dim=512, mapping_widths=(512,) * 8)
    variables = {name: np.zeros(shape, np.float16) for name, shape in table.items()}
    parts = {}
    for part in ("mapping", "synthesis"):
        own = {key.removeprefix(f"{part}/"): array for key, array in variables.items() if key.startswith(f"{part}/")}
        parts[part] = Network(own)
    generator = Network({key: array for key, array in variables.items() if "/" not in key}, parts)
    path = tmp_path_factory.mktemp("official") / "official.pkl"
    with pytest.MonkeyPatch.context() as patch, path.open("wb") as stream:
        patch.setattr(Network, "__module__", module.__name__)
        for name in ("dnnlib", "dnnlib.tflib"):
            patch.setitem(sys.modules, name, types.ModuleType(name))
        patch.setitem(sys.modules, module.__name__, module)
        pickle.dump((Network(encoder), generator, Network({"lod": np.zeros(1)}), generator), stream, protocol=4)
    yield path
    path.unlink()


@torch.no_grad()
def test_an_official_pickle_of_full_size_becomes_an_encoder(official_pickle, tmp_path):
    saved = load_encoder(official_pickle)
    assert saved.official
    assert saved.encoder.config == paper(adain_layout(OFFICIAL_CHANNELS), padding="same")
    assert sum(parameter.numel() for parameter in saved.encoder.parameters()) == 151_766_976
    assert float(saved.encoder.heads["high"].dense.weight[3, 7]) == 0.5
    assert float(saved.encoder.pyramid.lateral[0].weight[11, 5, 0, 2]) == 0.25
    codes = saved.encoder(torch.zeros(1, 3, 256, 256))
    torch.testing.assert_close(codes["r4.conv"][0], torch.arange(1024, 2048) / 4096, rtol=1e-3, atol=1e-3)
    assert "CC BY-NC" in saved.licence


@torch.no_grad()
def test_a_converted_pickle_is_the_same_encoder(official_pickle, tmp_path):
    convert(official_pickle, tmp_path / "g.safetensors")
    saved = load_encoder(tmp_path / "g.safetensors")
    assert saved.official
    assert saved.encoder.config == paper(adain_layout(OFFICIAL_CHANNELS), padding="same")
    assert float(saved.encoder.heads["high"].dense.weight[3, 7]) == 0.5
    assert "CC BY-NC" in saved.licence
    described = describe_encoder(tmp_path / "g.safetensors")
    assert (described.official, described.generator) == (True, str(tmp_path / "g.safetensors"))


def test_an_official_pickle_is_an_extractor_with_its_own_generator(official_pickle, monkeypatch):
    monkeypatch.setattr("ghbench.ghfeat.codec.layout_statistics", partial(layout_statistics, samples=50))
    extractor = Ghfeat(str(official_pickle))
    spec = extractor.spec()
    assert [(level.name, level.dim) for level in spec.levels] == [
        (level.name, level.width) for level in adain_layout(OFFICIAL_CHANNELS).levels
    ]
    assert select_levels(spec, "5-9") == ("r16.conv", "r32.up", "r32.conv", "r64.up", "r64.conv")
    assert (spec.preprocessing.size, spec.preprocessing.align) == ((256, 256), "ffhq")
    features = extractor.extract(np.zeros((1, 3, 256, 256), np.uint8))
    # All weights of this generator are 0, so its codes never vary: no number of theirs says anything.
    assert spec.centred
    assert not any(values.any() for values in features.values())
    assert extractor.decode(features).shape == (1, 3, 256, 256)


def test_an_encoder_converted_alone_is_assumed_to_have_256_px():
    tensors = {f"E/{name}": np.zeros((1,)) for name in TABLE}
    with pytest.raises(DataError, match="Conv0/weight"):
        official_encoder(Checkpoint("native", tensors, {}, ""))


def test_a_generator_pickle_has_no_encoder(tmp_path):
    checkpoints.write(tmp_path / "g.safetensors", Checkpoint("genforce", {"Gs/x": np.ones(2)}, {}, ""), licence="none")
    with pytest.raises(DataError, match="Gs"):
        load_encoder(tmp_path / "g.safetensors")
