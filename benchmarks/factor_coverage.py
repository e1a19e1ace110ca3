"""Which factors of a world its generator draws: a classifier that exact renders taught looks at the samples.

`python benchmarks/factor_coverage.py sprites GENERATOR` or `... rooms GENERATOR`. A claim about an encoder that such a
generator taught is untested where the generator does not draw what the claim is about.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from numpy.typing import NDArray
from record import write
from torch import Tensor, nn
from torch.nn import functional

from ghbench import registry
from ghbench.data.renders import Renders
from ghbench.dataset import Dataset
from ghbench.metrics.precision_recall import precision_recall
from ghbench.training.images import TrainingImages

BINS, EPOCHS, BATCH, RATE, SEED = 10, 10, 128, 1e-3, 0
ENOUGH = 0.9
TARGETS = {"sprites": ("factors",), "rooms": ("camera", "light")}
"""What is exactly known of each world's images."""


def main() -> None:
    """Teach, look, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", choices=TARGETS)
    parser.add_argument("generator", help="spec string or path of the generator")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    given = parser.parse_args()
    dataset: Dataset = registry.build("dataset", given.world)
    names, known = factors(dataset, TARGETS[given.world])
    sizes = known.max(axis=0) + 1
    size = dataset.image(0).shape[0]
    train, test = (TrainingImages(dataset, size, split=split) for split in ("train", "test"))
    network = taught(train, known[train.rows], sizes, given.epochs)
    half = len(test) // 2
    rows = np.arange(half)
    reference, again = (probabilities(network, test.uint8(part), sizes) for part in (rows, half + rows))
    renders = Renders(given.generator, half, size=size)
    samples = np.stack([renders.image(row) for row in range(half)]).transpose(0, 3, 1, 2)
    seen = probabilities(network, samples, sizes)
    answers = [np.concatenate(part, axis=1) for part in (reference, again, seen)]
    recall, floor = (precision_recall(answers[0], other)["recall"] for other in (answers[2], answers[1]))
    table, numbers = [], {}
    for place, name in enumerate(names):
        right = float((reference[place].argmax(axis=1) == known[test.rows[rows], place]).mean())
        shared = [overlap(reference[place], other[place]) for other in (seen, again)]
        table.append([name, str(sizes[place]), f"{right:.3f}", *(f"{value:.3f}" for value in shared)])
        numbers[name] = {"accuracy": right, "samples": shared[0], "renders": shared[1]}
    lowest = min(numbers, key=lambda name: numbers[name]["samples"])
    covered = numbers[lowest]["samples"]
    verdict = "enough" if covered >= ENOUGH else "too little: claims about what this generator teaches are untested"
    text = f"""
A small convolutional network, taught for {given.epochs} passes over the {len(train):,} training images, names the value
of each factor (continuous ones in {BINS} bins of equal counts). *Accuracy*: on {half:,} test images. *Samples*: what
the distribution of its answers on {half:,} images of `{given.generator}` (test seeds, psi 1) shares with that on those
test images, 1 less half of the summed differences; *renders*: the same for {half:,} other test images, the most that
can be expected.

The least covered factor is {lowest}, {covered:.3f}; at least {ENOUGH:g} is asked for, so this is {verdict}. All factors
together: {recall:.3f} of the test images lie among the samples' answers, and {floor:.3f} among those of other test
images (recall of Kynkaanniemi et al. 2019, on the network's probabilities).
"""
    head = ["factor", "values", "accuracy", "samples", "renders"]
    command = f"python benchmarks/factor_coverage.py {given.world} {given.generator}"
    title = f"Factors of {given.world} that the generator draws"
    write(
        f"factor_coverage_{given.world}", title, text, head, table,
        command=command, generator=given.generator, recall=[recall, floor], numbers=numbers,
    )  # fmt: skip


def factors(dataset: Dataset, targets: tuple[str, ...]) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the factors, and the number of each one's value [N, F]."""
    names, columns = [], []
    for target in (dataset.targets[name] for name in targets):
        for name, values in zip(target.names, np.asarray(target.values).T, strict=True):
            if not np.issubdtype(values.dtype, np.integer):
                values = np.searchsorted(np.quantile(values, np.arange(1, BINS) / BINS), values)  # noqa: PLW2901
            names.append(name)
            columns.append(values)
    return names, np.stack(columns, axis=1).astype(np.int64)


def taught(images: TrainingImages, known: NDArray[np.int64], sizes: NDArray[np.int64], epochs: int) -> nn.Module:
    """A network that gives the logits of all values of all factors [N, sum of sizes]."""
    torch.manual_seed(SEED)
    layers: list[nn.Module] = []
    for before, after in zip((3, 32, 64, 128), (32, 64, 128, 256), strict=True):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear((images.size // 16) ** 2 * 256, int(sizes.sum())))
    steps = epochs * (len(images) // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), RATE)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps)
    draw = np.random.default_rng(SEED)
    for epoch in range(epochs):
        order = draw.permutation(len(images))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            found = network(images.batch(rows, torch.device("cpu")))
            loss = _error(found, torch.from_numpy(known[rows]), sizes)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rates.step()
        print(f"pass {epoch + 1} of {epochs}: loss {loss.item():.3f}", flush=True)
    return network.eval()


def _error(logits: Tensor, known: Tensor, sizes: NDArray[np.int64]) -> Tensor:
    parts = logits.split(sizes.tolist(), dim=1)
    return torch.stack([functional.cross_entropy(part, known[:, place]) for place, part in enumerate(parts)]).mean()


@torch.inference_mode()
def probabilities(network: nn.Module, images: NDArray[np.uint8], sizes: NDArray[np.int64]) -> list[NDArray[np.float32]]:
    """Probabilities of each factor's values [N, values] for images [N, 3, R, R]."""
    batches = np.array_split(images, max(1, len(images) // BATCH))
    logits = torch.cat([network(torch.from_numpy(batch.copy()).float() / 127.5 - 1) for batch in batches])
    return [part.softmax(dim=1).numpy() for part in logits.split(sizes.tolist(), dim=1)]


def overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """What the distributions of the likeliest values share, from 0 to 1."""
    shares = [np.bincount(values.argmax(axis=1), minlength=values.shape[1]) / len(values) for values in (one, other)]
    return float(np.minimum(*shares).sum())


if __name__ == "__main__":
    main()
