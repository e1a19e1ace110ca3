"""The golden weights as files: what each reference program would have written, byte by byte readable by ours."""

import pickle
import re
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "checkpoints"))
import checkpoint_files as files

BUFFERS = {"w_avg", "noise_const", "resample_filter"}


def write_ada(path, file, *, clamp=None):
    """A stylegan2-ada-pytorch pickle of the golden weights."""
    limit = {} if clamp is None else {"conv_clamp": clamp}
    generator = module_tree("Generator", file.below("G_ema/"), synthesis_kwargs=files.EasyDict(limit))
    discriminator = module_tree("Discriminator", file.below("D/"), **limit)
    content = {"G": generator, "D": discriminator, "G_ema": generator, "augment_pipe": None}
    path.write_bytes(pickle.dumps({**content, "training_set_kwargs": files.EasyDict()}))


def module_tree(name, state, **settings):
    own, children = {}, {}
    for key, value in state.items():
        head, dot, rest = key.partition(".")
        if dot:
            children.setdefault(head, {})[rest] = value
        else:
            own[key] = value
    parameters = {key: torch.nn.Parameter(value) for key, value in own.items() if key not in BUFFERS}
    buffers = {key: value for key, value in own.items() if key in BUFFERS}
    modules = {key: module_tree("Layer", inner) for key, inner in children.items()}
    return files.Persistent(name, parameters, buffers, modules, **settings)


def write_tensorflow(path, generator, discriminator, **settings):
    """A TensorFlow pickle (G, D, Gs)."""
    average = files.tensorflow_network("Gs", generator)
    average.state["static_kwargs"] = files.EasyDict(settings)
    raw = files.tensorflow_network("G", {name: np.zeros_like(value) for name, value in generator.items()})
    path.write_bytes(pickle.dumps((raw, files.Network("D", discriminator), average)))


def kernel(tensor):
    return tensor.numpy().transpose(2, 3, 1, 0)


def tensorflow_stylegan2(state):
    """Variables of TensorFlow's StyleGAN2 with the weights of a stylegan2-ada-pytorch generator."""
    found = {"dlatent_avg": state["mapping.w_avg"].numpy(), "lod": np.float32(0)}
    found["synthesis/4x4/Const/const"] = state["synthesis.b4.const"].numpy()[None]
    for name, value in state.items():
        if match := re.fullmatch(r"mapping\.fc(\d+)\.(\w+)", name):
            found[f"mapping/Dense{match[1]}/{match[2]}"] = value.numpy().T
        elif match := re.fullmatch(r"synthesis\.b(\d+)\.(conv0|conv1|torgb|skip)\.((?!resample_filter).+)", name):
            variable, array = tensorflow_layer(int(match[1]), match[2], match[3], value)
            found[f"synthesis/{variable}"] = array
    return {name: np.array(value) for name, value in found.items()}


def tensorflow_layer(side, part, rest, value):
    if rest == "noise_const":
        return f"noise{2 * (side.bit_length() - 3) - (part == 'conv0')}", value.numpy()[None, None]
    layers = {"conv0": "Conv0_up", "conv1": "Conv" if side == 4 else "Conv1", "torgb": "ToRGB", "skip": "Skip"}
    place = f"{side}x{side}/{layers[part]}"
    if rest == "weight":
        turned = part in {"conv0", "skip"}
        return f"{place}/weight", kernel(value)[::-1, ::-1] if turned else kernel(value)
    if rest == "affine.weight":
        return f"{place}/mod_weight", value.numpy().T
    if rest == "affine.bias":
        return f"{place}/mod_bias", value.numpy() - 1
    return f"{place}/{rest}", value.numpy()


def tensorflow_stylegan2_discriminator(state):
    parts = {"fromrgb": "FromRGB", "conv0": "Conv0", "conv1": "Conv1_down", "skip": "Skip"}
    ends = {"b4.conv": "4x4/Conv", "b4.fc": "4x4/Dense0", "b4.out": "Output", "b4.fromrgb": "4x4/FromRGB"}
    found = {}
    for name, value in state.items():
        layer, _, rest = name.rpartition(".")
        if rest == "resample_filter":
            continue
        block, _, part = layer.partition(".")
        place = ends.get(layer) or f"{block[1:]}x{block[1:]}/{parts[part]}"
        found[f"{place}/{rest}"] = kernel(value) if value.ndim == 4 else value.numpy().T
    return {name: np.array(value) for name, value in found.items()}


def tensorflow_stylegan1(state):
    """Variables of TensorFlow's StyleGAN1 with the weights of a genforce generator."""
    found = {"dlatent_avg": state["truncation.w_avg"].numpy(), "lod": np.float32(0), "synthesis/lod": np.float32(0)}
    found["synthesis/4x4/Const/const"] = state["synthesis.layer0.const"].numpy()
    last = max(int(match[1]) for name in state if (match := re.match(r"synthesis\.output(\d+)", name)))
    for name, value in state.items():
        if match := re.fullmatch(r"mapping\.dense(\d+)\.(\w+)", name):
            found[f"mapping/Dense{match[1]}/{match[2]}"] = value.numpy().T
        elif match := re.fullmatch(r"synthesis\.output(\d+)\.(\w+)", name):
            whole = kernel(value) if match[2] == "weight" else value.numpy()
            found[f"synthesis/ToRGB_lod{last - int(match[1])}/{match[2]}"] = whole
        elif match := re.fullmatch(r"synthesis\.layer(\d+)\.(.+)", name):
            number, rest = int(match[1]), match[2]
            side = 4 * 2 ** (number // 2)
            layer = ("Const", "Conv")[number] if number < 2 else ("Conv0_up", "Conv1")[number % 2]
            place = f"synthesis/{side}x{side}/{layer}"
            if rest == "weight":
                found[f"{place}/weight"] = kernel(value)
            elif rest.startswith("style."):
                found[f"{place}/StyleMod/{rest[6:]}"] = value.numpy().T
            elif rest == "apply_noise.noise":
                found[f"synthesis/noise{number}"] = value.numpy()
            elif rest == "apply_noise.weight":
                found[f"{place}/Noise/weight"] = value.numpy()
            elif rest == "bias":
                found[f"{place}/bias"] = value.numpy()
    return {name: np.array(value) for name, value in found.items()}


def tensorflow_stylegan1_discriminator(state):
    entries = {int(match[1]) for name in state if (match := re.match(r"input(\d+)", name))}
    halvings = max(entries)
    names = {}
    for number in range(2 * halvings):
        side = 4 * 2 ** (halvings - number // 2)
        names[f"layer{number}"] = f"{side}x{side}/{('Conv0', 'Conv1_down')[number % 2]}"
    for step, layer in enumerate(("4x4/Conv", "4x4/Dense0", "4x4/Dense1")):
        names[f"layer{2 * halvings + step}"] = layer
    names |= {f"input{entry}": f"FromRGB_lod{entry}" for entry in entries}
    found = {"lod": np.float32(0)}
    for name, value in state.items():
        layer, _, rest = name.partition(".")
        if layer in names and rest in {"weight", "bias"}:
            found[f"{names[layer]}/{rest}"] = kernel(value) if value.ndim == 4 else value.numpy().T
    return {name: np.array(value) for name, value in found.items()}
