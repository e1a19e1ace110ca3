"""The published MobileStyleGAN of faces: loads the OpenVINO files of the `random-face` wheel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ghbench import assets
from ghbench.checkpoints import native, openvino_ir
from ghbench.checkpoints.checkpoint import Shape, match_keys
from ghbench.errors import MissingError, UsageError
from ghbench.generators.layers import EqualLinear
from ghbench.generators.mobile_stylegan import CHANNELS, MobileStyleGAN
from ghbench.generators.native import build, freeze
from ghbench.generators.shipped_weights import missing_weights, shipped_file

ASSET = "mobile-stylegan-ffhq"
HEADS = "mobile-stylegan-heads"
TRAIN_HEADS = f"ghbench train heads --generator {ASSET}"
W_MEAN_SAMPLES = 10_000
WHOLE = 1024
HEAD_SIZES = (64, 128, 256)
"""Sizes for which ghbench trains a head."""
Arrays = dict[str, NDArray[Any]]

# Names of the constants in the files, in file order.
_MAPPING = [(str(number), str(number + 1)) for number in range(173, 202, 4)]
_POINTWISE = {8 * 2**block: (f"Mul_{100 * block + 106}_copy", f"Mul_{100 * block + 139}_copy") for block in range(7)}
_NOISE = {
    8: ("1560", "1572"), 16: ("1601", "1613"), 32: ("1642", "1654"), 64: ("1683", "1695"),
    128: ("1724", "1736"), 256: ("1765", "1777"), 512: ("1806", "1818"),
}  # fmt: skip


def load_mobile_stylegan(size: int = WHOLE) -> MobileStyleGAN:
    """The published generator of faces, frozen, in float32 on the CPU.

    Args:
        size: Image size: 1024 as published; 64, 128 or 256 with a head that ghbench trained.

    Raises:
        UsageError: There is no such size.
        MissingError: The wheel, or a head for this size, is not available.
        DataError: The files are damaged.
    """
    if size not in {*HEAD_SIZES, WHOLE}:
        raise UsageError(
            f"MobileStyleGAN has no size {size}; expected one of {', '.join(map(str, (*HEAD_SIZES, WHOLE)))}"
        )
    head = head_state(size) if size != WHOLE else None
    folder = assets.path(ASSET)
    mapping = openvino_ir.read(folder / "MappingNetwork.xml").tensors
    synthesis = openvino_ir.read(folder / "SynthesisNetwork.xml").tensors
    return build_mobile_stylegan(mapping, synthesis, size, head)


def build_mobile_stylegan(
    mapping: Arrays, synthesis: Arrays, size: int = WHOLE, head: Mapping[str, NDArray[Any]] | None = None
) -> MobileStyleGAN:
    """A frozen generator with the weights of the files.

    Args:
        mapping: Constants of the mapping network, by name.
        synthesis: Constants of the synthesis network, by name.
        size: Image size.
        head: State of the `WaveletHead` for a size below 1024; None for random weights, to be trained.

    Raises:
        DataError: Constants are missing or have the wrong shape.
    """
    shapes = constant_shapes()
    # The files also hold hundreds of small constants of their graphs, which our code does not need.
    constants = {name: array for name, array in (mapping | synthesis).items() if name in shapes}
    match_keys(constants, shapes)
    generator = build(MobileStyleGAN, {"size": size})
    assert isinstance(generator, MobileStyleGAN)
    state = _mapping_state(constants, generator) | _synthesis_state(constants)
    if head is not None:
        state |= {f"rgb.{name}": array for name, array in head.items()}
    elif size != WHOLE:
        state |= {name: value.numpy() for name, value in generator.state_dict().items() if name.startswith("rgb.")}
    # A shorter network takes only what it has; anything missing is an error here.
    expected = generator.state_dict()
    generator.load_state_dict({name: torch.from_numpy(np.array(state[name])) for name in state if name in expected})
    generator.mapping_network.estimate_w_mean(W_MEAN_SAMPLES)
    freeze(generator)
    return generator


def constant_shapes() -> dict[str, Shape]:
    """Shapes of the published network's constants, by name."""
    shapes: dict[str, Shape] = {}
    for weight, bias in _MAPPING:
        shapes |= {weight: (512, 512), bias: (512,)}

    def modulation_shapes(name: str, inputs: int) -> dict[str, Shape]:
        return {f"{name}.modulation.weight": (inputs, 512), f"{name}.modulation.bias": (1, inputs)}

    shapes |= {"m.input.input": (1, 512, 4, 4), "Mul_39_copy": (512, 512, 3, 3), "1531": (1, 1, 4, 4)}
    shapes |= {"m.conv1.bias": (1, 512, 1, 1)} | modulation_shapes("m.conv1.conv", 512)
    for block, resolution in enumerate(_POINTWISE):
        inputs, outputs = CHANNELS[resolution // 2], CHANNELS[resolution]
        shapes |= modulation_shapes(f"m.layers.{block}.up", inputs)
        for step, width in enumerate((inputs // 4, outputs)):
            name = f"m.layers.{block}.conv{step + 1}"
            shapes |= modulation_shapes(f"{name}.conv", width) | {f"{name}.conv.weight_dw": (width, 1, 1, 3, 3)}
            shapes |= {_POINTWISE[resolution][step]: (outputs, width, 1, 1), f"{name}.bias": (1, outputs, 1, 1)}
            shapes[_NOISE[resolution][step]] = (1, 1, resolution, resolution)
    shapes |= modulation_shapes("m.layers.6.to_img.conv", 64)
    return shapes | {"m.layers.6.to_img.conv.weight": (12, 64, 1, 1), "m.layers.6.to_img.bias": (1, 12, 1, 1)}


def _mapping_state(constants: Arrays, generator: MobileStyleGAN) -> Arrays:
    """The mapping network's parameters, rescaled to unit scale."""
    state: Arrays = {"mapping_network.w_mean": np.zeros(512, np.float32)}
    for index, ((weight, bias), layer) in enumerate(zip(_MAPPING, generator.mapping_network.layers, strict=True)):
        assert isinstance(layer, EqualLinear)
        state[f"mapping_network.layers.{index}.weight"] = constants[weight] / np.float32(layer.scale)
        state[f"mapping_network.layers.{index}.bias"] = constants[bias] / np.float32(layer.rate)
    return state


def _synthesis_state(constants: Arrays) -> Arrays:
    """The synthesis network's parameters: with factors 1 / sqrt(fan-in), and channels ordered by wavelet band."""
    bands = _by_band(512)
    weight = constants["Mul_39_copy"] / np.float32(math.sqrt(512 * 9))
    state = _styles("first", constants, "m.conv1.conv")
    state |= {"first.const": constants["m.input.input"][0], "first.weight": weight[bands]}
    state |= {"first.bias": constants["m.conv1.bias"].reshape(-1)[bands]} | _noise("first", constants["1531"])
    for block, resolution in enumerate(_POINTWISE):
        outputs = CHANNELS[resolution]
        for step, layer in enumerate(("up", "conv")):
            ours, theirs = f"blocks.r{resolution}.{layer}", f"m.layers.{block}.conv{step + 1}"
            depthwise = constants[f"{theirs}.conv.weight_dw"][:, 0]
            pointwise = constants[_POINTWISE[resolution][step]][:, :, 0, 0] / np.float32(math.sqrt(9 * len(depthwise)))
            # The input of a wavelet step is ordered by band; the last resolution ends in the head.
            order = _by_band(outputs) if layer == "conv" and resolution != max(_POINTWISE) else slice(None)
            bias = constants[f"{theirs}.bias"].reshape(-1)
            state |= {
                f"{ours}.depthwise": depthwise,
                f"{ours}.pointwise": pointwise[order],
                f"{ours}.bias": bias[order],
            }
            state |= _noise(ours, constants[_NOISE[resolution][step]]) | _styles(ours, constants, f"{theirs}.conv")
        before = _styles(f"blocks.r{resolution}.up", constants, f"m.layers.{block}.up")
        order = _by_band(CHANNELS[resolution // 2])
        state |= {name: np.concatenate([array[order], state[name]]) for name, array in before.items()}
    head = constants["m.layers.6.to_img.conv.weight"][:, :, 0, 0] / np.float32(math.sqrt(64))
    order = _by_band(12)
    state |= {"rgb.weight": head[order], "rgb.bias": constants["m.layers.6.to_img.bias"].reshape(-1)[order]}
    return state | _styles("rgb", constants, "m.layers.6.to_img.conv")


def _styles(ours: str, constants: Arrays, theirs: str) -> Arrays:
    return {
        f"{ours}.style.weight": constants[f"{theirs}.modulation.weight"],
        f"{ours}.style.bias": constants[f"{theirs}.modulation.bias"][0],
    }


def _noise(ours: str, scaled: NDArray[Any]) -> Arrays:
    """Noise and its strength from their product; the noise has unit variance."""
    strength = np.sqrt(np.square(scaled, dtype=np.float64).mean()).astype(np.float32)
    const = scaled[0, 0] / strength if strength else scaled[0, 0]
    return {f"{ours}.noise.strength": strength.reshape(1), f"{ours}.noise.const": const}


def _by_band(channels: int) -> NDArray[np.intp]:
    """Indices of our channels in the file, which has averages, then the three differences channel by channel."""
    width = channels // 4
    averages, differences = np.arange(width), width + np.arange(3 * width).reshape(width, 3)
    return np.concatenate([averages, differences.T.reshape(-1)])


def head_file() -> Path:
    """Path of the trained heads for all smaller sizes."""
    return shipped_file(HEADS)


def head_state(size: int) -> Arrays:
    """State of the trained `WaveletHead` for an image size.

    Raises:
        MissingError: There is none.
        DataError: The file is damaged or has the wrong shapes.
    """
    path = head_file()
    if not path.is_file():
        raise missing_weights(HEADS, TRAIN_HEADS)
    checkpoint = native.read(path)
    if f"head{size}" not in checkpoint.networks:
        raise MissingError(f"there is no MobileStyleGAN head for {size} px", fix=TRAIN_HEADS)
    state = checkpoint.network(f"head{size}")
    inputs = CHANNELS[size // 2]
    match_keys(
        state,
        {"weight": (12, inputs), "bias": (12,), "style.weight": (inputs, 512), "style.bias": (inputs,)},
    )
    return state
