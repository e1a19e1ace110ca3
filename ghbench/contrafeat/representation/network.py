"""The variational autoencoder of pairs: four convolutions down, or GH-Feat's trunk, and four up, for 64 px."""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from ghbench.errors import DataError, UsageError
from ghbench.ghfeat.network.config import compact
from ghbench.ghfeat.network.encoder import Encoder
from ghbench.ghfeat.network.layout import CodeLayout, CodeLevel

EncoderKind = Literal["plain", "ghfeat"]
MOST_CODES = 4096
SIDE = 64
CHANNELS, WIDTH = (32, 32, 64, 64), 256
POSTERIOR = "w"
"""Name of the one level that GH-Feat's encoder predicts here: the whole posterior."""


@dataclass(frozen=True, slots=True)
class RepresentationConfig:
    """Architecture of a representation.

    Args:
        codes: Numbers of the code.
        colours: Channels of the images, 3.
        encoder: `plain`, the author's four convolutions, or `ghfeat`, GH-Feat's compact encoder.
        width: Multiplier of GH-Feat's channels.
    """

    codes: int = 10
    colours: int = 3
    encoder: EncoderKind = "plain"
    width: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what could not be built.

        Raises:
            UsageError: An option is out of bounds.
        """
        if not 1 <= self.codes <= MOST_CODES:
            raise UsageError(f"codes={self.codes}; expected 1 to {MOST_CODES}")
        if self.encoder not in get_args(EncoderKind) or not 0 < self.width <= 16:
            raise UsageError(
                f"encoder={self.encoder}, width={self.width}; expected {', '.join(get_args(EncoderKind))}, and 0 to 16"
            )

    def to_json(self) -> dict[str, Any]:
        """As JSON values; what only GH-Feat's encoder has, only with it."""
        values = asdict(self)
        return values if self.encoder != "plain" else {name: values[name] for name in ("codes", "colours")}

    @classmethod
    def from_json(cls, value: Any) -> RepresentationConfig:
        """The inverse of `to_json`.

        Raises:
            DataError: This is no configuration.
        """
        if not isinstance(value, dict) or set(value) not in ({"codes", "colours"}, set(cls.__slots__)):
            raise DataError("this is no configuration of a representation")
        codes, colours = (value[name] for name in ("codes", "colours"))
        if type(codes) is not int or type(colours) is not int or colours != 3:
            raise DataError(f"codes={codes!r}, colours={colours!r}; expected a whole number, and 3 colours")
        encoder, width = value.get("encoder", cls().encoder), value.get("width", cls().width)
        if type(encoder) is not str or type(width) is not float:
            raise DataError(f"encoder={encoder!r}, width={width!r}; expected a name and a number")
        try:
            return cls(codes, colours, cast("EncoderKind", encoder), width)
        except UsageError as error:
            raise DataError(error.message) from error


class RepresentationEncoder(nn.Module):
    """Images [N, colours, 64, 64] to means and logarithms of variances [N, codes] of a normal posterior."""

    def __init__(self, config: RepresentationConfig) -> None:
        super().__init__()
        self.config = config
        if config.encoder == "ghfeat":
            layout = CodeLayout("w", (CodeLevel(POSTERIOR, 2 * config.codes, 0),), 1)
            self.network = Encoder(compact(layout, SIDE, width=config.width))
            return
        channels = (config.colours, *CHANNELS)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(channels):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.ReLU()]
        side = SIDE >> len(CHANNELS)
        self.features = nn.Sequential(*layers, nn.Flatten(), nn.Linear(CHANNELS[-1] * side**2, WIDTH), nn.ReLU())
        self.posterior = nn.Linear(WIDTH, 2 * config.codes)
        keep_scale(self.features)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Encode images in [0, 1]."""
        if self.config.encoder == "ghfeat":
            found = self.network(2 * images - 1)[POSTERIOR]
        else:
            found = self.posterior(self.features(images))
        means, logs = found.chunk(2, dim=1)
        return means, logs


class RepresentationDecoder(nn.Module):
    """Codes [N, codes] to logits of images [N, colours, 64, 64]: the encoder turned round."""

    def __init__(self, config: RepresentationConfig) -> None:
        super().__init__()
        channels, side = (*CHANNELS[::-1], config.colours), SIDE >> len(CHANNELS)
        layers: list[nn.Module] = [
            nn.Linear(config.codes, WIDTH), nn.ReLU(), nn.Linear(WIDTH, channels[0] * side**2), nn.ReLU(),
            nn.Unflatten(1, (channels[0], side, side)),
        ]  # fmt: skip
        for before, after in itertools.pairwise(channels):
            layers += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])
        keep_scale(self.layers)

    def forward(self, codes: Tensor) -> Tensor:
        """Decode."""
        logits: Tensor = self.layers(codes)
        return logits


def keep_scale(network: nn.Module) -> None:
    """Draw weights at which signals keep their scale through layers with ReLU (He et al. 2015), and no biases."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            fan = layer.weight[0].numel()
            if isinstance(layer, nn.ConvTranspose2d):
                fan = layer.weight[:, 0].numel() // math.prod(layer.stride)
            nn.init.normal_(layer.weight, std=math.sqrt(2 / fan))
            nn.init.zeros_(cast("Tensor", layer.bias))


class CodeDiscriminator(nn.Module):
    """Tells codes [N, codes] from codes whose numbers come from different images, for FactorVAE: logits [N, 2]."""

    def __init__(self, codes: int, width: int = WIDTH, depth: int = 4) -> None:
        super().__init__()
        sizes = [codes, *[width] * depth]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(sizes):
            layers += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Linear(width, 2))

    def forward(self, codes: Tensor) -> Tensor:
        """Judge codes."""
        logits: Tensor = self.layers(codes)
        return logits


def shuffled_numbers(codes: Tensor) -> Tensor:
    """Codes [N, Z] each number of which comes from another row, drawn with PyTorch's random generator."""
    order = torch.rand(codes.shape, device=codes.device).argsort(dim=0)
    return codes.gather(0, order)
