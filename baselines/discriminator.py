"""The discriminator of a GAN as an extractor: what telling real from generated images has taught."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        )

    def build(self) -> tuple[torch.nn.Module, Levels]:
        """Load the discriminator, and read the outputs of its blocks."""
        from torch.nn import functional

        from ghbench.generators.loading import load_discriminator

        network, seen = load_discriminator(self._file), {}
        blocks: Any = network.blocks

        def reading(name: str) -> Any:
            def keep(_module: torch.nn.Module, _inputs: Any, output: torch.Tensor) -> None:
                seen[name] = functional.adaptive_avg_pool2d(output, GRID).flatten(1)

            return keep

        for place, block in blocks.items():
            block.register_forward_hook(reading(f"r{int(place[1:]) // 2}"))

        def levels(images: torch.Tensor) -> dict[str, torch.Tensor]:
            network(images)
            return dict(seen)

        return network, levels

    @property
    def _file(self) -> Path:
        shipped = shipped_file(self.generator)
        return shipped if shipped.is_file() else user_path(self.generator)

    @cached_property
    def _about(self) -> GeneratorSpec:
        from ghbench.generators.loading import CheckpointFile

        return CheckpointFile(self._file).spec()

    @cached_property
    def _channels(self) -> dict[int, int]:
        """Channels of each block's output by its side, as the file's description has them."""
        from ghbench.generators.loading import load_discriminator

        table = getattr(load_discriminator(self._file), "channels", None)
        if not table:
            raise DataError(f"the discriminator of {self.generator} does not say how wide its blocks are")
        return {side: table[side] for side in sorted(table, reverse=True)[1:]}
