"""The paper's ablation on a small generator: which codes an encoder predicts, with and without spatial alignment.

Trains 18 encoders unless they are there (hours; runs resume), then reconstructs Fashion-MNIST's test split.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product, repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ghbench_tasks.pictures.constants import mean_image
from ghbench_tasks.pictures.decoding import at_size
from ghbench_tasks.pictures.reconstruction import reconstruction
from ghbench_tasks.pictures.source import Source, images_of
from record import write

from ghbench import locations, registry
from ghbench.data.subset import Subset
from ghbench.dataset import Dataset
from ghbench.generators.loading import generator_plugin
from ghbench.ghfeat.codec import Codec
from ghbench.ghfeat.files.description import describe_encoder
from ghbench.ghfeat.training.options import GhfeatOptions
from ghbench.imaging import prepare
from ghbench.metrics.image import mse, ssim
from ghbench.progress import silent
from ghbench.results.statistics import interval, multiplicities
from ghbench.training.settings import parse_settings

GENERATOR, DATA, SIZE, IMAGES = "stylegan1-fashion32", "fashion-mnist", 32, 50_000
SPACES = {"w": "W", "w_plus": "W+", "adain": "Y"}
SEEDS = (0, 1, 2)
OPTIONS = (
    "width=0.25", "real=1", "code=0", "perceptual_share=0.5", "settled=0", "metric=", "changed=0", "grey=0",
    "degraded=0", "reflected=0",
)  # fmt: skip
"""Trained on real images with the generator alone, no codes of renders. A narrow trunk makes 18 runs feasible."""
FULL = ("adain", True)
THUMBNAIL = "pixels:size=8"
T_TWO = 4.303
"""97.5 % point of Student's t with two degrees of freedom: three seeds."""
AT_ONCE = 16
"""Images per batch."""


def main() -> None:
    """Train, reconstruct, and write the table."""
    for seed, space, sam in product(SEEDS, SPACES, (True, False)):
        _train(space, sam, seed)
    source = reconstruction(DATA).source
    part = Subset(source.dataset, source.dataset.splits["test"])
    targets, _ = images_of(part, silent)
    settings = [*product(SPACES, (True, False))]
    runs = [_run(*setting, seed) for setting in settings for seed in SEEDS]
    # One process per core: the images are small, and threads would wait for each other.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        found = list(pool.map(_errors, runs, repeat(targets)))
    errors = {
        setting: np.stack(found[place * len(SEEDS) : (place + 1) * len(SEEDS)])
        for place, setting in enumerate(settings)
    }
    weights = multiplicities(len(targets)) / len(targets)
    rows, numbers = [], {}
    for name, answers in _references(source, part, targets).items():
        cells, measured = _summary(_image_errors(targets, answers)[None], weights)
        numbers |= {f"{name}:{metric}": summary for metric, summary in measured.items()}
        rows.append([name, "", *cells, "", "", ""])
    for (space, sam), values in errors.items():
        cells, measured = _summary(values, weights)
        numbers |= {f"{space}{'+sam' if sam else ''}:{metric}": summary for metric, summary in measured.items()}
        cells = [SPACES[space], "yes" if sam else "no", *cells]
        cells.append(" ".join(f"{value:.4f}" for value in values[:, 0].mean(axis=1)))
        cells += ["", ""] if (space, sam) == FULL else _differences(values, errors[FULL])
        rows.append(cells)
    text = f"""
Encoders for `{GENERATOR}` (w of 64 numbers), each trained on {IMAGES:,} images of Fashion-MNIST's training split,
mirrored at random, with pixel and perceptual loss only ({", ".join(OPTIONS)}; otherwise the compact preset), with three
seeds each. They reconstruct the 10,000 images of the test split. Y: StyleGAN1's scales and biases by layer; W+: one w
per layer; W: one w for all layers; 896, 512 and 64 numbers. Without alignment, pyramid maps are pooled but not mixed.
The thumbnail is `{THUMBNAIL}` of the task `reconstruction`. Brackets after mse and ssim: 95 % bootstrap over images,
given these three encoders. Brackets after a difference: 95 % by Student's t over the three seeds, paired by seed, not
corrected for five comparisons; above 0, the full method (Y with alignment) is better.
"""
    head = ["codes", "alignment", "mse", "ssim", "mse by seed", "mse less Y with alignment, by seed", "mean"]
    write("ghfeat_ablation", "What GH-Feat's parts are worth", text, head, rows, settings=numbers)


def _run(space: str, sam: bool, seed: int) -> str:
    return f"ablation-{space}-{str(sam).lower()}-{seed}"


def _train(space: str, sam: bool, seed: int) -> None:
    run = _run(space, sam, seed)
    settings = [f"space={space}", f"alignment={str(sam).lower()}", *OPTIONS]
    path = locations.cache() / "runs" / run / "model.safetensors"
    if path.is_file():
        _check(path, settings, seed)
        return
    command = ["train", "ghfeat", "--generator", GENERATOR, "--size", SIZE, "--data", DATA, "--images", IMAGES]
    command += ["--seed", seed, "--run", run, *(part for setting in settings for part in ("-o", setting))]
    subprocess.run([str(Path(sys.executable).with_name("ghbench")), *map(str, command)], check=True)


def _check(path: Path, settings: list[str], seed: int) -> None:
    """Refuse an encoder that was trained with other settings."""
    about = describe_encoder(path)
    wanted = parse_settings(GhfeatOptions, settings) | {"total": IMAGES}
    found = {name: about.about["options"].get(name) for name in wanted}
    same_generator = about.generator_digest == generator_plugin(GENERATOR).spec().weights_digest
    if found != wanted or about.about["history"]["seed"] != seed or not same_generator:
        raise SystemExit(f"{path.parent} was trained with other settings; fix: rm -r {path.parent}")


def _errors(run: str, targets: np.ndarray) -> np.ndarray:
    """Errors of a run's reconstructions of the targets, float64 [2, N]."""
    codec = Codec.load(str(locations.cache() / "runs" / run))
    parts = [targets[start : start + AT_ONCE] for start in range(0, len(targets), AT_ONCE)]
    return _image_errors(targets, np.concatenate([codec.decode(codec.encode(part)) for part in parts]))


def _references(source: Source, part: Dataset, targets: np.ndarray) -> dict[str, np.ndarray]:
    """Reconstructions without an encoder: by name, uint8 of the targets' shape."""
    thumbnail = registry.build("extractor", THUMBNAIL)
    wanted = thumbnail.spec().preprocessing
    seen = np.stack([prepare(part.image(row), wanted, "none").image for row in range(len(part))])
    training, _ = images_of(source.training_images(), silent)
    return {
        "mean training picture": np.broadcast_to(mean_image(training), targets.shape),
        "8x8 thumbnail, 64 numbers": at_size(thumbnail.decode(thumbnail.extract(seen)), source.size),
    }


def _summary(values: np.ndarray, weights: np.ndarray) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Means of errors [seeds, 2, N] with intervals over images: as cells, and by metric as numbers."""
    cells, measured = [], {}
    for metric, digits, errors in zip(("mse", "ssim"), (4, 3), values.swapaxes(0, 1), strict=True):
        each = errors.mean(axis=1)
        low, high = interval(float(each.mean()), weights @ errors.mean(axis=0), weights.shape[1], None)
        cells.append(f"{each.mean():.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]")
        measured[metric] = {"mean": float(each.mean()), "interval_over_pictures": [low, high]}
        if len(each) > 1:
            measured[metric]["seeds"] = each.tolist()
    return cells, measured


def _image_errors(targets: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Squared error and structural similarity of each image, float64 [2, N]."""
    parts = [slice(start, start + 500) for start in range(0, len(targets), 500)]
    pairs = [(targets[part] / 127.5 - 1, made[part] / 127.5 - 1) for part in parts]
    return np.stack([np.concatenate([metric(one, two) for one, two in pairs]) for metric in (mse, ssim)])


def _differences(values: np.ndarray, full: np.ndarray) -> list[str]:
    """Differences in mse by seed, and their mean with its interval."""
    each = (values[:, 0] - full[:, 0]).mean(axis=1)
    reach = T_TWO * each.std(ddof=1) / np.sqrt(len(each))
    mean = each.mean()
    return [
        " ".join(f"{value:+.4f}" for value in each),
        f"{mean:+.4f} [{mean - reach:+.4f}, {mean + reach:+.4f}]",
    ]


if __name__ == "__main__":
    main()
