"""What pairs of images teach a code: autoencoders of equal width on pairs by several navigators, beside their rivals.

Each arm with a strength to choose is trained with three of them on three seeds. UDR, which needs no factor, chooses,
and only then are the other seeds trained. What is found is kept in `results/representation_arms.json` one training at a
time, and the table says how many there are: a later call goes on from there. `--quick` trains each arm for a moment and
keeps no table.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
from evaluated import evaluated
from factor_coverage import ENOUGH
from ghbench_tasks.discovery.pictures import found_scale
from ghbench_tasks.disentanglement import CONSTANTS, disentanglement
from record import RESULTS, write
from scipy import stats
from training import reach, train, trained

from ghbench import locations, registry
from ghbench.contrafeat.representation.files import build_representation, describe_representation
from ghbench.data.sprites import FACTORS
from ghbench.errors import UserError
from ghbench.generators.loading import generator_plugin
from ghbench.metrics.disentanglement.unsupervised import udr
from ghbench.results.statistics import holm

QUICK = "--quick" in sys.argv
GENERATOR = "tiny" if QUICK else "stylegan2-sprites64"
CODES = len(FACTORS)
KEPT = 64 if QUICK else 10_000
"""Different images that an arm learns from, as single images or half as many pairs."""
SEEN = 256 if QUICK else 300_000
"""Images in a training, repeated ones too; after 60,000 even pairs of true factors have taught little."""
BATCH = 16
"""Images a step."""
NAVIGATED = 64 if QUICK else 5_000
"""Images that a navigator is trained with."""
SCALE = "SCALE"
"""Stands for how far a navigator moves images; see `_scale`."""
TRIED, MATCHED = tuple(0.25 * 1.5**step for step in range(14)), 200
"""Scales that are tried, and pairs that each is tried on."""
CHOOSING, SEEDS, COMPARED = (2, 2, 60) if QUICK else (3, 10, 1_000)
"""Seeds on which a strength is chosen; seeds in all; training images on which UDR compares codes."""
BETAS = ("beta=0.25", "beta=0.5", "beta=1")
"""From 4 on codes stay empty, whatever they could learn."""
TASK = disentanglement(registry.parse("sprites:train=200,test=200") if QUICK else None, dci="lgbm")
NAVIGATING = Lock()
SHOWN = ("dci-disentanglement[lgbm]", "dci-completeness[lgbm]", "mig", "factor-vae", "sap", "modularity")


@dataclass(frozen=True)
class Arm:
    """A way to learn a code.

    Args:
        what: In words.
        data: Spec string of its images or pairs; `SEED` stands for the seed, `NAVIGATOR` for a navigator's run.
        strengths: Options of which one is chosen; a single one is not.
        generated: Whether a generator draws its images.
        pairs: Whether they are pairs.
    """

    what: str
    data: str
    strengths: tuple[str, ...] = BETAS
    generated: bool = False
    pairs: bool = False


def _along(navigator: str) -> str:
    spec = registry.parse(navigator).nested("navigator") | {"count": str(KEPT // 2), "scale": SCALE}
    return f"generated-pairs:{','.join(f'{key}={value}' for key, value in spec.items())}"


def _directions(name: str, extra: str = "") -> str:
    return _along(f"{name}:generator={GENERATOR},directions={CODES}{extra}")


DRAWN = {"generated": True, "pairs": True}
SPRITES = f"sprites:train={KEPT},test=0"
ARMS = {
    "vae": Arm("single sprites: a VAE", SPRITES, BETAS[-1:]),
    "vae-drawn": Arm(
        "single images of the generator: a VAE", f"renders:generator={GENERATOR},first=0,count={KEPT}", BETAS[-1:],
        generated=True,
    ),
    "random": Arm("pairs along random directions", _directions("random-directions", ",seed=SEED"), **DRAWN),
    "sefa": Arm("pairs along SeFa's directions", _directions("sefa"), **DRAWN),
    "ganspace": Arm("pairs along GANSpace's directions", _directions("ganspace"), **DRAWN),
    "contrafeat": Arm(
        "pairs along ContraFeat's directions, trained with each seed", _along("contrafeat:weights=NAVIGATOR"), **DRAWN
    ),
    "true": Arm("pairs that differ in one true factor", f"sprite-pairs:count={KEPT // 2}", pairs=True),
    "beta-vae": Arm("single sprites: a beta-VAE", SPRITES, ("beta=1.5", "beta=2", "beta=3")),
    "factor-vae": Arm("single sprites: a FactorVAE", SPRITES, ("gamma=3", "gamma=6", "gamma=12")),
}  # fmt: skip
MINE, RIVALS = "contrafeat", ("random", "sefa", "ganspace", "vae-drawn", "vae", "beta-vae", "factor-vae")
PCA = f"pca:components={CODES},fit=sprites,fit.train={KEPT},fit.test=0"


@dataclass(frozen=True)
class Run:
    """One training."""

    arm: str
    strength: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"arm-{'quick-' * QUICK}{self.arm}-{self.strength.replace('=', '')}-{self.seed}"

    @property
    def navigator(self) -> str:
        """Name of the run of its navigator."""
        return f"arm-{'quick-' * QUICK}navigator-{self.seed}"

    @property
    def commands(self) -> dict[str, str]:
        """The commands that train it, by the names of their runs: that of its navigator first where it has one."""
        arm, found = ARMS[self.arm], {}
        if "NAVIGATOR" in arm.data:
            found[self.navigator] = (
                f"ghbench train contrafeat --generator {GENERATOR} --variant binary --directions {CODES} "
                f"--images {NAVIGATED} --seed {self.seed} --run {self.navigator} --precision 32-true --no-compile"
            )
        data = arm.data.replace("SEED", str(self.seed)).replace("NAVIGATOR", self.navigator)
        found[self.name] = (
            f"ghbench train representation --data {data} --images {SEEN // (1 + arm.pairs)} --seed {self.seed} "
            f"--run {self.name} -o codes={CODES} -o {self.strength} -o batch={BATCH // (1 + arm.pairs)} "
            "--precision 32-true"
        )
        return found

    @property
    def made_by(self) -> str:
        """All of them."""
        return "; ".join(self.commands.values())


@dataclass
class Ledger:
    """What was found, kept in the benchmark's file.

    Args:
        scores: By run: what made it, and its metrics.
        choices: By arm and strength: what made the runs, and their mean UDR.
    """

    scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    choices: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Ledger:
        """What earlier calls found."""
        path = RESULTS / "representation_arms.json"
        known = json.loads(path.read_text())["found"] if path.is_file() and not QUICK else {}
        return cls(known.get("scores", {}), known.get("choices", {}))

    def has(self, run: Run) -> bool:
        """Whether it was evaluated as it would be made now."""
        return self.scores.get(run.name, {}).get("made by") == run.made_by

    def chosen(self, arm: str) -> str | None:
        """The strength with the highest UDR; None before all are known."""
        strengths = ARMS[arm].strengths
        if len(strengths) == 1:
            return strengths[0]
        known = [self.choices.get(f"{arm}, {strength}", {}) for strength in strengths]
        if any(one.get("made by") != _made_by(arm, strength) for one, strength in zip(known, strengths, strict=True)):
            return None
        return max(zip(strengths, known, strict=True), key=lambda pair: pair[1]["udr"])[0]

    def values(self, arm: str) -> np.ndarray:
        """Metrics [seeds, SHOWN] at the chosen strength, of the seeds that there are."""
        strength = self.chosen(arm)
        runs = [Run(arm, strength, seed) for seed in range(SEEDS)] if strength else []
        return np.array([[self.scores[run.name][name] for name in SHOWN] for run in runs if self.has(run)])


def main() -> None:
    """Train what is missing, choose, train again, and write the table after each training."""
    ledger, skipped = Ledger.read(), _skipped()
    arms = [arm for arm in ARMS if arm not in skipped]
    _work(ledger, skipped, (
        Run(arm, strength, seed) for seed in range(CHOOSING) for arm in arms for strength in ARMS[arm].strengths
    ))  # fmt: skip
    for arm in arms:
        for strength in ARMS[arm].strengths:
            _compare(ledger, arm, strength)
    later = [(arm, ledger.chosen(arm), seed) for seed in range(CHOOSING, SEEDS) for arm in arms]
    _work(ledger, skipped, (Run(arm, strength, seed) for arm, strength, seed in later if strength))
    write_table(ledger, skipped)


def _skipped() -> dict[str, str]:
    """Arms whose generator is not there or draws too few of the factors, and why."""
    why = ""
    try:
        generator_plugin(GENERATOR).spec()
    except UserError as error:
        why = error.message
    else:
        if not QUICK:
            covered = json.loads((RESULTS / "factor_coverage_sprites.json").read_text())["numbers"]
            lowest = min(covered, key=lambda factor: covered[factor]["samples"])
            if covered[lowest]["samples"] < ENOUGH:
                why = f"none: of {lowest} its generator covers {covered[lowest]['samples']:.2f}, less than {ENOUGH:g}"
    return {name: why for name, arm in ARMS.items() if arm.generated} if why else {}


def _work(ledger: Ledger, skipped: dict[str, str], runs: Iterable[Run]) -> None:
    for run in trained([run for run in runs if not ledger.has(run)], _train):
        result, _ = evaluated(f"contrafeat-codes:weights={run.name}", TASK)
        values = {metric.metric: metric.value for metric in result.metrics}
        ledger.scores[run.name] = {"made by": run.made_by, **{name: values[name] for name in SHOWN}}
        write_table(ledger, skipped)


def _train(run: Run) -> None:
    *navigator, own = run.commands.items()
    with NAVIGATING:  # arms of several strengths share one
        for name, command in navigator:
            train(name, command.split())
    name, command = own
    data = command.split()[command.split().index("--data") + 1]
    scale = f"{_scale(data):.4g}" if SCALE in data else ""
    train(name, command.replace(SCALE, scale).split())


@cache
def _scale(data: str) -> float:
    """The scale at which a navigator's pairs differ as pairs of one true factor do, in mean squared pixels."""
    if QUICK:
        return 1.0
    few = data.replace(f"count={KEPT // 2}", f"count={MATCHED}")
    apart = _apart(f"sprite-pairs:count={MATCHED}")
    return found_scale(apart, TRIED, lambda scale: _apart(few.replace(SCALE, f"{scale:.4g}")))


def _apart(data: str) -> float:
    """Mean squared difference of the images of pairs."""
    pixels = registry.build("dataset", data).pixels().astype(np.float32) / 255
    return float(np.square(pixels[::2] - pixels[1::2]).mean())


def _made_by(arm: str, strength: str) -> str:
    return " | ".join(Run(arm, strength, seed).made_by for seed in range(CHOOSING))


def _compare(ledger: Ledger, arm: str, strength: str) -> None:
    """Work out how far trainings that differ in their seed agree on training images, unless it is known."""
    import torch

    key, made_by = f"{arm}, {strength}", _made_by(arm, strength)
    if len(ARMS[arm].strengths) == 1 or ledger.choices.get(key, {}).get("made by") == made_by:
        return
    images = torch.from_numpy(registry.build("dataset", f"sprites:train={COMPARED},test=0").pixels())
    inputs, tables, divergences = images.permute(0, 3, 1, 2).float() / 255, [], []
    for seed in range(CHOOSING):
        _train(Run(arm, strength, seed))  # where its files are gone
        path = locations.cache() / "runs" / Run(arm, strength, seed).name / "model.safetensors"
        with torch.no_grad():
            means, logs = build_representation(describe_representation(path))(inputs)
        tables.append(means.double().numpy())
        divergences.append((0.5 * (means.square() + logs.exp() - 1 - logs)).mean(dim=0).double().numpy())
    agreement = np.nan_to_num(udr(tables, divergences)).mean()
    ledger.choices[key] = {"made by": made_by, "udr": float(agreement)}


def write_table(ledger: Ledger, skipped: dict[str, str]) -> None:
    """Write the table of what there is."""
    rows = []
    for name, arm in ARMS.items():
        values = ledger.values(name)
        count = skipped.get(name, f"{len(values)} of {SEEDS}")
        cells = [_cell(column) for column in values.T] if len(values) else [""] * len(SHOWN)
        chosen = (ledger.chosen(name) or "") if len(values) else ""
        rows.append([arm.what, chosen, count, *cells])
    rows += [_row(name, what) for name, what in (
        (PCA, "principal components of sprites"), *((row.name, row.what) for row in CONSTANTS)
    )]  # fmt: skip
    text = f"""
Mean over training seeds, and the 95 % interval by Student's t. Every arm: a code of {CODES} numbers, the same
autoencoder, {KEPT:,} different images ({KEPT // 2:,} pairs), {SEEN:,} in a training; generated ones by `{GENERATOR}`.
Navigators move images by the scale ({SCALE} below) at which their pairs differ as much as pairs of one true factor.
Each is judged by `{TASK.name}` on test images of sprites. Strengths were chosen among three by UDR on {CHOOSING} seeds
and {COMPARED:,} training images, which looks at no factor; {SEEDS} seeds were planned at the chosen one.

`{SHOWN[0]}` of {ARMS[MINE].what} less that of the others (Welch; p by Holm):

{_claims(ledger)}

UDR: {", ".join(f"{key}: {one['udr']:.3f}" for key, one in sorted(ledger.choices.items())) or "not known yet"}.

Trained by, for the first seed and strength:

```
{chr(10).join(line for name, arm in ARMS.items() for line in Run(name, arm.strengths[0], 0).commands.values())}
```
"""
    if QUICK:
        print("\n".join(" | ".join(row) for row in rows), text)
        return
    head = ["taught by", "chosen", "seeds", *SHOWN]
    found = {"scores": ledger.scores, "choices": ledger.choices}
    write("representation_arms", "What pairs of images teach a code", text, head, rows, found=found)


@cache
def _row(system: str, what: str) -> list[str]:
    """A system that is not trained; the runner keeps its result."""
    result, _ = evaluated(system, TASK)
    values = {metric.metric: metric.value for metric in result.metrics}
    return [what, "", "", *(f"{values[name]:.3f}" for name in SHOWN)]


def _cell(values: np.ndarray) -> str:
    if len(values) < 2:
        return f"{values.mean():.3f}"
    return f"{values.mean():.3f} ± {reach(values):.3f}"


def _claims(ledger: Ledger) -> str:
    """Differences of the first metric to each rival, Welch's test, p by Holm."""
    mine, found = ledger.values(MINE), {}
    for rival in RIVALS:
        other = ledger.values(rival)
        if min(len(mine), len(other)) >= 2:
            found[rival] = stats.ttest_ind(mine[:, 0], other[:, 0], equal_var=False), other[:, 0].mean()
    lines = []
    for (rival, (test, mean)), p in zip(found.items(), holm([test.pvalue for test, _ in found.values()]), strict=True):
        low, high = test.confidence_interval()
        lines.append(f"* {ARMS[rival].what}: {mine[:, 0].mean() - mean:+.3f} [{low:+.3f}, {high:+.3f}], p {p:.2g}")
    return "\n".join(lines) or "not known yet"


if __name__ == "__main__":
    main()
