"""Backbones of torchvision and timm: two with weights from assets, any other by its model name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ghbench import assets
from ghbench.digests import digest_json
from ghbench.errors import MissingError, UsageError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord

from .origin import Origin, check_model, initialise, is_file_name
from .pooling import Pool
from .stages import discover_stages, parameters_of, skeleton, timm_stages
from .taps import Tap, Taps, timm_levels
from .torch_encoder import TorchEncoder, normalisation
from .vision_models import IMAGENET_MEAN, IMAGENET_STD, import_timm, import_torchvision
from .weight_files import fetch_from_hub, fetch_from_url, load_into, read_weights, rename_by_position

if TYPE_CHECKING:
    import torch

    from .torch_encoder import Levels

TIMM_DATASETS = {"in1k": "imagenet-1k", "in12k": "imagenet-12k", "in21k": "imagenet-21k", "in22k": "imagenet-22k"}
IMAGENET = TrainingRecord(datasets=("imagenet-1k",), image_digests=None, supervision="class labels")


class MobileNetV2(TorchEncoder):
    """MobileNetV2 of torchvision with its official ImageNet weights (Sandler et al. 2018)."""

    mean, std = IMAGENET_MEAN, IMAGENET_STD
    asset = ("mobilenet-v2-imagenet1k-v1", "mobilenet_v2-b0353104.pth")
    # A stage is read after its last block, before the next stage halves the map.
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
            parameters=2_223_872,
            citation="Sandler et al. 2018, MobileNetV2: Inverted Residuals and Linear Bottlenecks",
        )

    def build(self) -> tuple[torch.nn.Module, Levels]:
        """Build the network from the asset."""
        network = self._load_network()
        return network, Taps(network, self.places)

    def perceptual_module(self) -> torch.nn.Module:
        """Its maps of stages 2 to 4 (a quarter, an eighth and a sixteenth of the side) for perceptual losses.

        A network of its own, without hooks: images [N, 3, R, R] in [-1, 1] of any size to features [N, D].
        """
        from .stage_maps import StageMaps

        blocks = self._load_network().features
        maps = StageMaps([blocks[:4], blocks[4:7], blocks[7:14]], self.mean, self.std)
        return maps.eval().requires_grad_(requires_grad=False)

    def map_module(self) -> torch.nn.Module:
        """Its maps of all five stages, for contrasting changes: images [N, 3, R, R] in [-1, 1] of any size to maps."""
        from .stage_maps import PlainMaps

        blocks = self._load_network().features
        maps = PlainMaps([blocks[:2], blocks[2:4], blocks[4:7], blocks[7:14], blocks[14:18]], self.mean, self.std)
        return maps.eval().requires_grad_(requires_grad=False)

    def _load_network(self) -> Any:
        import torch

        network = import_torchvision().models.mobilenet_v2(weights=None)
        network.load_state_dict(torch.load(assets.path(*self.asset), map_location="cpu", weights_only=True))
        return network


class EfficientNetLite0(TorchEncoder):
    """EfficientNet-Lite0 of timm with the ImageNet weights of the TensorFlow release (Tan and Le 2019)."""

    # Not ImageNet's mean and standard deviation: the TensorFlow release maps pixels to [-1, 1].
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
            parameters=3_371_008,
            citation="Tan and Le 2019, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
        )

    def build(self) -> tuple[torch.nn.Module, Levels]:
        """Build the network from the asset."""
        import torch

        network = import_timm().create_model("tf_efficientnet_lite0", pretrained=False)
        stored = torch.load(assets.path(*self.asset), map_location="cpu", weights_only=True)
        network.load_state_dict(rename_by_position(stored, network.state_dict()))
        return network, timm_levels(network, self.spec())


class TorchVision(TorchEncoder):
    """Any classification network of torchvision, by its model name.

    Args:
        model: Name, for instance `resnet50`.
        weights: `default` for the best published ones, a published name such as `IMAGENET1K_V1`, `none` for an
            untrained network, or a `.safetensors` or `.pth` file.
        seed: Seed of the initial weights, for `weights=none`.
    """

    def __init__(self, model: str, weights: str = "default", seed: int = 0) -> None:
        super().__init__()
        self.model, self.weights, self.seed = model, weights, seed

    def spec(self) -> ExtractorSpec:
        """Describe the extractor; this finds the levels, on the meta device, and the weights file."""
        return self._spec_and_taps[0]

    def build(self) -> tuple[torch.nn.Module, Levels]:
        """Build the network with its weights."""
        spec, taps = self._spec_and_taps
        network = initialise(lambda: self._construct(spec.preprocessing.size[0]), self.seed)
        if self._file is not None:
            load_into(network, read_weights(self._file), self._file)
        return network, Taps(network, taps)

    @cached_property
    def _spec_and_taps(self) -> tuple[ExtractorSpec, Mapping[str, Tap]]:
        preset = self._preset.transforms()
        self.mean, self.std = tuple(preset.mean), tuple(preset.std)
        size = preset.crop_size[0]
        network = skeleton(lambda: self._construct(size))
        levels, taps = discover_stages(network, size)
        head = network.get_submodule(taps["pooled"].module) if taps["pooled"].side == "input" else None
        resize = f"shortest-{preset.resize_size[0]}-{preset.interpolation.value}"
        preprocessing = Preprocessing((size, size), resize=resize, normalise=normalisation(self.mean, self.std))
        swag = self._published_weights is not None and "SWAG" in self._published_weights.name
        seen = TrainingRecord(
            ("imagenet-1k", "instagram") if swag else ("imagenet-1k",), image_digests=None, supervision="class labels"
        )
        origin = Origin("torchvision", self.model, self._file, self.seed)
        licence = "CC-BY-NC-4.0 (SWAG)" if swag else "BSD-3-Clause (torchvision)"
        seen_here = seen if self._published_weights else None
        return origin.spec(levels, preprocessing, seen_here, licence, parameters_of(network, head)), taps

    @cached_property
    def _file(self) -> Path | None:
        if self.weights == "none":
            return None
        published = self._published_weights
        return Path(self.weights) if published is None else fetch_from_url(published.url)

    @cached_property
    def _preset(self) -> Any:
        """Published weights whose preprocessing applies: the chosen ones, else the model's default."""
        return self._published_weights if self._published_weights is not None else self._known_weights.DEFAULT

    @cached_property
    def _published_weights(self) -> Any | None:
        if self.weights == "none" or is_file_name(self.weights):
            return None
        if self.weights == "default":
            return self._known_weights.DEFAULT
        names = [entry.name for entry in self._known_weights]
        if self.weights not in names:
            raise UsageError(
                f"{self.model!r} has no weights {self.weights!r}; expected default, none, {', '.join(names)} or a file"
            )
        return self._known_weights[self.weights]

    @cached_property
    def _known_weights(self) -> Any:
        models = import_torchvision().models
        check_model(self.model, models.list_models(module=models), "torchvision")
        return models.get_model_weights(self.model)

    def _construct(self, size: int) -> torch.nn.Module:
        options: dict[str, Any] = {}
        if self.model.startswith("vit_"):
            options["image_size"] = size
        if self.model in {"googlenet", "inception_v3"}:  # their weights expect [-1, 1]; the network converts
            options.update(init_weights=self.weights == "none", transform_input=True)
        network: torch.nn.Module = import_torchvision().models.get_model(self.model, weights=None, **options)
        return network


class Timm(TorchEncoder):
    """Any network of timm, by its model name.

    Args:
        model: Name, for instance `convnext_tiny.in12k_ft_in1k`.
        weights: `default` for those that timm publishes under the name, `none` for an untrained network, or a
            `.safetensors` or `.pth` file.
        seed: Seed of the initial weights, for `weights=none`.
        pool: `own` (the input of the network's classifier, the default), or of what its last block gives: `cls`
            (class token), `mean` or `gem` (of the patches or the map).
    """

    def __init__(self, model: str, weights: str = "default", seed: int = 0, pool: Pool = "default") -> None:
        super().__init__()
        if weights not in {"default", "none"} and not is_file_name(weights):
            raise UsageError(f"weights={weights} of timm: expected default, none or a .safetensors or .pth file")
        self.model, self.weights, self.seed, self.pool = model, weights, seed, pool

    def spec(self) -> ExtractorSpec:
        """Describe the extractor; this finds the levels, on the meta device, and the weights file."""
        return self._spec

    def build(self) -> tuple[torch.nn.Module, Levels]:
        """Build the network with its weights."""
        spec = self._spec
        if self.weights == "default":
            # timm reads its own file, because it knows how to translate old names.
            network = import_timm().create_model(
                self.model, pretrained=True, pretrained_cfg_overlay={"file": str(self._file)}
            )
        else:
            network = initialise(self._construct, self.seed)
            if self._file is not None:
                load_into(network, read_weights(self._file), self._file)
        return network, timm_levels(network, spec, self.pool)

    @cached_property
    def _spec(self) -> ExtractorSpec:
        config = self._config
        self.mean, self.std = tuple(config.mean), tuple(config.std)
        _, height, width = config.input_size
        network: Any = skeleton(self._construct)
        levels = timm_stages(network, (height, width), self.pool)
        preprocessing = Preprocessing(
            (height, width), resize=_timm_resize(self.model, config), normalise=normalisation(self.mean, self.std)
        )
        # timm's tag names the training data (`in12k_ft_in1k`); it is kept whole, since not all of it is a dataset.
        tag = config.tag or "unknown"
        seen = (*(TIMM_DATASETS[part] for part in tag.split("_") if part in TIMM_DATASETS), f"timm tag {tag}")
        record = TrainingRecord(seen, image_digests=None, supervision="see timm's tag")
        chosen = "" if levels[-1].name == "pooled" else f"pool={levels[-1].name}"
        origin = Origin("timm", self.model, self._file, self.seed, chosen)
        return origin.spec(
            levels, preprocessing, record if self.weights == "default" else None, config.license or "see timm",
            parameters_of(network, network.get_classifier()),
        )  # fmt: skip

    @cached_property
    def _file(self) -> Path | None:
        if self.weights != "default":
            return None if self.weights == "none" else Path(self.weights)
        if not self._config.hf_hub_id:
            raise MissingError(
                f"timm publishes no weights for {self.model!r}", fix=f"timm:model={self.model},weights=none"
            )
        named = self._config.hf_hub_filename
        return fetch_from_hub(self._config.hf_hub_id, (named,) if named else ("model.safetensors", "pytorch_model.bin"))

    @cached_property
    def _config(self) -> Any:
        timm = import_timm()
        check_model(self.model.partition(".")[0], timm.list_models(), "timm")
        tag = self.model.partition(".")[2]
        try:
            config = timm.get_pretrained_cfg(self.model)
        except RuntimeError as error:
            raise UsageError(f"timm's model {self.model.partition('.')[0]!r} has no weights tag {tag!r}") from error
        return config

    def _construct(self) -> torch.nn.Module:
        network: torch.nn.Module = import_timm().create_model(self.model, pretrained=False)
        return network


def _timm_resize(model: str, config: Any) -> str:
    """Name of the step that timm's evaluation takes, see `timm.data.transforms_factory.transforms_imagenet_eval`."""
    _, height, width = config.input_size
    before = math.floor(height / config.crop_pct), math.floor(width / config.crop_pct)
    if config.crop_mode == "squash":
        return f"squash-{before[0]}x{before[1]}-{config.interpolation}"
    if config.crop_mode != "center" or height != width:
        raise UsageError(f"timm prepares images for {model!r} by {config.crop_mode!r}, which ghbench has no step for")
    return f"shortest-{before[0]}-{config.interpolation}"


def _levels(**dims: int) -> tuple[Level, ...]:
    return tuple(Level(name, dim) for name, dim in dims.items())
