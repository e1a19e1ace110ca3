"""Networks for the perceptual loss: VGG16 from a file, or any extractor plugin that offers its network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ghbench import registry
from ghbench.checkpoints.torch_files import check_torch_file
from ghbench.digests import digest_file
from ghbench.errors import DataError, MissingError, UsageError, UserError
from ghbench.extractor import Extractor
from ghbench.spec_string import parse

Order = Literal["rgb", "bgr"]

_WIDTHS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512)
# In the order of the colours; torchvision rounds the means that Caffe and Keras subtract.
_MEANS: dict[Order, tuple[float, float, float]] = {"rgb": (123.0, 117.0, 104.0), "bgr": (123.68, 116.779, 103.939)}
_PREFIX = "features."
SIDE = 256
"""Side to which images are resized for VGG16, as in the official program."""


@runtime_checkable
class PerceptualSource(Protocol):
    """An extractor that offers its network for a perceptual loss."""

    def perceptual_module(self) -> nn.Module:
        """A frozen module in evaluation mode, on the CPU.

        It maps float images [N, 3, R, R] of any R, nominally in [-1, 1], to features [N, D]; gradients flow back to the
        images.
        """
        ...


class Vgg16(nn.Module):
    """VGG16 up to the ReLU of `block4_conv3` (Simonyan and Zisserman 2015), for weights trained on 0 to 255.

    The paper's loss weight of 5e-5 fits the activations of such weights. torchvision's IMAGENET1K_V1 expects normalised
    images, and its activations have another scale.

    Args:
        order: Colour order that the weights expect.
    """

    means: Tensor

    def __init__(self, order: Order = "rgb") -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for width in _WIDTHS:
            if isinstance(width, int):
                layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
                inputs = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.order = order
        self.register_buffer("means", torch.tensor(_MEANS[order])[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 3, R, R] in [-1, 1] to features [N, 524288]."""
        if images.shape[-1] != SIDE:
            images = functional.interpolate(images, size=(SIDE, SIDE), mode="nearest")
        scaled = (images + 1) * 127.5 - self.means
        if self.order == "bgr":
            scaled = scaled.flip(1)
        features: Tensor = self.features(scaled)
        return features.flatten(1)


def perceptual_network(spec: str) -> tuple[nn.Module, str]:
    """A perceptual network and the digest of its weights, for the training record.

    Args:
        spec: `vgg16:weights=FILE` with `order=rgb` (torchvision's IMAGENET1K_FEATURES, the default) or `order=bgr`
            (converted from Caffe or Keras); or the spec string of an extractor that offers its network, such as
            `mobilenet-v2`.

    Returns:
        A frozen module in evaluation mode, on the CPU, from images [N, 3, R, R] in [-1, 1] to features [N, D].

    Raises:
        UsageError: An unknown name or option, or an extractor that offers no network.
        MissingError: The weights do not exist.
        DataError: The file is not a VGG16.
    """
    parsed = parse(spec)
    if parsed.name == "vgg16" and parsed.package is None:
        return _vgg16(dict(parsed.options))
    source: Extractor = registry.build("extractor", parsed)
    if not isinstance(source, PerceptualSource):
        raise UsageError(f"extractor {parsed.name!r} offers no network for a perceptual loss", fix="use mobilenet-v2")
    module = source.perceptual_module()
    return module.eval().requires_grad_(requires_grad=False), source.spec().weights_digest


def _vgg16(options: Mapping[str, str]) -> tuple[nn.Module, str]:
    unknown = sorted(set(options) - {"weights", "order"})
    order = options.get("order", "rgb")
    if unknown or "weights" not in options or order not in get_args(Order):
        raise UsageError(
            f"vgg16 needs weights=FILE and takes order=rgb or bgr, got {dict(options) or 'nothing'}",
            fix="vgg16:weights=./vgg16_features.pth",
        )
    path = Path(options["weights"])
    network = Vgg16("bgr" if order == "bgr" else "rgb")
    network.load_state_dict(named_tensors(path, network.state_dict()))
    return network.eval().requires_grad_(requires_grad=False), digest_file(path)


def named_tensors(path: Path, wanted: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """A network's tensors in float32 from a file of torchvision's weights, which may hold more; no code is executed.

    Args:
        path: The file.
        wanted: What the network needs, by name.
        prefix: What stands before these names in the file.

    Raises:
        MissingError: There is no such file.
        DataError: It cannot be read, or lacks a tensor, or has it in another shape.
    """
    found = _tensors(path)
    stored = {name: found[prefix + name].float() for name in wanted if prefix + name in found}
    wrong = [name for name, value in wanted.items() if name not in stored or stored[name].shape != value.shape]
    if wrong:
        raise DataError(
            f"{path} has other weights: {', '.join(prefix + name for name in wrong[:4])} missing or of another shape",
            fix=f"name tensors as torchvision does: {prefix or _PREFIX}0.weight, {prefix or _PREFIX}0.bias, ...",
        )
    return stored


def _tensors(path: Path) -> dict[str, Tensor]:
    """A file's tensors by name; no code in the file is executed."""
    if not path.is_file():
        raise MissingError(f"there is no weights file {path}", fix="name VGG16's weights, or use mobilenet-v2")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        check_torch_file(path)
        stored: Any = torch.load(path, map_location="cpu", weights_only=True)
    # safetensors' own error derives from Exception directly.
    except Exception as error:
        reason = error.message if isinstance(error, UserError) else str(error)
        raise DataError(f"cannot read weights from {path}: {reason}", fix="save only the state dict") from error
    if not isinstance(stored, Mapping):
        raise DataError(f"{path} is not a state dict of tensors", fix="save only the state dict")
    return {str(name): value for name, value in stored.items() if isinstance(value, Tensor)}
