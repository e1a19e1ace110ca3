"""The paper's ablation on a small generator: which codes an encoder predicts, with and without spatial alignment.

Trains 18 encoders where they are not trained yet (runs resume; hours), then reconstructs Fashion-MNIST's test split.
"""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
from ghbench_tasks.reconstruction import reconstruction
from record import write

from ghbench import locations
from ghbench.extractor import Preprocessing
from ghbench.ghfeat.codec import Codec
from ghbench.imaging import prepare
from ghbench.metrics.image import mse, ssim
from ghbench.results.statistics import interval

GENERATOR, DATA, SIZE, IMAGES = "stylegan1-fashion32", "fashion-mnist", 32, 50_000
SPACES = {"w": "W", "w_plus": "W+", "adain": "Y"}
SEEDS = (0, 1, 2)
OPTIONS = ("width=0.25", "real=1", "code=0", "grey=0", "degraded=0", "reflected=0")
"""Real pictures and the generator alone teach, no codes of renders. A narrow trunk makes 18 runs a matter of hours."""
DRAWS = 2_000
FULL = ("adain", True)


def main() -> None:
    """Train, reconstruct, and write the table."""
    for seed, space, sam in product(SEEDS, SPACES, (True, False)):
        _train(space, sam, seed)
    targets = _targets()
    errors = {
        setting: np.stack([_errors(_run(*setting, seed), targets) for seed in SEEDS])
        for setting in product(SPACES, (True, False))
    }
    seeds, pictures = _draws(len(targets))
    drawn = {setting: _resampled(values, seeds, pictures) for setting, values in errors.items()}
    rows, numbers = [], {}
    for (space, sam), values in errors.items():
        told = [SPACES[space], "yes" if sam else "no"]
        for metric, digits in ((0, 4), (1, 3)):
            low, high = interval(drawn[space, sam][:, metric])
            each = values[:, metric].mean(axis=1)
            told += [f"{each.mean():.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"]
            numbers[f"{space}{'+sam' if sam else ''}:{('mse', 'ssim')[metric]}"] = {
                "mean": float(each.mean()), "interval": [low, high], "seeds": each.tolist()
            }  # fmt: skip
        told.append(" ".join(f"{value:.4f}" for value in values[:, 0].mean(axis=1)))
        told.append("" if (space, sam) == FULL else _against(errors, drawn, (space, sam)))
        rows.append(told)
    text = f"""
Encoders for `{GENERATOR}` (w of 64 numbers), each trained on {IMAGES:,} pictures of Fashion-MNIST's training split,
mirrored at random, by pixel and perceptual loss alone ({", ".join(OPTIONS)}; compact preset otherwise), with three
seeds. Reconstructed are the 10,000 pictures of the test split. Y are StyleGAN1's scales and biases by layer, W+ is a w
a layer, W one w for all. Without alignment, pyramid maps are pooled and not mixed. Intervals: 95 %, {DRAWS:,} draws
over pictures and, jointly, over seeds; three seeds say little about how seeds vary. Differences are paired by picture
and seed: above 0, the full method (Y with alignment) is better.
"""
    head = ["codes", "alignment", "mse", "ssim", "mse by seed", "mse less that of Y with alignment"]
    write("ghfeat_ablation", "What GH-Feat's parts are worth", text, head, rows, settings=numbers)


def _run(space: str, sam: bool, seed: int) -> str:
    return f"ablation-{space}-{str(sam).lower()}-{seed}"


def _train(space: str, sam: bool, seed: int) -> None:
    run = _run(space, sam, seed)
    if (locations.cache() / "runs" / run / "model.safetensors").is_file():
        return
    settings = [f"space={space}", f"alignment={str(sam).lower()}", *OPTIONS]
    command = ["train", "ghfeat", "--generator", GENERATOR, "--size", SIZE, "--data", DATA, "--images", IMAGES]
    command += ["--seed", seed, "--run", run, *(part for setting in settings for part in ("-o", setting))]
    subprocess.run([str(Path(sys.executable).with_name("ghbench")), *map(str, command)], check=True)


def _targets() -> np.ndarray:
    """The test split as generators of 32 px see it, uint8 [10000, 3, 32, 32]."""
    dataset = reconstruction(on=DATA).source.dataset
    wanted = Preprocessing((SIZE, SIZE))
    return np.stack([prepare(dataset.image(row), wanted, "none").image for row in range(len(dataset))])


def _errors(run: str, targets: np.ndarray) -> np.ndarray:
    """Squared error and structural similarity of each picture, float64 [2, N]."""
    codec = Codec.load(str(locations.cache() / "runs" / run))
    made = codec.decode(codec.encode(targets))
    parts = [slice(start, start + 500) for start in range(0, len(targets), 500)]
    pairs = [(targets[part] / 127.5 - 1, made[part] / 127.5 - 1) for part in parts]
    return np.stack([np.concatenate([metric(one, two) for one, two in pairs]) for metric in (mse, ssim)])


def _draws(pictures: int) -> tuple[np.ndarray, np.ndarray]:
    """The same draws for all settings: how often each seed [draws, 3] and each picture [draws, N] counts."""
    rng = np.random.default_rng(0)
    seeds = rng.multinomial(len(SEEDS), np.full(len(SEEDS), 1 / len(SEEDS)), DRAWS) / len(SEEDS)
    return seeds, rng.multinomial(pictures, np.full(pictures, 1 / pictures), DRAWS) / pictures


def _resampled(values: np.ndarray, seeds: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """Means of every draw, [draws, 2], of values [seeds, 2, N]."""
    return np.einsum("ds,smn,dn->dm", seeds, values, pictures, optimize=True)


def _against(errors: dict, drawn: dict, setting: tuple[str, bool]) -> str:
    difference = errors[setting][:, 0].mean() - errors[FULL][:, 0].mean()
    low, high = interval(drawn[setting][:, 0] - drawn[FULL][:, 0])
    return f"{difference:+.4f} [{low:+.4f}, {high:+.4f}]"


if __name__ == "__main__":
    main()
