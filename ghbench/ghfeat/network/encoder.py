"""GH-Feat's encoder: images to a generator's codes by level (Xu et al. 2021, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ghbench.generators.code_statistics import CodeStatistics
from ghbench.ghfeat.network.alignment import PoolingOnly, SpatialAlignment, mean_map
from ghbench.ghfeat.network.config import EncoderConfig
from ghbench.ghfeat.network.heads import Head, build_heads
from ghbench.ghfeat.network.layout import Depth
from ghbench.ghfeat.network.pyramid import Pyramid
from ghbench.ghfeat.network.trunk import Trunk

INITIAL_DEVIATION = 0.02


class Encoder(nn.Module):
    """Trunk, pyramid, alignment and heads.

    A code is mean + standard deviation * output of a head's last layer. Mean and standard deviation are buffers by
    level: 0 and 1, as in the paper's encoder, until `use_statistics` sets those of a generator's codes; heads then need
    not learn where codes lie, only how they vary.

    Args:
        config: Architecture.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = Trunk(config)
        self.pyramid = Pyramid(self.trunk.channels, config.pyramid_width)
        self.alignment = SpatialAlignment(config.pyramid_width) if config.alignment else PoolingOnly()
        self.heads = build_heads(config)
        for level in config.layout.levels:
            self.register_buffer(_buffer("mean", level.name), torch.zeros(level.width))
            self.register_buffer(_buffer("deviation", level.name), torch.ones(level.width))
        self.apply(_initialise)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Encode images.

        Args:
            images: Float [N, 3, R, R], nominally in [-1, 1].

        Returns:
            Codes by level, coarse to fine, each float32 [N, width].

        Raises:
            ValueError: Images of another size.
        """
        return self.codes_of(self.standardised_codes(images))

    def codes_of(self, units: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Codes of standardised codes, by level [N, width]."""
        return {name: torch.addcmul(self.mean(name), self.deviation(name), unit) for name, unit in units.items()}

    def standardised_codes(self, images: Tensor) -> dict[str, Tensor]:
        """(code - mean) / standard deviation by level; see `forward`."""
        expected = (3, self.config.size, self.config.size)
        if images.shape[1:] != expected:
            raise ValueError(f"images are {tuple(images.shape)}; expected [N, {', '.join(map(str, expected))}]")
        shallow, middle, deep = self.alignment(self.pyramid(self.trunk(images)))
        maps: dict[Depth, Tensor] = {"shallow": shallow, "middle": middle, "deep": deep}
        found: dict[str, Tensor] = {}
        for head in self.heads.values():
            assert isinstance(head, Head)
            found |= head(mean_map((shallow, middle, deep)) if head.depth == "all" else maps[head.depth])
        return {level.name: found[level.name] for level in self.config.layout.levels}

    def mean(self, level: str) -> Tensor:
        """Mean of a level's code [width]."""
        return self.get_buffer(_buffer("mean", level))

    def deviation(self, level: str) -> Tensor:
        """Standard deviation of every number of a level's code [width]."""
        return self.get_buffer(_buffer("deviation", level))

    @torch.no_grad()
    def use_statistics(self, statistics: Mapping[str, CodeStatistics]) -> None:
        """Predict codes relative to these statistics.

        Args:
            statistics: By level; see `ghbench.ghfeat.network.statistics.layout_statistics`.

        Raises:
            KeyError: A level is missing.
            ValueError: A level has another width.
        """
        for level in self.config.layout.levels:
            found = statistics[level.name]
            if found.mean.shape != (level.width,) or found.deviation.shape != (level.width,):
                raise ValueError(f"statistics of {level.name} are {tuple(found.mean.shape)}; expected [{level.width}]")
            self.mean(level.name).copy_(found.mean)
            self.deviation(level.name).copy_(found.deviation)

    @property
    def statistics(self) -> dict[str, CodeStatistics]:
        """Mean and standard deviation of the codes by level, as set."""
        return {
            level.name: CodeStatistics(self.mean(level.name), self.deviation(level.name))
            for level in self.config.layout.levels
        }


def synchronise_norms(network: nn.Module) -> nn.Module:
    """Share the batch norms of a network between processes; call before it is wrapped for several GPUs.

    Batch statistics of one GPU's few images are noisy, and the last norm is part of the code. In a single process, and
    on CPUs, for which PyTorch has no synchronised norm, the network is returned unchanged.
    """
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    if not distributed or torch.distributed.get_world_size() == 1 or not torch.cuda.is_available():
        return network
    shared: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    return shared


def _buffer(kind: str, level: str) -> str:
    return f"{kind}_{level.replace('.', '_')}"


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.normal_(module.weight, std=INITIAL_DEVIATION)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
