"""What of GH-Feat the generator teaches: equal encoders, trained on equal images, with decoders that know less.

`python benchmarks/ghfeat_controls.py [IMAGES]`, by default 100,000 a training. Trains the arms unless they are there
(runs resume), then compares them on ORL and on unseen renders. What is found is kept in the results one training at a
time, and the table says what is left: a later call goes on from there, on another machine too.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from control_runs import ARMS, COMMON, GENERATOR, SIZE, ControlRun
from orl_auc import TASK, Auc, auc, mean_auc, signed
from record import RESULTS, write

from ghbench.generators.rendering import to_uint8
from ghbench.ghfeat.ridge import RidgeGhfeat
from ghbench.ghfeat.training.lessons import renders_of_seeds
from ghbench.results.statistics import Difference, holm
from ghbench.seeds import seeds_for

SEEDS, JUDGED = 3, 500
USUAL = 100_000
IMAGES = int(sys.argv[1]) if len(sys.argv) > 1 else USUAL
NAME = "ghfeat_controls" if IMAGES == USUAL else f"ghfeat_controls_{IMAGES}"
RUNS = {arm: ControlRun(arm, IMAGES) for arm in ARMS}
MAIN = "generator"
UNTRAINED = [f"untrained {seed}" for seed in range(SEEDS)]
NAMES = {arm: what for arm, (what, _) in ARMS.items()} | {"ridge": "codes by ridge regression from 16 x 16 pixels"}
KINDS = ("raw", "whitened")
MADE_BY = {arm: [*COMMON, *settings] for arm, (_, settings) in ARMS.items()}
"""Settings of the arms; what was found with others is not kept."""


@dataclass(frozen=True)
class Found:
    """What is known of one system.

    Args:
        auc: By the metric it is compared in.
        error: Mean squared, on unseen renders; None where it draws none.
        r2: Of the codes on them, mean over levels; None where they mean nothing.
    """

    auc: Mapping[str, Auc]
    error: float | None
    r2: float | None

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        kinds = {
            kind: {"value": one.value, "people": one.people, "cell": one.cell, "draws": _packed(one.draws)}
            for kind, one in self.auc.items()
        }
        return {**kinds, "error": self.error, "r2": self.r2}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Found:
        """Read what `plain` wrote."""
        kinds = {kind: Auc(**{**plain[kind], "draws": _unpacked(plain[kind]["draws"])}) for kind in KINDS}
        return cls(kinds, plain["error"], plain["r2"])


def main() -> None:
    """Train what is missing, evaluate, and write the table after each training."""
    path = RESULTS / f"{NAME}.json"
    kept = json.loads(path.read_text()) if path.is_file() else {}
    found = {name: Found.of(plain) for name, plain in kept["systems"].items()} if kept.get("arms") == MADE_BY else {}
    for arm, run in RUNS.items():
        if arm in found:
            continue
        run.train()
        found |= {name: _evaluated(name, spec) for name, spec in _systems(arm).items()}
        _write_table({name: found[name] for name in (*ARMS, *UNTRAINED, "ridge") if name in found})


def _systems(arm: str) -> dict[str, str]:
    """Spec strings by name: an arm, and beside the first one those that take its architecture and its codes."""
    folder = RUNS[arm].folder
    systems = {arm: f"ghfeat:weights={folder}"}
    if arm == MAIN:
        systems |= {name: f"ghfeat-untrained:weights={folder},seed={seed}" for seed, name in enumerate(UNTRAINED)}
        systems["ridge"] = f"ghfeat-ridge:weights={folder}"
    return systems


def _evaluated(name: str, spec: str) -> Found:
    return Found({kind: auc(f"{spec},similarity={kind}") for kind in KINDS}, *_on_renders(name))


def _write_table(found: dict[str, Found]) -> None:
    """Write the table of what there is."""
    whitened = {name: one.auc["whitened"] for name, one in found.items()}
    rows = []
    for name, one in found.items():
        told = ["" if value is None else f"{value:.{digits}f}" for value, digits in ((one.error, 4), (one.r2, 2))]
        less = "" if name == MAIN else signed(whitened[MAIN].less(whitened[name]))
        rows.append([NAMES.get(name, name), *(one.auc[kind].cell for kind in KINDS), less, *told])
    mean = mean_auc([whitened[name] for name in UNTRAINED])
    against = {arm: whitened[arm].less(mean) for arm in ARMS if arm in found}
    rivals = {arm: whitened[MAIN].less(whitened[arm]) for arm in against if arm != MAIN}
    left = [ARMS[arm][0] for arm in ARMS if arm not in found]
    text = f"""
AUC of `{TASK.name}`, 95 % over people, raw and in the metric that the committed rule learns from the same generated
faces. *Less* is the first row's AUC less that row's, whitened, paired over people. Error: mean squared, on
{JUDGED} monitoring seeds of the {SIZE} px head at psi 1, each drawn by the arm's own decoder; R2: mean over levels.
{"Not trained yet: " + "; ".join(left) + "." if left else ""}

Every arm: `ghbench train ghfeat --generator {GENERATOR} --size {SIZE} --images {IMAGES} -o {COMMON[0]}` with its own
options and the recipe's rate; nothing was tuned for any of them. One training each: intervals are over people, and say
nothing of what another seed would give. Whitened AUC less the mean of three untrained encoders, p by Holm:

{_listed(against)}

The first row's less that of the other arms, p by Holm:

{_listed(rivals)}

ORL was looked at when the metric was tried: this is evidence from development data.
"""
    head = ["taught by", "AUC, raw", "AUC, whitened", "less", "error", "R2"]
    write(
        NAME, "What GH-Feat's generator teaches", text, head, rows,
        command=f"python benchmarks/ghfeat_controls.py {IMAGES}" if IMAGES != USUAL else "",
        arms=MADE_BY,
        systems={name: one.plain() for name, one in found.items()},
    )  # fmt: skip


def _packed(draws: np.ndarray) -> str:
    return base64.b64encode(draws.astype(np.float32).tobytes()).decode()


def _unpacked(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.float32).astype(np.float64)


def _listed(differences: dict[str, Difference]) -> str:
    """A line an arm."""
    adjusted = holm([one.p_value for one in differences.values()])
    return "\n".join(
        f"* {ARMS[arm][0]}: {signed(one)}, p {p:.2g}"
        for (arm, one), p in zip(differences.items(), adjusted, strict=True)
    )


def _on_renders(name: str) -> tuple[float | None, float | None]:
    """Squared error and mean R2 of the codes on unseen renders; None where they mean nothing."""
    if name in ARMS:
        measured: dict[str, Any] = RUNS[name].about["metrics"]
        codes = [value for metric, value in measured.items() if metric.startswith("r2.psi1.0.")]
        decodes = "decoder=" not in " ".join(ARMS[name][1])
        return measured["mse.psi1.0"], float(np.mean(codes)) if decodes else None
    if name != "ridge":
        return None, None
    ridge = RidgeGhfeat(str(RUNS[MAIN].folder))
    codec = ridge.codec
    images, ws = renders_of_seeds(codec.generator, seeds_for("monitoring", JUDGED).start, JUDGED, 1.0)
    found = ridge.extract(to_uint8(images))
    true = ridge.features_of_codes(GENERATOR, ws.numpy())
    assert true is not None
    made = np.concatenate([
        ridge.decode({level: code[start : start + 50] for level, code in found.items()}) / 127.5 - 1
        for start in range(0, JUDGED, 50)
    ])  # fmt: skip
    error = float((torch.from_numpy(made).float() - images).square().mean())
    spread = [
        1 - np.square(found[level] - code).sum() / np.square(code - code.mean(0)).sum() for level, code in true.items()
    ]
    return error, float(np.mean(spread))


if __name__ == "__main__":
    main()
