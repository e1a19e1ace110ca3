"""Backbones of torchvision and timm: two with weights from named assets, and any other by its model name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ghbench import assets
from ghbench.digests import digest_json
from ghbench.errors import DataError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord

from .taps import Tap, Taps, timm_levels
from .torch_encoder import TorchEncoder, normalisation
from .vision_models import IMAGENET_MEAN, IMAGENET_STD, import_timm, import_torchvision

if TYPE_CHECKING:
    import torch

    from .torch_encoder import Levels

IMAGENET = TrainingRecord(datasets=("imagenet-1k",), image_digests=None, supervision="class labels")


class MobileNetV2(TorchEncoder):
    """MobileNetV2 of torchvision with its official ImageNet weights (Sandler et al. 2018)."""

    mean, std = IMAGENET_MEAN, IMAGENET_STD
    asset = ("mobilenet-v2-imagenet1k-v1", "mobilenet_v2-b0353104.pth")
    # Each stage is read after its last block, before the next one halves the map.
    places: Mapping[str, Tap] = {
        "stage1": Tap("features.1"),
        "stage2": Tap("features.3"),
        "stage3": Tap("features.6"),
        "stage4": Tap("features.13"),
        "stage5": Tap("features.17"),
        "pooled": Tap("classifier", side="input"),
    }

    def spec(self) -> ExtractorSpec:
        """Describe the extractor."""
        return ExtractorSpec(
            name="mobilenet-v2",
            version="1",
            levels=_levels(stage1=16, stage2=24, stage3=32, stage4=96, stage5=320, pooled=1280),
            default_levels=("pooled",),
            preprocessing=Preprocessing(size=(224, 224), normalise=normalisation(self.mean, self.std)),
            weights_digest=digest_json(
                {"architecture": "torchvision/mobilenet_v2", "asset": assets.digest(*self.asset)}
            ),
            training=IMAGENET,
            licence="BSD-3-Clause (torchvision)",
            backend="torch-float32",
            citation="Sandler et al. 2018, MobileNetV2: Inverted Residuals and Linear Bottlenecks",
        )

    def build(self) -> tuple[torch.nn.Module, Levels]:
        """Build the network from the asset."""
        import torch

        network = import_torchvision().models.mobilenet_v2(weights=None)
        network.load_state_dict(torch.load(assets.path(*self.asset), map_location="cpu", weights_only=True))
        return network, Taps(network, self.places)


class EfficientNetLite0(TorchEncoder):
    """EfficientNet-Lite0 of timm with the ImageNet weights of the TensorFlow release (Tan and Le 2019)."""

    # Not ImageNet's mean and deviation: the TensorFlow release maps pixels to [-1, 1].
    mean, std = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    asset = ("efficientnet-lite0-imagenet1k", "efficientnet-lite0-57934424.pth")

    def spec(self) -> ExtractorSpec:
        """Describe the extractor."""
        recipe = {"architecture": "timm/tf_efficientnet_lite0", "asset": assets.digest(*self.asset), "load": "position"}
        return ExtractorSpec(
            name="efficientnet-lite0",
            version="1",
            levels=_levels(stage1=16, stage2=24, stage3=40, stage4=112, stage5=320, pooled=1280),
            default_levels=("pooled",),
            preprocessing=Preprocessing(
                size=(224, 224), resize="crop-bicubic", normalise=normalisation(self.mean, self.std)
            ),
            weights_digest=digest_json(recipe),
            training=IMAGENET,
            licence="Apache-2.0",
            backend="torch-float32",
            citation="Tan and Le 2019, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
        )

    def build(self) -> tuple[torch.nn.Module, Levels]:
        """Build the network from the asset."""
        import torch

        network = import_timm().create_model("tf_efficientnet_lite0", pretrained=False)
        stored = torch.load(assets.path(*self.asset), map_location="cpu", weights_only=True)
        network.load_state_dict(renamed_by_position(stored, network.state_dict()))
        return network, timm_levels(network, self.spec())


def renamed_by_position(
    stored: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Give stored tensors the names of a network that has the same tensors in the same order.

    Args:
        stored: Tensors of a file, under the names of another implementation.
        wanted: The network's own state dict.

    Returns:
        The stored tensors under the network's names.

    Raises:
        DataError: Number or shape of the tensors differ, so that the order cannot be trusted.
    """
    if len(stored) != len(wanted):
        raise DataError(f"the weights file holds {len(stored)} tensors, the network {len(wanted)}")
    renamed = {}
    for (name, target), (source, tensor) in zip(wanted.items(), stored.items(), strict=True):
        if tensor.shape != target.shape:
            raise DataError(f"{source} of the weights file is {tuple(tensor.shape)}, {name} is {tuple(target.shape)}")
        renamed[name] = tensor
    return renamed


def _levels(**dims: int) -> tuple[Level, ...]:
    return tuple(Level(name, dim) for name, dim in dims.items())
