"""Heads that end MobileStyleGAN early: images of 64, 128 and 256 px at a fraction of the cost.

Only the head for 1024 px was published. Ours are modulated 1x1 convolutions like it, fitted to reproduce the whole
network's images, averaged down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ghbench import assets
from ghbench.checkpoints import Checkpoint, native
from ghbench.figures.picture_grid import picture_grid
from ghbench.generators.mobile_stylegan import COLOURS, MobileStyleGAN, WaveletHead
from ghbench.generators.mobile_weights import ASSET, HEAD_SIZES
from ghbench.generators.rendering import (
    RenderRecipe,
    RenderShards,
    area_average,
    drawing,
    from_uint8,
    recipe_codes,
    to_uint8,
)
from ghbench.seeds import seeds_for
from ghbench.training.averages import MovingAverage
from ghbench.training.card import Card
from ghbench.training.head_samples import BATCH, HeadSamples, feeding_level, style_row
from ghbench.training.machine import Machine
from ghbench.training.recipe import Batch, Recipe
from ghbench.training.settings import check_numbers

LICENCE = "research, non-commercial (teacher: NVIDIA StyleGAN2-FFHQ)"
EVALUATED_PSI = (0.7, 1.0)
Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class HeadOptions:
    """Options of the recipe.

    Args:
        renders: Images that the heads are fitted on.
        least_psi: Smallest truncation psi; psi is uniform from here ...
        most_psi: ... to here.
        mixed: Fraction of renders with style mixing. The second z starts at the smallest head's row at the latest,
            since a shortened network does not see later rows.
        pixels: Pixels sampled from an image for each head.
        evaluated: Images of the final evaluation for each psi.
        batch: Images a step.
        rate: Learning rate of Adam for the modulation; that of the weights is proportional to their scale.
        decay: Weight decay of the modulation.
        images: Images of the run, over which the rate falls to 0.
    """

    renders: int = 2048
    least_psi: float = 0.5
    most_psi: float = 1.0
    mixed: float = 1 / 3
    pixels: int = 128
    evaluated: int = 200
    batch: int = 32
    rate: float = 2e-3
    decay: float = 0.0
    images: int = 64_000

    def __post_init__(self) -> None:
        least = {"renders": 1, "pixels": 1, "evaluated": 1, "batch": 1, "images": 1, "decay": 0, "mixed": 0}
        wrong = [] if 0 <= self.least_psi <= self.most_psi < math.inf else ["least_psi", "most_psi"]
        check_numbers(self, least, positive=("rate",), shares=("mixed",), wrong=wrong)

    def training_renders(self) -> RenderRecipe:
        """Renders that the heads are fitted on, in bfloat16, whose error is 18 dB below that of the heads."""
        return RenderRecipe(
            ASSET, assets.digest(ASSET), first_seed=seeds_for("train", self.renders).start, count=self.renders,
            psi=(self.least_psi, self.most_psi), mixed=self.mixed, crossovers=style_row(min(HEAD_SIZES)),
            size=max(HEAD_SIZES), precision="bfloat16",
        )  # fmt: skip

    def held_out_renders(self, psi: float) -> RenderRecipe:
        """Renders of held-out seeds."""
        return RenderRecipe(
            ASSET, assets.digest(ASSET), first_seed=seeds_for("monitoring", self.evaluated).start,
            count=self.evaluated, psi=(psi, psi), size=max(HEAD_SIZES),
        )  # fmt: skip


class HeadRecipe(Recipe):
    """Fits the heads: least squares without modulation first, then Adam with it.

    Args:
        whole: The published generator.
        short: The network cut to the largest head's size.
        folder: Folder for renders and samples.
        options: Options.
    """

    name = "heads"

    def __init__(
        self,
        whole: MobileStyleGAN,
        short: MobileStyleGAN,
        folder: Path,
        options: HeadOptions | None = None,
    ) -> None:
        self.options = options or HeadOptions()
        self.whole, self.short, self.folder = whole, short, folder
        self.items, self.batch = self.options.renders, self.options.batch
        self.heads = {size: WaveletHead(short.channels[size // 2], short.w_dim) for size in HEAD_SIZES}
        self.networks = {f"head{size}": head for size, head in self.heads.items()}
        self.averages = {name: MovingAverage(head, 4_000) for name, head in self.networks.items()}
        rate, decay = self.options.rate, self.options.decay
        groups = [
            {"params": [head.weight, head.bias] if part == "weights" else list(head.style.parameters()),
             "weight_decay": 0.0 if part == "weights" else decay, "part": part, "lr": rate}
            for head in self.heads.values() for part in ("weights", "style")
        ]  # fmt: skip
        self.optimisers = {"heads": torch.optim.AdamW(groups, betas=(0.9, 0.99))}
        self.scales: dict[str, float] = {}
        self.samples: dict[str, Tensor] = {}

    def describe(self) -> Mapping[str, Any]:
        """Options, and the digest of the weights."""
        return {**asdict(self.options), "weights": assets.digest(ASSET)}

    def gather(self, machine: Machine, report: Report = lambda _done, _total: None) -> None:
        """Render and sample what is missing; `prepare` calls this unless it was called before.

        Args:
            machine: Where to compute.
            report: Called with the number of images done and in total, for each set of renders.
        """
        self.machine = machine
        self.whole.to(machine.device)
        self.short.to(machine.device)
        self._features: Callable[[Tensor], dict[str, Tensor]] = machine.compile(self._features_of)
        renders = [self.options.training_renders(), *map(self.options.held_out_renders, EVALUATED_PSI)]
        for recipe in renders:
            made = RenderShards(recipe, self.folder)
            made.make(self.whole, drawing(self.whole, recipe, compiled=machine.compiled), report, batch=4)
        samples = HeadSamples(RenderShards(renders[0], self.folder), HEAD_SIZES, self.options.pixels)
        samples.make(self.short, self._fast_features, report)
        self.samples = samples.read()

    def prepare(self, machine: Machine) -> None:
        """Start with least squares, unless the run resumes."""
        if not self.samples:
            self.gather(machine)
        if not self.scales:
            for size, head in self.heads.items():
                least_squares(head, *self._all(size))
                self.scales[str(size)] = float(head.weight.detach().std())
            for average in self.averages.values():
                average.module.load_state_dict(average.source.state_dict())
        self._loss = machine.compile(head_loss)

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """One step of all heads; they share no parameters, so their losses are added."""
        self._set_rates(batch.shown)
        rows = torch.from_numpy(batch.rows)
        losses = {}
        for size, head in self.heads.items():
            features, bands, w = (self.samples[f"{part}{size}"][rows] for part in ("features", "bands", "w"))
            device = self.machine.device
            losses[f"mse{size}"] = self._loss(head, features.to(device).float(), w.to(device), bands.to(device))
        self.machine.update(self.optimisers["heads"], torch.stack(list(losses.values())).sum())
        return losses

    def evaluate(self, *, final: bool) -> Mapping[str, float]:
        """Mean PSNR on held-out seeds by size and psi; on a few seeds unless `final`."""
        found: dict[str, float] = {}
        for psi in EVALUATED_PSI:
            count = self.options.evaluated if final else min(32, self.options.evaluated)
            per_size = self._psnr(self.options.held_out_renders(psi), count)
            found |= {f"psnr_{size}px_psi{psi:g}": float(np.mean(values)) for size, values in per_size.items()}
        return found

    def pictures(self) -> NDArray[np.uint8]:
        """Held-out images at psi 1, at 256 px: in columns the whole network, then the heads, smallest first."""
        recipe = self.options.held_out_renders(1.0)
        shown = min(4, self.options.evaluated)
        drawn = self._draw(recipe_codes(recipe, self.short, seeds_for("monitoring", shown)))
        scaled = [functional.interpolate(images, 256, mode="nearest") for images in drawn.values()]
        columns = [RenderShards(recipe, self.folder).read()[:shown], *map(to_uint8, scaled)]
        cells = np.stack(columns, axis=1).reshape(-1, COLOURS, 256, 256)
        return picture_grid(cells.transpose(0, 2, 3, 1), columns=len(columns))

    def state(self) -> Mapping[str, Any]:
        """Scales of the least-squares weights, to which their learning rates are proportional."""
        return {"scales": self.scales}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Load what `state` returned."""
        self.scales = dict(state["scales"])

    def export(self, folder: Path, history: Mapping[str, Any]) -> None:
        """Write `model.safetensors` and `card.md`."""
        tensors = {
            f"{name}/{key}": value.cpu().numpy()
            for name, average in self.averages.items() for key, value in average.module.state_dict().items()
        }  # fmt: skip
        config = {"options": dict(self.describe()), "history": dict(history)}
        checkpoint = Checkpoint("ghbench", tensors, config, assets.digest(ASSET))
        architecture = {name: {"inputs": average.source.inputs} for name, average in self.averages.items()}
        native.write(folder / "model.safetensors", checkpoint, licence=LICENCE, architecture=architecture)
        head_card(self.options, history).write(folder / "card.md")

    def _all(self, size: int) -> tuple[Tensor, Tensor]:
        return self.samples[f"features{size}"], self.samples[f"bands{size}"]

    def _features_of(self, ws: Tensor) -> dict[str, Tensor]:
        return self.short.many_features(ws, tuple(map(feeding_level, HEAD_SIZES)))

    def _fast_features(self, ws: Tensor) -> Mapping[str, Tensor]:
        with torch.no_grad(), self.machine.autocast():
            return self._features(ws)

    def _set_rates(self, shown: int) -> None:
        options = self.options
        share = min(1.0, (shown + options.batch) / (50 * options.batch)) * max(0.0, 1 - shown / options.images)
        for group, size in zip(
            self.optimisers["heads"].param_groups, [s for s in HEAD_SIZES for _ in "ab"], strict=True
        ):
            scale = 10 * self.scales[str(size)] if group["part"] == "weights" else 1.0
            group["lr"] = options.rate * scale * share

    @torch.no_grad()
    def _draw(self, ws: Tensor) -> dict[int, Tensor]:
        """Images of all heads by size, in float32; padded to `BATCH` codes, because the function is compiled."""
        count = len(ws)
        filled = torch.cat([ws, ws[-1:].expand(BATCH - count, -1, -1)])
        features = self._features(filled)
        drawn = {}
        for size in HEAD_SIZES:
            head = self.averages[f"head{size}"].module
            assert isinstance(head, WaveletHead)
            level = features[feeding_level(size)][:count]
            drawn[size] = head(level, head.style(ws[:, style_row(size)]))
        return drawn

    def _psnr(self, recipe: RenderRecipe, count: int) -> dict[int, list[float]]:
        renders = RenderShards(recipe, self.folder).read()
        values: dict[int, list[float]] = {size: [] for size in HEAD_SIZES}
        for start in range(0, count, BATCH):
            seeds = range(recipe.first_seed + start, recipe.first_seed + min(start + BATCH, count))
            drawn = self._draw(recipe_codes(recipe, self.short, seeds))
            expected = from_uint8(renders[start : start + len(seeds)]).to(self.machine.device)
            for size, images in drawn.items():
                values[size] += psnr(images, area_average(expected, size)).tolist()
        return values


def head_loss(head: WaveletHead, features: Tensor, w: Tensor, bands: Tensor) -> Tensor:
    """Mean squared error of a head's wavelet bands, equal to that of its pixels since the wavelets are orthonormal.

    Args:
        head: The head.
        features: [N, P, C].
        w: [N, w_dim].
        bands: Expected bands [N, P, 12].
    """
    return (head.bands(features, head.style(w)) - bands).square().mean()


@torch.no_grad()
def least_squares(head: WaveletHead, features: Tensor, bands: Tensor) -> None:
    """Set a head to its least-squares fit without modulation (all scales 1).

    Args:
        head: Changed in place.
        features: [N, P, C], half precision.
        bands: [N, P, 12].
    """
    inputs = features.shape[2]
    gram, moments = torch.zeros(inputs + 1, inputs + 1, dtype=torch.float64), torch.zeros(inputs + 1, 12).double()
    for part, expected in zip(torch.split(features, 64), torch.split(bands, 64), strict=True):
        pixels = functional.pad(part.float().flatten(0, 1), (0, 1), value=1.0)
        gram += pixels.T @ pixels
        moments += pixels.T @ expected.flatten(0, 1)
    ridge = 1e-5 * gram.diagonal().mean() * torch.eye(inputs + 1)
    solution = torch.linalg.solve(gram + ridge, moments).float().to(head.weight.device)
    head.weight.copy_(solution[:-1].T)
    head.bias.copy_(solution[-1])
    torch.nn.init.zeros_(head.style.weight)
    torch.nn.init.ones_(head.style.bias)


def psnr(images: Tensor, expected: Tensor) -> Tensor:
    """Peak signal-to-noise ratio [N] in dB of images [N, C, H, W] clipped to [-1, 1]; the data range is 2."""
    error = (images.clamp(-1, 1) - expected.clamp(-1, 1)).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(4 / error)


def head_card(options: HeadOptions, history: Mapping[str, Any]) -> Card:
    """The card of the heads."""
    return Card(
        title="Heads for MobileStyleGAN images of 64, 128 and 256 px",
        what=(
            "MobileStyleGAN stops after 32, 64 or 128 px and these heads turn its features into images of twice that "
            "size: a 1x1 convolution, modulated by the row of W+ that follows, to twelve wavelet bands. "
            "`ghbench generate --generator mobile-stylegan-ffhq:size=128` uses them."
        ),
        data=(
            f"{options.renders:,} renders of the whole network, averaged down to 256 px: seeds 0 to "
            f"{options.renders - 1}, psi uniform in {options.least_psi} to {options.most_psi}, "
            f"{options.mixed:.0%} of them style-mixed; no photographs"
        ),
        licence=LICENCE,
        taught_by="MobileStyleGAN-FFHQ (package random-face), itself distilled from NVIDIA's StyleGAN2-FFHQ",
        options=asdict(options),
        history=history,
        limits=(
            f"The metrics are the mean PSNR against the whole network's images, averaged down and clipped, on "
            f"{options.evaluated} held-out seeds from {seeds_for('monitoring', 1).start:,} up. A shortened network "
            "cannot draw what the finer rows of W+ add."
        ),
    )
