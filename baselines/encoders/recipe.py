"""What encoders that are trained beside GH-Feat share with it: architecture, code widths, schedule, images."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ghbench import registry
from ghbench.dataset import Dataset
from ghbench.errors import UsageError
from ghbench.extractor import TrainingRecord
from ghbench.figures.picture_grid import picture_grid
from ghbench.generators.loading import load_generator
from ghbench.generators.rendering import to_uint8
from ghbench.ghfeat.files.weights import save_encoder
from ghbench.ghfeat.network.config import compact
from ghbench.ghfeat.network.encoder import Encoder, synchronise_norms
from ghbench.ghfeat.network.layout import CodeLayout, adain_layout, layout_of
from ghbench.ghfeat.training.modes import evaluating, settle
from ghbench.ghfeat.training.recipe import HALF_LIFE
from ghbench.ghfeat.training.schedule import cosine_rate
from ghbench.training.averages import MovingAverage
from ghbench.training.card import Card
from ghbench.training.gan import GanOptions
from ghbench.training.gan_job import is_grey
from ghbench.training.images import TrainingImages, record_name
from ghbench.training.machine import Machine
from ghbench.training.recipe import Batch, Recipe
from ghbench.training.settings import parse_settings

Terms = tuple[Tensor, dict[str, Tensor]]
"""A loss, and its parts for the log."""
MEASURED, SHOWN, PART = 500, 8, 50


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """What all recipes of encoders have in common.

    Args:
        generator: Generator whose levels and widths the codes have, so that encoders can be compared at equal width;
            empty for those of a StyleGAN1 of this size by our recipe.
        width: Multiplier of the trunk's channels.
        batch: Images per step.
        rate: Learning rate of Adam, which falls as a cosine.
        settled: Last share of the run in which the trunk's norms keep their statistics.
    """

    generator: str = ""
    width: float = 0.5
    batch: int = 32
    rate: float = 1e-3
    settled: float = 0.4


class EncoderRecipe(Recipe):
    """Trains GH-Feat's compact encoder on the images of a dataset; subclasses say by what loss.

    Args:
        data: Spec string of a dataset; its split `train`, or all of it if it has no splits.
        size: Side of the images.
        total: Images of the whole run.
        seed: Seed of the initial weights.
        settings: `name=value` for fields of `options_class`.

    Raises:
        UsageError: An unknown option, or a size that the encoder does not take.
    """

    options_class: ClassVar[type[EncoderOptions]] = EncoderOptions
    betas: ClassVar[tuple[float, float]] = (0.9, 0.99)
    citation: ClassVar[str]

    def __init__(self, data: str, size: int, total: int, seed: int = 0, settings: Sequence[str] = ()) -> None:
        self.options = self.options_class(**parse_settings(self.options_class, settings))
        if not 0 <= self.options.settled <= 1 or self.options.batch < 2:
            raise UsageError("settled must be between 0 and 1, and a batch have two images or more")
        self.images, self.total, self.seed = TrainingImages(_dataset(data), size), total, seed
        self.items, self.batch = len(self.images), self.options.batch
        self.colours = 1 if is_grey(self.images.dataset) else 3
        config = compact(_layout(self.options.generator, size), size, width=self.options.width)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = Encoder(config)
            self.networks: dict[str, nn.Module] = {"encoder": self.encoder, **self.others(config.layout.width, size)}
        self.averages = {name: MovingAverage(self.networks[name], HALF_LIFE) for name in self.averaged()}
        self.optimisers = {
            name: torch.optim.Adam(
                itertools.chain.from_iterable(self.networks[one].parameters() for one in names),
                lr=self.options.rate, betas=self.betas,
            )
            for name, names in self.learners().items()
        }  # fmt: skip

    @abstractmethod
    def others(self, width: int, size: int) -> dict[str, nn.Module]:
        """Networks beside the encoder.

        Args:
            width: Numbers in a code, all levels beside one another.
            size: Side of the images.
        """

    @abstractmethod
    def inputs(self, images: Tensor) -> tuple[Tensor, ...]:
        """What `loss` takes, with all that is random; images [N, 3, R, R] in [-1, 1]."""

    @abstractmethod
    def loss(self, *inputs: Tensor) -> Terms:
        """The loss of the optimiser `encoder`; compiled, so without randomness."""

    def averaged(self) -> tuple[str, ...]:
        """Networks whose moving average is kept."""
        return ("encoder",)

    def learners(self) -> dict[str, tuple[str, ...]]:
        """Networks that each optimiser trains."""
        return {"encoder": tuple(self.networks)}

    def describe(self) -> Mapping[str, Any]:
        """Options and data."""
        return {**asdict(self.options), "total": self.total, "data": self.images.describe()}

    def prepare(self, machine: Machine) -> None:
        """Compile the loss."""
        self.machine = machine
        for name, network in self.networks.items():
            network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.networks[name] = synchronise_norms(network)
        self.encoder = cast("Encoder", self.networks["encoder"])
        self._loss = machine.compile(self.loss)

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """One step of the optimiser `encoder`."""
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = cosine_rate(batch.step, max(self.total // self.batch, 1), self.options.rate)
        if 1 - batch.shown / self.total <= self.options.settled:
            settle(self.encoder)
        inputs = self.inputs(self.images.batch(batch.rows, self.machine.device))
        with self.machine.autocast():
            loss, terms = self._loss(*inputs)
        self.machine.update(self.optimisers["encoder"], loss)
        return terms

    def codes(self, images: Tensor) -> Tensor:
        """Codes [N, width] of images by the encoder in training, all levels beside one another."""
        return torch.cat(list(self.encoder.standardised_codes(images).values()), dim=1)

    @torch.no_grad()
    def final_codes(self, images: Tensor) -> Tensor:
        """Codes [N, width] of images by the encoder to keep."""
        encoder = cast("Encoder", self.averages["encoder"].module)
        with evaluating(encoder):
            parts = [list(encoder.standardised_codes(part).values()) for part in torch.split(images, PART)]
        return torch.cat([torch.cat(part, dim=1) for part in parts]).float()

    def held(self, count: int) -> Tensor:
        """The first images [n, 3, R, R] of the test split, or of the training set if there is none."""
        dataset, size = self.images.dataset, self.images.size
        images = TrainingImages(dataset, size, split="test") if "test" in dataset.splits else self.images
        return images.batch(np.arange(min(count, len(images))), self.machine.device)

    def export(self, folder: Path, history: Mapping[str, Any]) -> None:
        """Write `model.safetensors` and `card.md`."""
        description = self.describe()
        data, options = description["data"], {key: value for key, value in description.items() if key != "data"}
        drawn = self.images.dataset.card().domain == "in-generator"
        encoder = cast("Encoder", self.averages["encoder"].module)
        licence = f"that of the training images: {data['licence']}"
        save_encoder(
            folder / "model.safetensors", encoder,
            licence=licence, half=True,
            record=TrainingRecord(
                datasets=(record_name(data),), image_digests=None, supervision="self-supervised",
                domain="in-generator" if drawn else "real",
            ),
            about={
                "method": self.name, "citation": self.citation, "options": options, "data": data,
                "history": {key: value for key, value in history.items() if key != "metrics"},
                "metrics": dict(history["metrics"]),
            },
        )  # fmt: skip
        Card(
            title=f"{self.name}: an encoder of {encoder.config.size} px",
            what=(
                f"GH-Feat's compact encoder, {encoder.config.layout.width:,} numbers, trained without a generator "
                f"({self.citation}). Use it with `ghbench run --extractor trained:run={folder.name}`."
            ),
            data=f"{data['dataset']}, split {data['split']}: {data['images']:,} images",
            licence=licence,
            taught_by="no other weights",
            options=options,
            history=history,
        ).write(folder / "card.md")


class Reconstructing(EncoderRecipe):
    """An encoder that is trained beside a decoder."""

    def inputs(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images, and standard normal numbers of the shape of their codes."""
        return images, torch.randn(len(images), self.encoder.config.layout.width, device=images.device)

    def averaged(self) -> tuple[str, ...]:
        """Encoder and decoder."""
        return ("encoder", "decoder")

    @torch.no_grad()
    def decoded(self, codes: Tensor) -> Tensor:
        """Images [N, 3, R, R] of codes [N, width] by the decoder to keep."""
        decoder = self.averages["decoder"].module
        with evaluating(decoder):
            return torch.cat([decoder(part).float().clamp(-1, 1) for part in torch.split(codes, PART)])

    def pictures(self) -> NDArray[np.uint8]:
        """Unseen images above their reconstructions, and images of random codes."""
        images = self.held(SHOWN)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            random = torch.randn(SHOWN, self.encoder.config.layout.width).to(images.device)
        rows = torch.cat([images, self.decoded(self.final_codes(images)), self.decoded(random)])
        return picture_grid(to_uint8(rows).transpose(0, 2, 3, 1), columns=SHOWN)

    def evaluate(self, *, final: bool) -> Mapping[str, float]:
        """Squared error of reconstructions of unseen images, on [-1, 1]."""
        images = self.held(MEASURED if final else MEASURED // 5)
        return {"mse": float((self.decoded(self.final_codes(images)) - images).square().mean())}


class PlainDecoder(nn.Module):
    """GH-Feat's plain decoder, from codes of unit scale [N, width] to images [N, 3, R, R]."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        from ghbench.generators.code_statistics import CodeStatistics
        from ghbench.ghfeat.training.decoders import LearnedDecoder

        self.network = LearnedDecoder({"codes": CodeStatistics(torch.zeros(width), torch.ones(width))}, size)

    def forward(self, codes: Tensor) -> Tensor:
        """Codes [N, width] to images."""
        images: Tensor = self.network({"codes": codes})
        return images


def _dataset(data: str) -> Dataset:
    return cast("Dataset", registry.build("dataset", data))


def _layout(generator: str, size: int) -> CodeLayout:
    if not generator:
        return adain_layout(GanOptions(size=size).channel_table())
    return layout_of(load_generator(generator))
