"""What a frozen generator adds: GH-Feat beside encoders of its architecture that learn from the same images otherwise.

Trains the arms (hours; runs resume) and fits linear classifiers on their codes. What is found is kept in
`results/peers.json` one training at a time, and the table says how many there are: a later call goes on from there.
`python benchmarks/peers.py fashion-mnist` trains on one of the datasets only.
"""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from evaluated import evaluated
from ghbench_tasks.classification.linear import linear
from record import RESULTS, write
from training import reach, train, trained

from ghbench import locations
from ghbench.spec_string import parse

SIZE, IMAGES, WIDTH = 32, 50_000, "width=0.5"
GENERATORS = {"fashion-mnist": "stylegan1-fashion32", "mnist-10k": "stylegan2-mnist32"}
CHOSEN = sys.argv[1:] or list(GENERATORS)
SEEDS, SEEDS_OF_THE_CLAIM = 3, 8
METRIC = "top1"

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
MAIN = "generator"
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
    def system(self) -> str:
        """Its arm and seed."""
        return f"{self.arm} {self.seed}"

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

    @property
    def made_by(self) -> str:
        """The command as one line."""
        return " ".join(self.command)


def runs() -> list[Run]:
    """All trainings: the pairs of the claim first, then the other arms, seed by seed."""
    of_the_claim = [
        Run(arm, data, seed)
        for pair, seed, data in product(CLAIM, range(SEEDS_OF_THE_CLAIM), GENERATORS)
        for arm in pair
    ]
    others = [Run(arm, data, seed) for seed, data, arm in product(range(SEEDS), GENERATORS, ARMS)]
    return list(dict.fromkeys(of_the_claim + others))


@dataclass
class Ledger:
    """Which test images each system classified correctly, kept in the benchmark's file.

    Args:
        entries: By data and system: what made it, and the answers, eight in a byte.
    """

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Ledger:
        """What earlier calls found."""
        path = RESULTS / "peers.json"
        return cls(json.loads(path.read_text())["answers"] if path.is_file() else {})

    def has(self, data: str, system: str, made_by: str) -> bool:
        """Whether the system was classified as it would be made now."""
        return self.entries.get(f"{data}, {system}", {}).get("made by") == made_by

    def correct(self, data: str, system: str) -> np.ndarray:
        """Which test images are classified correctly, bool [N]."""
        entry = self.entries[f"{data}, {system}"]
        packed = np.frombuffer(base64.b64decode(entry["correct"]), np.uint8)
        return np.unpackbits(packed, count=entry["images"]).astype(bool)

    def classify(self, data: str, system: str, spec: str, made_by: str) -> None:
        """Evaluate a system, unless it is known."""
        if self.has(data, system, made_by):
            return
        _, records = evaluated(spec, linear(parse(data)))
        records = records.sort_values("image")
        correct = (records["predicted"] == records["class"]).to_numpy()
        packed = base64.b64encode(np.packbits(correct)).decode()
        self.entries[f"{data}, {system}"] = {"made by": made_by, "images": len(correct), "correct": packed}


def main() -> None:
    """Train what is missing, classify, and write the table after each training."""
    if unknown := set(CHOSEN) - set(GENERATORS):
        sys.exit(f"no dataset {', '.join(sorted(unknown))}; there are {', '.join(GENERATORS)}")
    ledger, folder = Ledger.read(), locations.cache() / "runs"
    left = [run for run in runs() if run.data in CHOSEN and not ledger.has(run.data, run.system, run.made_by)]
    for run in trained(left, lambda run: train(run.name, run.command)):
        ledger.classify(run.data, run.system, f"trained:run={run.name}", run.made_by)
        if run == Run(MAIN, run.data, 0):
            for system, spec in _untaught(run.data).items():
                ledger.classify(run.data, system, spec.replace(run.name, str(folder / run.name)), spec)
        write_table(ledger)
    write_table(ledger)


def _untaught(data: str) -> dict[str, str]:
    """Spec strings of the systems that are not trained here, with a run in place of its folder.

    Untrained encoders have the architecture of the arms.
    """
    run, generator = Run(MAIN, data, 0).name, GENERATORS[data]
    return {
        **{f"untrained {seed}": f"ghfeat-untrained:weights={run},seed={seed}" for seed in range(SEEDS)},
        "discriminator 0": f"discriminator:generator={generator},level=all",
        "pixels 0": "pixels",
    }


def write_table(ledger: Ledger) -> None:
    """Write the table of what there is."""
    rows, claims = [], []
    names = {arm: what for arm, (what, _) in ARMS.items()} | {
        "untrained": "nothing: random weights", "discriminator": "telling real from generated: a discriminator",
        "pixels": "no encoder: pixels",
    }  # fmt: skip
    for data in GENERATORS:
        found = {arm: _seeds(ledger, data, arm) for arm in names}
        for arm, correct in found.items():
            if not correct:
                continue
            values = [float(one.mean()) for one in correct.values()]
            spread = "" if len(values) < 2 else f"{np.std(values, ddof=1):.4f}"
            rows.append([data, names[arm], _told(np.mean(list(correct.values()), axis=0)), spread, str(len(values))])
        claims += [_claim(data, found[mine], found[other], names[mine]) for mine, other in CLAIM]
    text = f"""
`{METRIC}` of a linear classifier on all levels of the codes (`ghbench run --task linear`), mean over seeds, 95 % over
test images; *spread* is the standard deviation over training seeds. Planned: {SEEDS} seeds, {SEEDS_OF_THE_CLAIM} of
the arms of the claim.

Every trained arm: GH-Feat's compact encoder at half width, codes of equal width, {IMAGES:,} images of the training
split in batches of 32; codes of renders are learned from as many renders. The generators have seen that split too, and
so has the discriminator. Nothing was tuned for any arm.

With equal encoder, images and steps, a frozen trained generator as decoder changes `{METRIC}`, against the same losses
with a learned decoder (paired by seed, and by image):

{chr(10).join(filter(None, claims))}

Trained by:

```
{chr(10).join(one.made_by for one in runs() if one.seed == 0)}
```
"""
    head = ["images", "taught by", METRIC, "spread", "seeds"]
    write("peers", "What a frozen generator adds to an encoder", text, head, rows, answers=ledger.entries)


def _seeds(ledger: Ledger, data: str, arm: str) -> dict[int, np.ndarray]:
    """Answers by seed, of the seeds that there are."""
    made_by = _untaught(data) | {run.system: run.made_by for run in runs() if run.data == data}
    systems = {seed: f"{arm} {seed}" for seed in range(SEEDS_OF_THE_CLAIM)}
    return {
        seed: ledger.correct(data, system)
        for seed, system in systems.items()
        if system in made_by and ledger.has(data, system, made_by[system])
    }


def _told(values: np.ndarray, digits: str = ".4f") -> str:
    """Mean and 95 % interval by Student's t."""
    mean, half = values.mean(), reach(values)
    return f"{mean:{digits}} [{mean - half:{digits}}, {mean + half:{digits}}]"


def _claim(data: str, mine: dict[int, np.ndarray], other: dict[int, np.ndarray], name: str) -> str:
    both = sorted(mine.keys() & other.keys())
    if len(both) < 2:
        return ""
    gains = np.array([mine[seed].astype(float) - other[seed] for seed in both])
    seeds, images = (_told(gains.mean(axis=axis), "+.4f") for axis in (1, 0))
    return f"* {data}, {name}: {seeds} over {len(both)} seeds; {images} over images"


if __name__ == "__main__":
    main()
