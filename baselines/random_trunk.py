"""An untrained network: what the architecture alone gives, a baseline for learned features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ghbench.digests import digest_json
from ghbench.errors import UsageError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord

from .taps import Tap, Taps
from .torch_encoder import TorchEncoder, normalisation
from .vision_models import IMAGENET_MEAN, IMAGENET_STD, import_torchvision

if TYPE_CHECKING:
    import torch

    from .torch_encoder import Levels


class RandomTrunk(TorchEncoder):
    """An untrained ResNet-18: what the architecture alone gives (He et al. 2015, 2016).

    Args:
        seed: Seed of the weights; tables show 0, 1 and 2.
    """

    mean, std = IMAGENET_MEAN, IMAGENET_STD
    places: Mapping[str, Tap] = {
        "stage1": Tap("relu"),
        "stage2": Tap("layer1"),
        "stage3": Tap("layer2"),
        "stage4": Tap("layer3"),
        "pooled": Tap("fc", side="input"),
    }

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        if seed < 0:
            raise UsageError(f"option seed={seed} must not be negative")
        self.seed = seed

    def spec(self) -> ExtractorSpec:
        """Describe the extractor."""
        recipe = {"architecture": "torchvision/resnet18", "draw": "he-normal, PCG64, by name", "seed": self.seed}
        return ExtractorSpec(
            name="random-trunk",
            version="1",
            levels=tuple(Level(name, dim) for name, dim in zip(self.places, (64, 64, 128, 256, 512), strict=True)),
            default_levels=("pooled",),
            preprocessing=Preprocessing(size=(224, 224), normalise=normalisation(self.mean, self.std)),
            weights_digest=digest_json(recipe),
            training=TrainingRecord(),
            licence="none needed: nothing was trained",
            backend="torch-float32",
            parameters=11_176_512,
            citation="He et al. 2016, Deep Residual Learning for Image Recognition",
        )

    def build(self) -> tuple[torch.nn.Module, Levels]:
        """Build the network and draw its weights."""
        import torch

        network = import_torchvision().models.resnet18(weights=None)
        convolutions = {name: tuple(value.shape) for name, value in network.named_parameters() if value.ndim == 4}
        drawn = he_weights(convolutions, self.seed)
        # Normalisation layers keep their defaults (scale 1, shift 0, mean 0, variance 1); the classifier is unused.
        missing = network.load_state_dict({k: torch.from_numpy(v) for k, v in drawn.items()}, strict=False)
        assert not missing.unexpected_keys
        return network, Taps(network, self.places)


def he_weights(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, NDArray[np.float32]]:
    """Draw convolution weights as He et al. 2015 (equation 10) do: normal, variance 2 / fan-in.

    NumPy draws them by sorted name, so that they depend neither on the version of torch nor on the order in which the
    library builds its layers.

    Args:
        shapes: Shape [out, in, kh, kw] of each weight by name.
        seed: Seed.

    Returns:
        float32 weights by name.
    """
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal(shape, dtype=np.float32) * np.float32(np.sqrt(2 / np.prod(shape[1:])))
        for name, shape in sorted(shapes.items())
    }
