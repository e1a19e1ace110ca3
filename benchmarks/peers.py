"""What a frozen generator adds: GH-Feat beside encoders of its architecture that learn from the same images otherwise.

Trains the arms (hours; runs resume) and fits linear classifiers on their codes. Before an arm of the claim is trained,
shorter trainings with another seed choose its learning rate by the accuracy on held-out training rows. What is found is
kept in `results/peers.json` one training at a time, and the table says how many there are: a later call goes on from
there. `python benchmarks/peers.py fashion-mnist` trains on one of the datasets only; two calls can run side by side.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product
from shutil import rmtree
from typing import Any, Literal, get_args

import numpy as np
from evaluated import evaluated
from filelock import FileLock
from ghbench_tasks.classification.linear import linear
from record import RESULTS, write
from torch.utils.flop_counter import FlopCounterMode
from training import reach, train, trained

from ghbench import cli, locations
from ghbench.analysis.sources import concatenate_levels, encode, load_images
from ghbench.dataset import labels
from ghbench.ghfeat.training.options import GhfeatOptions
from ghbench.probes.linear import held_out, linear_logits
from ghbench.spec_string import parse

SIZE, IMAGES, BATCH, WIDTH = 32, 50_000, GhfeatOptions().batch, "width=0.5"
GENERATORS = {"fashion-mnist": "stylegan1-fashion32", "mnist-10k": "stylegan2-mnist32"}
CHOSEN = sys.argv[1:] or list(GENERATORS)
SEEDS, SEEDS_OF_THE_CLAIM = 3, 8
USUAL = GhfeatOptions().rate
RATES, CHOOSING, CHOOSING_SEED = (USUAL / 3, USUAL, USUAL * 3), IMAGES // 2, 100
"""Learning rates that an arm of the claim tries, images of such a training, and its seed, which no row uses."""
STEPS = 8
"""Steps over which operations are counted: penalties come at every eighth."""
LOCK = FileLock(RESULTS / ".peers.lock")
METRIC = "top1"
Table = dict[str, dict[str, Any]]
TableName = Literal["answers", "choices", "work"]
TABLES: tuple[TableName, ...] = get_args(TableName)

FULL = ("perceptual_share=0.5", "adversarial=0.08")
TRAINED, LABELS, BOTH = "generator", "labels of photographs", "generator, labels of photographs"
ARMS = {
    "generator": ("GH-Feat: pixels, through the frozen generator", TRAINED, ()),
    "learned": ("the same loss through a decoder that learns: an autoencoder", "", ("decoder=learned",)),
    "generator-full": ("GH-Feat: pixels, perceptual and adversarial terms", BOTH, FULL),
    "learned-full": ("the same losses through a decoder that learns", LABELS, (*FULL, "decoder=learned")),
    "shuffled": ("pixels, through the generator with permuted weights", TRAINED, ("decoder=shuffled",)),
    "random": ("pixels, through the generator with new weights", "", ("decoder=random",)),
    "codes": ("codes of renders alone", TRAINED, ("real=0", "pixel=0", "code=1")),
    "vae": ("variational autoencoder", "", None),
    "bigan": ("bidirectional GAN", "", None),
    "simclr": ("SimCLR", "", None),
}
"""What teaches, in words; what has learned elsewhere, be it from the same images; and options of GH-Feat's training."""
MAIN = "generator"
CLAIM = (("generator", "learned"), ("generator-full", "learned-full"))
REAL = ("real=1", "mirror=false", "changed=0", "grey=0", "degraded=0", "reflected=0", "code=0", "metric=")


@dataclass(frozen=True)
class Run:
    """One training."""

    arm: str
    data: str
    seed: int
    rate: float = USUAL
    images: int = IMAGES

    @property
    def name(self) -> str:
        """Name of its folder."""
        own = f"-rate{self.rate:.2g}" if self.rate != USUAL else ""
        return f"peer-{self.data}-{self.arm}-{self.seed}{own}"

    @property
    def system(self) -> str:
        """Its arm and seed."""
        return f"{self.arm} {self.seed}"

    @property
    def choice(self) -> str:
        """Its place among the rates that are tried."""
        return f"{self.data}, {self.system}, {self.rate:.2g}"

    @property
    def command(self) -> list[str]:
        """The command that trains it."""
        *_, own = ARMS[self.arm]
        generator = GENERATORS[self.data]
        if own is None:
            head, settings = ["baseline", self.arm], [WIDTH, f"generator={generator}"]
        else:
            rate = [] if self.rate == USUAL else [f"rate={self.rate:.2g}"]
            options = dict(setting.split("=", 1) for setting in (WIDTH, *REAL, *own, *rate))
            head, settings = ["ghfeat", "--generator", generator], [f"{key}={value}" for key, value in options.items()]
        tail = ["--data", self.data, "--size", SIZE, "--images", self.images, "--seed", self.seed, "--run", self.name]
        return ["ghbench", "train", *head, *map(str, tail), *(part for one in settings for part in ("-o", one))]

    @property
    def made_by(self) -> str:
        """The command as one line."""
        return " ".join(self.command)


@dataclass
class Ledger:
    """Which test images each system classified correctly, kept in the benchmark's file.

    Args:
        answers: By data and system: what made it, and the answers, eight in a byte.
        choices: By data, arm and rate: what made it, and the accuracy on held-out training rows.
        work: By data and arm: what made its first training, and the operations of it, an image.
        own: What this call has found.
    """

    answers: Table = field(default_factory=dict)
    choices: Table = field(default_factory=dict)
    work: Table = field(default_factory=dict)
    own: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        with LOCK:
            self.merge()

    def merge(self) -> None:
        """Take over what earlier calls found, and what others have found since."""
        path = RESULTS / "peers.json"
        known = json.loads(path.read_text()) if path.is_file() else {}
        for name in TABLES:
            others = {key: one for key, one in known.get(name, {}).items() if (name, key) not in self.own}
            getattr(self, name).update(others)

    def put(self, name: TableName, key: str, made_by: str, **found: Any) -> None:
        """Keep what was found in a table."""
        getattr(self, name)[key] = {"made by": made_by, **found}
        self.own.add((name, key))

    def has(self, name: TableName, key: str, made_by: str) -> bool:
        """Whether a table has it as it would be made now."""
        return getattr(self, name).get(key, {}).get("made by") == made_by  # type: ignore[no-any-return]

    def correct(self, data: str, system: str) -> np.ndarray:
        """Which test images are classified correctly, bool [N]."""
        entry = self.answers[f"{data}, {system}"]
        packed = np.frombuffer(base64.b64decode(entry["correct"]), np.uint8)
        return np.unpackbits(packed, count=entry["images"]).astype(bool)

    def classify(self, data: str, system: str, spec: str, made_by: str) -> None:
        """Evaluate a system, unless it is known."""
        if self.has("answers", f"{data}, {system}", made_by):
            return
        _, records = evaluated(spec, linear(parse(data)))
        records = records.sort_values("image")
        correct = (records["predicted"] == records["class"]).to_numpy()
        packed = base64.b64encode(np.packbits(correct).tobytes()).decode()
        self.put("answers", f"{data}, {system}", made_by, images=len(correct), correct=packed)

    def rate(self, arm: str, data: str) -> float | None:
        """The rate of an arm: that with the highest accuracy where it is chosen, None before all are known."""
        if arm not in OF_THE_CLAIM:
            return USUAL
        tried = _choosing(arm, data)
        if not all(self.has("choices", run.choice, run.made_by) for run in tried):
            return None
        return max(tried, key=lambda run: self.choices[run.choice][METRIC]).rate

    def runs(self, arm: str, data: str) -> list[Run]:
        """The trainings of an arm at its rate; none before that is known."""
        rate, planned = self.rate(arm, data), SEEDS_OF_THE_CLAIM if arm in OF_THE_CLAIM else SEEDS
        return [] if rate is None else [Run(arm, data, seed, rate) for seed in range(planned)]


OF_THE_CLAIM = tuple(arm for pair in CLAIM for arm in pair)


def main() -> None:
    """Choose rates, train what is missing, classify, and write the table after each training."""
    if unknown := set(CHOSEN) - set(GENERATORS):
        sys.exit(f"no dataset {', '.join(sorted(unknown))}; there are {', '.join(GENERATORS)}")
    ledger = Ledger()
    for pair in CLAIM:
        tried = [run for data, arm in product(CHOSEN, pair) for run in _choosing(arm, data)]
        left = [run for run in tried if not ledger.has("choices", run.choice, run.made_by)]
        for run in trained(left, lambda run: train(run.name, run.command)):
            ledger.put("choices", run.choice, run.made_by, **{METRIC: _held(run)})
            write_table(ledger)
        by_seed = zip(*(ledger.runs(arm, data) for data, arm in product(CHOSEN, pair)), strict=True)
        _work(ledger, [run for seed in by_seed for run in seed])
    others = [arm for arm in ARMS if arm not in OF_THE_CLAIM]
    by_seed = zip(*(ledger.runs(arm, data) for data, arm in product(CHOSEN, others)), strict=True)
    _work(ledger, [run for seed in by_seed for run in seed])
    write_table(ledger)


def _work(ledger: Ledger, runs: Iterable[Run]) -> None:
    left = [run for run in runs if not ledger.has("answers", f"{run.data}, {run.system}", run.made_by)]
    for run in trained(left, lambda run: train(run.name, run.command)):
        first = Run(run.arm, run.data, 0, run.rate)
        arm = f"{run.data}, {run.arm}"
        if not ledger.has("work", arm, first.made_by):
            ledger.put("work", arm, first.made_by, operations=_operations(first))
        ledger.classify(run.data, run.system, f"trained:run={run.name}", run.made_by)
        if run == first and run.arm == MAIN:
            for system, spec in _untaught(run.data, run.name).items():
                placed = spec.replace(run.name, str(locations.cache() / "runs" / run.name))
                ledger.classify(run.data, system, placed, spec)
        write_table(ledger)


def _choosing(arm: str, data: str) -> list[Run]:
    """Shorter trainings, one a rate."""
    return [Run(arm, data, CHOOSING_SEED, rate, CHOOSING) for rate in RATES]


def _held(run: Run) -> float:
    """Accuracy on a fifth of the training rows, of a linear classifier fitted on the others."""
    images = load_images(f"{run.data}#train")
    classes, features = labels(images).values, concatenate_levels(encode(f"trained:run={run.name}", images))
    fitted, held = held_out(classes)
    logits, _ = linear_logits(features[fitted], classes[fitted], int(classes.max()) + 1, features[held])
    return float(np.mean(logits.argmax(axis=1) == classes[held]))


def _operations(run: Run) -> float:
    """Operations of matrix products and convolutions, an image: what further steps add to a first one."""
    counts = []
    for images in (BATCH, (1 + STEPS) * BATCH):
        name = f"{run.name}-operations-{images}"
        rmtree(locations.cache() / "runs" / name, ignore_errors=True)
        command = [*run.command[1:], "--no-compile"]
        for option, value in (("--run", name), ("--images", str(images))):
            command[command.index(option) + 1] = value
        with FlopCounterMode(display=False) as counter:
            cli.app(command, standalone_mode=False)
        counts.append(counter.get_total_flops())
    return (counts[1] - counts[0]) / (STEPS * BATCH)


def _untaught(data: str, run: str) -> dict[str, str]:
    """Spec strings of the systems that are not trained here, with a run in place of its folder.

    Untrained encoders have the architecture of the arms.
    """
    generator = GENERATORS[data]
    return {
        **{f"untrained {seed}": f"ghfeat-untrained:weights={run},seed={seed}" for seed in range(SEEDS)},
        "discriminator 0": f"discriminator:generator={generator},level=all",
        "pixels 0": "pixels",
    }


def write_table(ledger: Ledger) -> None:
    """Write the table of what there is."""
    with LOCK:
        ledger.merge()
        _write(ledger)


def _write(ledger: Ledger) -> None:
    rows, claims = [], []
    names = {arm: what for arm, (what, *_) in ARMS.items()} | {
        "untrained": "nothing: random weights", "discriminator": "telling real from generated: a discriminator",
        "pixels": "no encoder: pixels",
    }  # fmt: skip
    helpers = {arm: helper for arm, (_, helper, _) in ARMS.items()}
    for data in GENERATORS:
        found = {arm: _seeds(ledger, data, arm) for arm in names}
        for arm, correct in found.items():
            if not correct:
                continue
            values = [float(one.mean()) for one in correct.values()]
            spread = "" if len(values) < 2 else f"{np.std(values, ddof=1):.4f}"
            rate = ledger.rate(arm, data) if arm in OF_THE_CLAIM else None
            work = ledger.work.get(f"{data}, {arm}", {}).get("operations")
            mean = _told(np.mean(list(correct.values()), axis=0))
            cost = [f"{IMAGES:,}" if arm in ARMS else "", f"{work / 1e9:.2f}" if work else "", helpers.get(arm, "")]
            rows.append([data, names[arm], mean, spread, str(len(values)), f"{rate:.2g}" if rate else "", *cost])
        claims += [_claim(data, found[mine], found[other], names[mine]) for mine, other in CLAIM]
    text = f"""
`{METRIC}` of a linear classifier on all levels of the codes (`ghbench run --task linear`), mean over seeds, 95 % over
test images; *spread* is the standard deviation over training seeds. Planned: {SEEDS} seeds, {SEEDS_OF_THE_CLAIM} of
the arms of the claim. *GFLOP*: operations of matrix products and
convolutions in training, forward and backward, an image.

Every trained arm: GH-Feat's compact encoder at half width, codes of equal width, {IMAGES:,} images of the training
split in batches of {BATCH}; codes of renders are learned from as many renders. The generators have seen that split too,
and so has the discriminator. The rate of each arm of the claim is the best of {_rates()} after {CHOOSING:,} images with
another seed, by the accuracy on a fifth of the training rows; other arms have the usual {USUAL:g}.

With equal encoder, images and steps, a frozen trained generator as decoder changes `{METRIC}`, against the same losses
with a learned decoder (paired by seed, and by image):

{chr(10).join(filter(None, claims))}

Trained by:

```
{chr(10).join(run.made_by for data, arm in product(GENERATORS, ARMS) for run in ledger.runs(arm, data)[:1])}
```

Held-out accuracy by rate: {", ".join(f"{key}: {one[METRIC]:.4f}" for key, one in sorted(ledger.choices.items()))}.
"""
    head = ["images", "taught by", METRIC, "spread", "seeds", "rate", "images seen", "GFLOP", "learned elsewhere"]
    write(
        "peers", "What a frozen generator adds to an encoder", text, head, rows,
        answers=ledger.answers, choices=ledger.choices, work=ledger.work,
    )  # fmt: skip


def _rates() -> str:
    return ", ".join(f"{rate:.2g}" for rate in RATES)


def _seeds(ledger: Ledger, data: str, arm: str) -> dict[int, np.ndarray]:
    """Answers by seed, of the seeds that there are."""
    main = ledger.runs(MAIN, data)
    made_by = {run.system: run.made_by for one in ARMS for run in ledger.runs(one, data)}
    made_by |= _untaught(data, main[0].name) if main else {}
    systems = {seed: f"{arm} {seed}" for seed in range(SEEDS_OF_THE_CLAIM)}
    return {
        seed: ledger.correct(data, system)
        for seed, system in systems.items()
        if system in made_by and ledger.has("answers", f"{data}, {system}", made_by[system])
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
