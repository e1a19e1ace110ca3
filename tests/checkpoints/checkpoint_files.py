"""Small checkpoints in every format, written here with look-alikes of the foreign classes."""

from __future__ import annotations

import argparse
import collections
import pickle
import sys
import types

import numpy as np
import torch

from ghbench.checkpoints.tensorflow_tables import generator_table

RNG = np.random.default_rng(0)
CANARY_SOURCE = "import pathlib\npathlib.Path('canary').write_text('executed')\n"


NETWORK_MODULE = "dnnlib.tflib.network"


def reconstruct(meta):
    raise AssertionError("the file was unpickled with Python's pickle")


class EasyDict(dict):
    pass


class Network:
    def __init__(self, name, variables, components=None, version=3):
        self.state = {
            "version": version,
            "name": name,
            "static_kwargs": EasyDict(resolution=16),
            "components": components or {},
            "build_module_src": CANARY_SOURCE,
            "build_func_name": f"build_{name}",
            "variables": list(variables.items()),
        }

    def __getstate__(self):
        return self.state

    def __setstate__(self, state):
        exec(state["build_module_src"])


reconstruct.__module__ = "torch_utils.persistence"
reconstruct.__qualname__ = reconstruct.__name__ = "_reconstruct_persistent_obj"
EasyDict.__module__ = "dnnlib.util"
Network.__module__ = NETWORK_MODULE


def register_look_alikes(monkeypatch):
    """Make the foreign classes' names importable, which `pickle.dumps` insists on."""
    names = ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util", "dnnlib.tflib", NETWORK_MODULE)
    for name in names:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj = reconstruct
    sys.modules["dnnlib.util"].EasyDict = EasyDict
    sys.modules[NETWORK_MODULE].Network = Network


class Persistent:
    """A module as `torch_utils.persistence` pickles it."""

    def __init__(self, class_name, parameters=(), buffers=(), modules=(), passing=(), **kwargs):
        state = {"training": False, "_init_args": (), "_init_kwargs": EasyDict(kwargs)}
        state["_parameters"] = collections.OrderedDict(parameters)
        state["_buffers"] = collections.OrderedDict(buffers)
        state["_modules"] = collections.OrderedDict(modules)
        state["_non_persistent_buffers_set"] = set(passing)
        self.meta = {"type": "class", "version": 6, "module_src": CANARY_SOURCE, "class_name": class_name}
        self.meta["state"] = state

    def __reduce__(self):
        return reconstruct, (self.meta,)


def parameter(*shape):
    return torch.nn.Parameter(torch.from_numpy(RNG.normal(size=shape).astype(np.float32)))


def ada_network():
    layer = Persistent("FullyConnectedLayer", {"weight": parameter(8, 8), "bias": None}, activation="lrelu")
    mapping = Persistent("MappingNetwork", buffers={"w_avg": torch.zeros(8)}, modules={"fc0": layer})
    buffers = {"resample_filter": torch.ones(4, 4), "scratch": torch.ones(2)}
    synthesis = Persistent("SynthesisNetwork", {"const": parameter(4, 4, 4)}, buffers, {"none": None}, ["scratch"])
    return Persistent("Generator", modules={"synthesis": synthesis, "mapping": mapping}, z_dim=8)


def ada_bytes(protocol=4):
    content = {"G": ada_network(), "D": ada_network(), "G_ema": ada_network(), "augment_pipe": None}
    return pickle.dumps({**content, "training_set_kwargs": EasyDict(path="x.zip")}, protocol=protocol)


def stylegan1_variables(*, styled=True):
    table = generator_table({4: 6, 8: 5, 16: 4}, z_dim=7, w_dim=8, mapping_widths=(9, 8), styled=styled)
    return {name: RNG.normal(size=shape).astype(np.float32) for name, shape in table.items()}


def tensorflow_network(name, variables):
    own = {key: value for key, value in variables.items() if "/" not in key}
    components = {}
    for part in ("mapping", "synthesis"):
        inner = {key.removeprefix(f"{part}/"): value for key, value in variables.items() if key.startswith(f"{part}/")}
        if inner:
            components[part] = Network(f"G_{part}", inner)
    return Network(name, own, components)


def tensorflow_bytes(variables=None, encoder=None, protocol=4):
    variables = stylegan1_variables() if variables is None else variables
    generator = [tensorflow_network("G", variables), Network("D", {"lod": np.float32(0)})]
    generator.append(tensorflow_network("Gs", variables))
    start = [] if encoder is None else [Network("E", encoder)]
    return pickle.dumps((*start, *generator), protocol=protocol)


def rosinality_state():
    return {
        "input.input": torch.randn(1, 4, 4, 4),
        "convs.0.conv.weight": torch.randn(1, 3, 4, 3, 3).permute(0, 2, 1, 3, 4),
        "noises.noise_0": torch.randn(1, 1, 4, 4).half(),
    }


def torch_objects():
    state = collections.OrderedDict(rosinality_state())
    optimiser = torch.optim.Adam([parameter(3)])
    decoder = {f"decoder.{name}": value for name, value in rosinality_state().items()}
    return {
        "rosinality": {
            "g": state,
            "d": rosinality_state(),
            "g_ema": torch.nn.Linear(3, 2).state_dict(),
            "g_optim": optimiser.state_dict(),
            "args": argparse.Namespace(size=256, channel_multiplier=2),
            "ada_aug_p": 0.0,
        },
        "rosinality-converted": {"g_ema": state, "latent_avg": torch.randn(4)},
        "genforce": {"generator": state, "generator_smooth": state, "discriminator": rosinality_state()},
        "genforce-training": {"models": {"generator_smooth": state, "encoder": state}, "running_metadata": {"iter": 5}},
        "psp": {"state_dict": {**decoder, "encoder.x": torch.ones(2)}, "latent_avg": None, "opts": {"size": 256}},
    }


def write_openvino(path, constants, *, name="synthesis", extra=""):
    binary, layers = b"", []
    for number, (key, array) in enumerate(constants.items()):
        kind = {"float32": "f32", "float16": "f16", "int64": "i64"}[str(array.dtype)]
        shape = ",".join(map(str, array.shape))
        data = f'<data element_type="{kind}" shape="{shape}" offset="{len(binary)}" size="{array.nbytes}"/>'
        layers.append(f'<layer id="{number}" name="{key}" type="Const" version="opset1">{data}</layer>')
        binary += array.tobytes()
    layers.append('<layer id="99" name="add" type="Add" version="opset1"><data auto_broadcast="numpy"/></layer>')
    text = f'<?xml version="1.0"?>{extra}<net name="{name}" version="10"><layers>{"".join(layers)}</layers></net>'
    path.write_text(text)
    path.with_suffix(".bin").write_bytes(binary)


def openvino_constants():
    return {
        "m.input.input": RNG.normal(size=(1, 4, 4, 4)).astype(np.float32),
        "Mul_39_copy": RNG.normal(size=(2, 3)).astype(np.float16),
        "axes": np.array([1, 2]),
        "number": np.array(3.0, dtype=np.float32),
    }
