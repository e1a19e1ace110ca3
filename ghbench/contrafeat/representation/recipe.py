"""The recipe of a representation: a variational autoencoder of images, or of pairs that differ in one known way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ghbench import registry
from ghbench.contrafeat.representation.files import save_representation
from ghbench.contrafeat.representation.losses import fused, reconstruction
from ghbench.contrafeat.representation.network import (
    SIDE,
    CodeDiscriminator,
    RepresentationConfig,
    RepresentationDecoder,
    RepresentationEncoder,
    shuffled_numbers,
)
from ghbench.contrafeat.representation.options import RepresentationOptions
from ghbench.dataset import Dataset
from ghbench.errors import DataError, UsageError
from ghbench.extractor import TrainingRecord
from ghbench.figures.picture_grid import picture_grid
from ghbench.ghfeat.training.modes import evaluating
from ghbench.training.averages import MovingAverage
from ghbench.training.card import Card
from ghbench.training.divergence import normal_divergence
from ghbench.training.images import TrainingImages, record_name
from ghbench.training.machine import Machine
from ghbench.training.recipe import Batch, Recipe
from ghbench.training.settings import parse_settings

CHANGED = "changed"
"""Target of datasets of pairs: int64 [2N], for both images of a pair in which way they differ."""
SHOWN, MEASURED, STEPS = 8, 500, (-2.0, -1.0, 0.0, 1.0, 2.0)


class RepresentationRecipe(Recipe):
    """Trains the autoencoder; a pair counts as one item.

    Args:
        data: Spec string of a dataset; pairs if it has the target `changed`, its rows 2i and 2i + 1 being pair i.
        settings: `name=value` for fields of `RepresentationOptions`.
        seed: Seed of the initial weights.

    Raises:
        UsageError: An unknown option, or fewer numbers of the code than ways in which pairs differ.
    """

    name: ClassVar[str] = "representation"

    def __init__(self, data: str, settings: Sequence[str] = (), seed: int = 0) -> None:
        dataset = cast("Dataset", registry.build("dataset", data))
        self.options = RepresentationOptions(**parse_settings(RepresentationOptions, settings))
        self.images, self.seed, self.batch = TrainingImages(dataset, SIDE), seed, self.options.batch
        target = dataset.targets.get(CHANGED)
        self.changed = None if target is None else _ways(np.asarray(target.values, np.int64)[self.images.rows])
        ways = 0 if self.changed is None else int(self.changed.max()) + 1
        if ways > self.options.codes:
            raise UsageError(f"pairs differ in {ways} ways; the code has {self.options.codes}", fix=f"-o codes={ways}")
        if self.changed is not None and self.options.gamma:
            raise UsageError("total correlation is for single images", fix="-o gamma=0")
        self.items = len(self.images) if self.changed is None else len(self.changed)
        config = RepresentationConfig(self.options.codes, encoder=self.options.encoder, width=self.options.width)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder, self.decoder = RepresentationEncoder(config), RepresentationDecoder(config)
            self.networks: dict[str, nn.Module] = {"encoder": self.encoder, "decoder": self.decoder}
            if self.options.gamma:
                self.networks["discriminator"] = CodeDiscriminator(config.codes)
        learned = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.optimisers = {"encoder": torch.optim.Adam(learned, lr=self.options.rate)}
        if self.options.gamma:
            judges = self.networks["discriminator"].parameters()
            self.optimisers["discriminator"] = torch.optim.Adam(judges, lr=1e-4, betas=(0.5, 0.9))
        self.averages: dict[str, MovingAverage] = {}

    def describe(self) -> Mapping[str, Any]:
        """Options and data."""
        return {**asdict(self.options), "data": self.images.describe(), "pairs": self.changed is not None}

    def prepare(self, machine: Machine) -> None:
        """Compile the loss."""
        self.machine = machine
        for network in self.networks.values():
            network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._loss = machine.compile(self._pairs_loss if self.changed is not None else self._images_loss)

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """One step of the autoencoder, and of FactorVAE's discriminator."""
        images, changed = self._batch(batch.rows)
        noise = torch.randn(len(images), self.options.codes, device=images.device)
        with self.machine.autocast():
            loss, terms, codes = self._loss(images, noise, changed)
        self.machine.update(self.optimisers["encoder"], loss)
        if self.options.gamma:
            terms |= self._discriminator_step(codes.detach())
        return terms

    def pictures(self) -> NDArray[np.uint8]:
        """Images above their reconstructions; then the first image with each number of its code moved, a row each."""
        images, _ = self._batch(np.arange(min(SHOWN, self.items)))
        with torch.no_grad(), evaluating(self.encoder):
            means, _ = self.encoder(images[:SHOWN])
            moved = [means[0].clone() for _ in range(self.options.codes * len(STEPS))]
            for place, code in enumerate(moved):
                code[place // len(STEPS)] = STEPS[place % len(STEPS)]
            shown = [images[:SHOWN], self.decoder(means).sigmoid(), self.decoder(torch.stack(moved)).sigmoid()]
        rows = [picture_grid(_uint8(part), columns=count) for part, count in
                ((torch.cat(shown[:2]), len(means)), (shown[2], len(STEPS)))]  # fmt: skip
        width = max(row.shape[1] for row in rows)
        return np.concatenate([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows])

    @torch.no_grad()
    def evaluate(self, *, final: bool) -> Mapping[str, float]:
        """Squared error of reconstructions, divergence of each image, and numbers of the code in use."""
        images, _ = self._batch(np.arange(min(MEASURED if final else MEASURED // 5, self.items)))
        with evaluating(self.encoder):
            means, logs = self.encoder(images)
        each = 0.5 * (means.square() + logs.exp() - 1 - logs).mean(dim=0)
        return {
            "mse": float((self.decoder(means).sigmoid() - images).square().mean()), "kl": float(each.sum()),
            "numbers in use": float((each > 0.01).sum()),
        }  # fmt: skip

    def export(self, folder: Path, history: Mapping[str, Any]) -> None:
        """Write `model.safetensors` and `card.md`."""
        description = self.describe()
        data = description["data"]
        card = self.images.dataset.card()
        method = "pair-vae" if self.changed is not None else "factor-vae" if self.options.gamma else "beta-vae"
        save_representation(
            folder / "model.safetensors", self.encoder, self.decoder, licence=card.licence,
            record=TrainingRecord(
                datasets=(record_name(data),), image_digests=None, networks=self._networks(),
                supervision="unsupervised" if self.changed is None else "pairs",
                domain=card.domain,
            ),
            about={
                "method": method, "options": asdict(self.options), "data": data,
                "history": {key: value for key, value in history.items() if key != "metrics"},
                "metrics": dict(history["metrics"]),
            },
        )  # fmt: skip
        Card(
            title=f"{method}: a code of {self.options.codes} numbers",
            what=(
                f"Means of {self.options.codes} numbers. Use it with `ghbench run --extractor "
                f"contrafeat-codes:weights={folder.name} --task disentanglement`."
            ),
            data=f"{data['dataset']}, split {data['split']}: {data['images']:,} images",
            licence=card.licence,
            taught_by=card.source,
            options=asdict(self.options),
            history=history,
        ).write(folder / "card.md")

    def _networks(self) -> tuple[str, ...]:
        """Digests of what drew the images."""
        return tuple(getattr(self.images.dataset, "networks", ()))

    def _batch(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Images in [0, 1], of pairs the first ones of all before the second ones, and in which way these differ."""
        device = self.machine.device
        if self.changed is None:
            return self._images(rows), torch.zeros(len(rows), dtype=torch.int64, device=device)
        changed = torch.from_numpy(self.changed[rows]).to(device)
        return self._images(np.concatenate([2 * rows, 2 * rows + 1])), changed

    def _images(self, rows: NDArray[np.int64]) -> Tensor:
        images = (self.images.batch(rows, self.machine.device) + 1) / 2
        return images.to(memory_format=torch.channels_last)

    def _pairs_loss(self, images: Tensor, noise: Tensor, changed: Tensor) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        means, logs = self.encoder(images)
        means, logs = fused(means.float(), logs.float(), changed)
        return self._bound(images, noise, means, logs, 2.0)

    def _images_loss(self, images: Tensor, noise: Tensor, _: Tensor) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        means, logs = self.encoder(images)
        return self._bound(images, noise, means.float(), logs.float(), 1.0)

    def _bound(
        self, images: Tensor, noise: Tensor, means: Tensor, logs: Tensor, each: float
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Negative evidence lower bound; a pair counts both of its images."""
        codes = means + (logs / 2).exp() * noise
        error = reconstruction(self.decoder(codes).float(), images, self.options.likelihood).mean()
        spread = normal_divergence(means, logs).mean()
        loss = each * (error + self.options.beta * spread)
        terms = {"reconstruction": error.detach(), "kl": spread.detach()}
        if self.options.gamma:
            judged = self.networks["discriminator"](codes)
            correlation = (judged[:, 0] - judged[:, 1]).float().mean()
            loss, terms["tc"] = loss + self.options.gamma * correlation, correlation.detach()
        return loss, terms, codes

    def _discriminator_step(self, codes: Tensor) -> dict[str, Tensor]:
        """Kim and Mnih 2018, FactorVAE, algorithm 2; both halves come from the same batch."""
        discriminator = self.networks["discriminator"]
        judged = torch.cat([discriminator(codes), discriminator(shuffled_numbers(codes))])
        truth = torch.arange(2, device=codes.device).repeat_interleave(len(codes))
        loss = functional.cross_entropy(judged.float(), truth)
        self.machine.update(self.optimisers["discriminator"], loss)
        return {"discriminator": loss.detach()}


def _ways(changed: NDArray[np.int64]) -> NDArray[np.int64]:
    """In which way each pair differs [N], from what both of its images say [2N].

    Raises:
        DataError: An odd number of images, or two of a pair that say different things.
    """
    if len(changed) % 2 or not np.array_equal(changed[::2], changed[1::2]) or changed.min(initial=0) < 0:
        raise DataError("these are no pairs: rows 2i and 2i + 1 must name one way in which they differ")
    return changed[::2]


def _uint8(images: Tensor) -> NDArray[np.uint8]:
    made = (images.float() * 255).round().clamp(0, 255).to(torch.uint8)
    return np.asarray(made.permute(0, 2, 3, 1).cpu().numpy())
