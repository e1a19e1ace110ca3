"""What a frozen generator adds: GH-Feat beside encoders of its architecture that learn from the same images otherwise.

Trains the arms unless they are there (hours; runs resume), then fits linear classifiers on their codes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from evaluated import evaluated
from ghbench_tasks.classification.linear import Linear, linear
from record import write
from scipy import stats

from ghbench import locations
from ghbench.spec_string import parse

SIZE, IMAGES, WIDTH = 32, 50_000, "width=0.5"
GENERATORS = {"fashion-mnist": "stylegan1-fashion32", "mnist-10k": "stylegan2-mnist32"}
SEEDS, SEEDS_OF_THE_CLAIM = 3, 8
METRIC = "top1"
AT_ONCE = os.cpu_count() or 1
"""Trainings at once, one thread each: small networks gain nothing from more threads."""

FULL = ("perceptual_share=0.5", "adversarial=0.08")
ARMS = {
    "generator": ("GH-Feat: pixels, through the frozen generator", ()),
    "learned": ("the same loss through a decoder that learns: an autoencoder", ("decoder=learned",)),
    "generator-full": ("GH-Feat: pixels, perceptual and adversarial terms", FULL),
    "learned-full": ("the same losses through a decoder that learns", (*FULL, "decoder=learned")),
    "shuffled": ("pixels, through the generator with permuted weights", ("decoder=shuffled",)),
    "random": ("pixels, through the generator with new weights", ("decoder=random",)),
    "codes": ("codes of renders alone", ("real=0", "pixel=0", "code=1")),
    "vae": ("variational autoencoder", None),
    "bigan": ("bidirectional GAN", None),
    "simclr": ("SimCLR", None),
}
CLAIM = (("generator", "learned"), ("generator-full", "learned-full"))
REAL = ("real=1", "mirror=false", "changed=0", "grey=0", "degraded=0", "reflected=0", "code=0", "metric=")


@dataclass(frozen=True)
class Run:
    """One training."""

    arm: str
    data: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"peer-{self.data}-{self.arm}-{self.seed}"

    @property
    def command(self) -> list[str]:
        """The command that trains it."""
        own = ARMS[self.arm][1]
        generator = GENERATORS[self.data]
        if own is None:
            head, settings = ["baseline", self.arm], [WIDTH, f"generator={generator}"]
        else:
            options = dict(setting.split("=", 1) for setting in (WIDTH, *REAL, *own))
            head, settings = ["ghfeat", "--generator", generator], [f"{key}={value}" for key, value in options.items()]
        tail = ["--data", self.data, "--size", SIZE, "--images", IMAGES, "--seed", self.seed, "--run", self.name]
        return ["ghbench", "train", *head, *map(str, tail), *(part for one in settings for part in ("-o", one))]


def runs() -> list[Run]:
    """All trainings, in an order in which an early end leaves whole seeds."""
    of_the_claim = {arm for pair in CLAIM for arm in pair}
    return [
        Run(arm, data, seed)
        for seed, data, arm in product(range(SEEDS_OF_THE_CLAIM), GENERATORS, ARMS)
        if seed < SEEDS or arm in of_the_claim
    ]


def main() -> None:
    """Train, classify, and write the table."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(_train, runs()))
    rows, numbers, claims = [], {}, []
    for data, generator in GENERATORS.items():
        task = linear(parse(data))
        found = {
            arm: [_correct(f"trained:run={one.name}", task) for one in runs() if (one.arm, one.data) == (arm, data)]
            for arm in ARMS
        }
        names = {arm: what for arm, (what, _) in ARMS.items()}
        model = locations.cache() / "runs" / Run("generator", data, 0).name
        found["untrained"] = [_correct(f"ghfeat-untrained:weights={model},seed={seed}", task) for seed in range(SEEDS)]
        found["discriminator"] = [_correct(f"discriminator:generator={generator},level=all", task)]
        found["pixels"] = [_correct("pixels", task)]
        names |= {
            "untrained": "nothing: random weights", "discriminator": "telling real from generated: a discriminator",
            "pixels": "no encoder: pixels",
        }  # fmt: skip
        for arm, correct in found.items():
            values = [float(one.mean()) for one in correct]
            spread = "" if len(values) < 2 else f"{np.std(values, ddof=1):.4f}"
            rows.append([data, names[arm], _told(np.mean(correct, axis=0)), spread, str(len(values))])
            numbers[f"{data}, {arm}"] = values
        claims += [_claim(data, np.array(found[mine]), np.array(found[other]), names[mine]) for mine, other in CLAIM]
    text = f"""
`{METRIC}` of a linear classifier on all levels of the codes (`ghbench run --task linear`), mean over seeds, 95 % over
test images; *spread* is the standard deviation over training seeds.

Every trained arm: GH-Feat's compact encoder at half width, codes of equal width, {IMAGES:,} images of the training
split in batches of 32; codes of renders are learned from as many renders. The generators have seen that split too, and
so has the discriminator. Nothing was tuned for any arm.

With equal encoder, images and steps, a frozen trained generator as decoder changes `{METRIC}`, against the same losses
with a learned decoder (paired by seed, and by image):

{chr(10).join(claims)}

Trained by:

```
{chr(10).join(" ".join(one.command) for one in runs() if one.seed == 0)}
```
"""
    head = ["images", "taught by", METRIC, "spread", "seeds"]
    write("peers", "What a frozen generator adds to an encoder", text, head, rows, numbers=numbers)


def _train(run: Run) -> None:
    if (locations.cache() / "runs" / run.name / "model.safetensors").is_file():
        return
    executable = str(Path(sys.executable).with_name("ghbench"))
    log = locations.cache() / "runs" / f"{run.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as stream:
        subprocess.run(
            [executable, *run.command[1:]], check=True, stdout=stream, stderr=stream,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip


def _correct(system: str, task: Linear) -> np.ndarray:
    """Which test images are classified correctly, bool [N]."""
    _, records = evaluated(system, task)
    records = records.sort_values("image")
    return records["predicted"].to_numpy() == records["class"].to_numpy()


def _told(values: np.ndarray, digits: str = ".4f") -> str:
    """Mean and 95 % interval by Student's t."""
    mean = values.mean()
    reach = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{mean:{digits}} [{mean - reach:{digits}}, {mean + reach:{digits}}]"


def _claim(data: str, mine: np.ndarray, other: np.ndarray, name: str) -> str:
    gains = mine.astype(float) - other
    seeds, images = (_told(gains.mean(axis=axis), "+.4f") for axis in (1, 0))
    return f"* {data}, {name}: {seeds} over {len(gains)} seeds; {images} over images"


if __name__ == "__main__":
    main()
