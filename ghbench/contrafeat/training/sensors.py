"""Sensors: networks whose features say what has changed in a picture. Gradients flow through them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import Tensor, nn
from torch.nn import functional

from ghbench import registry
from ghbench.digests import digest_file
from ghbench.errors import MissingError, UsageError
from ghbench.extractor import Extractor
from ghbench.ghfeat.training.perceptual import named_tensors
from ghbench.spec_string import parse

CONVOLUTIONS: Mapping[str, tuple[tuple[int, int, int] | None, ...]] = {
    "alexnet": ((64, 11, 4), None, (192, 5, 1), None, (384, 3, 1), (256, 3, 1), (256, 3, 1)),
    "vgg16": (
        *[(64, 3, 1)] * 2, None, *[(128, 3, 1)] * 2, None, *[(256, 3, 1)] * 3, None, *[(512, 3, 1)] * 3, None,
        *[(512, 3, 1)] * 3,
    ),
}  # fmt: skip
"""Channels, side and stride of convolutions; None for pooling."""
POOLING = {"alexnet": (3, 2), "vgg16": (2, 2)}
SLICES = {"alexnet": (2, 5, 8, 10, 12), "vgg16": (4, 9, 16, 23, 30)}
"""Where slices of torchvision's `features` end: after rectifiers of AlexNet's convolutions, and of VGG16's blocks."""


@runtime_checkable
class MapSource(Protocol):
    """An extractor that offers the feature maps of its network."""

    def map_module(self) -> nn.Module:
        """A frozen module in evaluation mode, on the CPU, without hooks.

        It maps float images [N, 3, R, R], nominally in [-1, 1], to a list of maps [N, C, H, W]; gradients flow back.
        """
        ...


class Sensor(nn.Module):
    """Images to feature maps.

    Args:
        network: Images [N, 3, R, R] in [-1, 1] to a list of maps.
        enlarged: Factor by which images are enlarged first, bilinearly.
    """

    def __init__(self, network: nn.Module, enlarged: int = 1) -> None:
        super().__init__()
        self.network, self.enlarged = network, enlarged

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images [N, C, R, R] in [-1, 1], grey ones too, to maps [N, C, H, W], float32."""
        if images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        if self.enlarged > 1:
            images = functional.interpolate(images, scale_factor=self.enlarged, mode="bilinear")
        return self.of_size(images)

    def of_size(self, images: Tensor) -> list[Tensor]:
        """Images [N, 3, R, R] in [-1, 1], not enlarged, to maps."""
        return [one.float() for one in self.network(images)]


class Pixels(nn.Module):
    """The image itself, as a single map."""

    def forward(self, images: Tensor) -> list[Tensor]:
        """[N, 3, R, R] to a list of it."""
        return [images]


class Slices(nn.Module):
    """Consecutive parts of a network without branches.

    Args:
        features: Its layers.
        ends: Where parts end.
    """

    def __init__(self, features: nn.Sequential, ends: tuple[int, ...]) -> None:
        super().__init__()
        starts = (0, *ends[:-1])
        self.parts = nn.ModuleList(features[start:end] for start, end in zip(starts, ends, strict=True))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images [N, 3, R, R], as they are, to maps."""
        found: list[Tensor] = []
        for part in self.parts:
            images = part(images)
            found.append(images)
        return found


def sensor_of(spec: str, enlarged: int = 1) -> tuple[Sensor, str]:
    """A sensor and the digest of its weights, for the training record.

    Args:
        spec: `pixels`; `alexnet:weights=FILE` or `vgg16:weights=FILE` with torchvision's ImageNet weights, which see
            images in [-1, 1] as they are, as in the author's program; or the spec string of an extractor that offers
            its maps, such as `mobilenet-v2` or `discriminator:generator=stylegan2-fashion32`.
        enlarged: Factor by which images are enlarged first.

    Raises:
        UsageError: An unknown name or option, or an extractor that offers no maps.
        MissingError: The weights do not exist.
        DataError: The file has other weights.
    """
    parsed = parse(spec)
    if parsed.name == "pixels" and not parsed.options:
        return Sensor(Pixels(), enlarged), ""
    if parsed.name in SLICES and parsed.package is None:
        network, digest = _slices(parsed.name, dict(parsed.options))
        return Sensor(_frozen(network), enlarged), digest
    source: Extractor = registry.build("extractor", parsed)
    if not isinstance(source, MapSource):
        raise UsageError(f"extractor {parsed.name!r} offers no feature maps", fix="-o sensor=mobilenet-v2")
    return Sensor(_frozen(source.map_module()), enlarged), source.spec().weights_digest


def _frozen(network: nn.Module) -> nn.Module:
    return network.eval().requires_grad_(requires_grad=False)


def _slices(name: str, options: Mapping[str, str]) -> tuple[nn.Module, str]:
    if set(options) != {"weights"}:
        raise UsageError(
            f"{name} needs weights=FILE, got {dict(options) or 'nothing'}", fix=f"{name}:weights=./{name}.pth"
        )
    path = Path(options["weights"])
    if not path.is_file():
        raise MissingError(
            f"there is no weights file {path}", fix=f"name torchvision's {name}, or use sensor=mobilenet-v2"
        )
    features = _features(name)
    features.load_state_dict(named_tensors(path, features.state_dict(), "features."))
    return Slices(features, SLICES[name]), digest_file(path)


def _features(name: str) -> nn.Sequential:
    """The convolutional part of AlexNet (Krizhevsky 2014) or VGG16 (Simonyan and Zisserman 2015), as torchvision's."""
    layers: list[nn.Module] = []
    width = 3
    for entry in CONVOLUTIONS[name]:
        if entry is None:
            layers.append(nn.MaxPool2d(*POOLING[name]))
            continue
        outputs, side, stride = entry
        padding = 2 if side > 3 else 1
        layers += [nn.Conv2d(width, outputs, side, stride, padding), nn.ReLU()]
        width = outputs
    return nn.Sequential(*layers)
