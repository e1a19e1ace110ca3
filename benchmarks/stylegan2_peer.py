"""The generator of the PyPI package `stylegan2-torch`, fetched for a benchmark, with the weights of one of ours.

Its import compiles for CUDA, and one operation, the filter that goes with upsampling, has no CPU code. So the import
goes without compiling, and the filter is given to it here, in two forms. Nothing else of it is changed.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from torch import Tensor, nn
from torch.nn import functional

from ghbench.generators.stylegan2 import StyleGAN2

REQUIREMENTS = ("stylegan2-torch==1.3.0", "torch-conv-gradfix==0.1.0")
Filter = Callable[..., Tensor]


def import_peer(folder: Path) -> Any:
    """Install the package into a folder, without its dependencies, and import its module of generators."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *REQUIREMENTS]
    subprocess.run(command, check=True)
    sys.path.insert(0, str(folder))
    with mock.patch("torch.utils.cpp_extension.load"):
        return importlib.import_module("stylegan2_torch.generator")


def peer_of(generator: StyleGAN2, peer_module: Any) -> nn.Module:
    """The peer's generator with the weights of ours (skip architecture, one colour: it knows no other)."""
    peer: nn.Module = peer_module.Generator(
        generator.resolution,
        latent_dim=generator.w_dim,
        n_mlp=len(generator.mapping_network.layers),
        channels=generator.channels,
    )
    ours, theirs = generator.state_dict(), peer.state_dict()
    renamed = {
        name: ours[our_name(name)].reshape(value.shape) for name, value in theirs.items() if "kernel" not in name
    }
    peer.load_state_dict(theirs | renamed)
    return peer.eval()


def our_name(name: str) -> str:
    """Our name of a weight of the peer."""
    place, _, rest = name.partition(".")
    if place == "input":
        return "const"
    number, _, rest = rest.partition(".")
    if place == "mapping":
        return f"mapping_network.layers.{int(number) - 1}.{rest}"
    block = 4 * 2 ** (int(number) + (place == "up_convs"))
    layer = {"convs": "conv", "up_convs": "up", "to_rgbs": "rgb"}[place]
    inner = {"affine.weight": "style.weight", "affine.bias": "style.bias", "add_noise.weight": "noise.strength",
             "leaky_relu.bias": "bias"}.get(rest, rest)  # fmt: skip
    return f"blocks.r{block}.{layer}.{inner}"


def set_filter(resample: Filter) -> None:
    """Make the peer filter with this function of images, kernel, up and pad."""
    for name in ("equalized_lr", "generator.rgb"):
        vars(importlib.import_module(f"stylegan2_torch.{name}"))["upfirdn2d"] = resample


def common_filter(images: Tensor, kernel: Tensor, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)) -> Tensor:
    """Filter as the CPU code of this family of programs does: zeros inserted, then every channel as its own picture.

    Args:
        images: [N, C, H, W].
        kernel: [k, k], symmetric.
        up: Factor on the sides.
        down: 1; a generator needs no other.
        pad: Zeros before and after.

    Returns:
        [N, C, up H + sum of pad - k + 1, up W + sum of pad - k + 1].
    """
    assert down == 1
    count, channels, height, width = images.shape
    if up > 1:
        spread = images.new_zeros(count, channels, height, up, width, up)
        spread[:, :, :, 0, :, 0] = images
        images = spread.reshape(count, channels, height * up, width * up)
    padded = functional.pad(images, (*pad, *pad)).reshape(count * channels, 1, height * up + sum(pad), -1)
    filtered = functional.conv2d(padded, kernel[None, None].to(images.dtype))
    return filtered.reshape(count, channels, *filtered.shape[2:])


def depthwise_filter(
    images: Tensor, kernel: Tensor, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)
) -> Tensor:
    """The same in the form that ghbench uses, one depthwise convolution; see `common_filter`."""
    channels = images.shape[1]
    weight = kernel.to(images.dtype).expand(channels, 1, *kernel.shape)
    if up == 2 and pad == (2, 1):
        return functional.conv_transpose2d(images, weight, stride=2, padding=1, groups=channels)
    assert up == down == 1
    assert pad[0] == pad[1]
    return functional.conv2d(images, weight, padding=pad[0], groups=channels)


def peer_call(peer: nn.Module, noises: list[Tensor]) -> Callable[[Tensor], Tensor]:
    """The peer as a function of w [N, w_dim] to pictures [N, 1, R, R]."""

    def synthesis(ws: Tensor) -> Tensor:
        pictures: Tensor = peer.forward([ws], input_type="w", noises=noises)
        return pictures

    return synthesis
