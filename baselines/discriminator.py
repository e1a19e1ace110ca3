"""The discriminator of a GAN as an extractor: what telling real from generated images has taught."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ghbench import registry
from ghbench.checkpoints import read
from ghbench.errors import DataError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing
from ghbench.files import user_path
from ghbench.generators.shipped_weights import shipped_file

from .torch_encoder import TorchEncoder, normalisation

if TYPE_CHECKING:
    import torch

    from ghbench.generator import GeneratorSpec

    from .torch_encoder import Levels

GRID = 2
"""Maps are averaged to this side, so that a level knows roughly where things are."""
_LEARNED = (".weight", ".bias")


class Discriminator(TorchEncoder):
    """Maps of a GAN's discriminator, before it compares the images of a batch, averaged to 2 x 2.

    Args:
        generator: Name of a generator that is shipped with its discriminator, or the path of a checkpoint with both.
    """

    mean, std = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)

    def __init__(self, generator: str = "stylegan2-fashion32") -> None:
        super().__init__()
        self.generator = generator

    def spec(self) -> ExtractorSpec:
        """Describe the extractor.

        Raises:
            MissingError: The weights do not exist.
            DataError: The file has no discriminator.
        """
        about, channels = self._about, self._channels
        levels = tuple(Level(f"r{side}", GRID * GRID * width) for side, width in channels.items())
        return ExtractorSpec(
            name="discriminator",
            version="1",
            levels=levels,
            default_levels=(levels[-1].name,),
            preprocessing=Preprocessing(size=(about.size, about.size), normalise=normalisation(self.mean, self.std)),
            weights_digest=about.weights_digest,
            training=about.training,
            licence=about.licence,
            backend="torch-float32",
            citation="Radford et al. 2016, Unsupervised Representation Learning with DCGANs, section 5",
            parameters=self._parameters,
        )

    def build(self) -> tuple[torch.nn.Module, Levels]:
        """Load the discriminator, and average the outputs of its blocks."""
        from torch.nn import functional

        network = self._discriminator

        def levels(images: torch.Tensor) -> dict[str, torch.Tensor]:
            maps = network.maps(images)
            return {f"r{one.shape[2]}": functional.adaptive_avg_pool2d(one, GRID).flatten(1) for one in maps}

        return network, levels

    def map_module(self) -> torch.nn.Module:
        """The outputs of its blocks, for contrasting changes: images [N, 3, R, R] in [-1, 1] to maps."""
        from .stage_maps import MethodMaps

        return MethodMaps(self._discriminator)

    @property
    def _shipped(self) -> bool:
        known = any(plugin.name == self.generator for plugin in registry.plugins("generator"))
        return known and shipped_file(self.generator).is_file()

    @property
    def _file(self) -> Path:
        path = shipped_file(self.generator) if self._shipped else user_path(self.generator)
        return path / "model.safetensors" if path.is_dir() else path

    @cached_property
    def _about(self) -> GeneratorSpec:
        if self._shipped:
            about: GeneratorSpec = registry.build("generator", self.generator).spec()
            return about
        from ghbench.generators.loading import CheckpointFile

        return CheckpointFile(self._file).spec()

    @cached_property
    def _discriminator(self) -> Any:
        from ghbench.generators.loading import load_discriminator

        network = load_discriminator(self._file)
        if not hasattr(network, "maps"):
            raise DataError(f"the discriminator of {self.generator} has no blocks to read")
        return network

    @property
    def _parameters(self) -> int | None:
        """Numbers that training sets, the last layers among them; of our own files, whose names are known."""
        return self._stored[1] if self._shipped else None

    @property
    def _channels(self) -> dict[int, int]:
        """Channels of each block's output by its side; of our own files without building the network."""
        table = self._stored[0] if self._shipped else self._discriminator.channels
        return {side: table[side] for side in sorted(table, reverse=True)[1:]}

    @cached_property
    def _stored(self) -> tuple[dict[int, int], int]:
        """Channels and parameters of one of our own files, which is read once."""
        stored = read(self._file)
        channels = dict(stored.config["architecture"]["discriminator"]["arguments"]["channels"])
        sizes = [array.size for name, array in stored.network("discriminator").items() if name.endswith(_LEARNED)]
        return channels, sum(sizes)
