"""What of GH-Feat the generator teaches: equal encoders, trained on equal images, with decoders that know less.

`python benchmarks/ghfeat_controls.py [IMAGES]`, by default 100,000 a training. Trains the arms unless they are there
(runs resume), then compares them on ORL and on unseen renders.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from control_runs import ARMS, COMMON, GENERATOR, SIZE, ControlRun
from orl_auc import TASK, auc, mean_auc, signed
from record import write

from ghbench.generators.rendering import to_uint8
from ghbench.ghfeat.ridge import RidgeGhfeat
from ghbench.ghfeat.training.lessons import renders_of_seeds
from ghbench.results.statistics import Difference, holm
from ghbench.seeds import seeds_for

SEEDS, JUDGED = 3, 500
USUAL = 100_000
IMAGES = int(sys.argv[1]) if len(sys.argv) > 1 else USUAL
RUNS = {arm: ControlRun(arm, IMAGES) for arm in ARMS}
MAIN = "generator"


def main() -> None:
    """Train, evaluate, and write the table."""
    for run in RUNS.values():
        run.train()
    systems = {arm: f"ghfeat:weights={run.folder}" for arm, run in RUNS.items()}
    untrained = [f"ghfeat-untrained:weights={RUNS[MAIN].folder},seed={seed}" for seed in range(SEEDS)]
    systems |= {f"untrained {seed}": spec for seed, spec in enumerate(untrained)}
    systems["ridge"] = f"ghfeat-ridge:weights={RUNS[MAIN].folder}"
    found = {
        (name, kind): auc(f"{spec},similarity={kind}") for name, spec in systems.items() for kind in ("raw", "whitened")
    }
    names = {**{arm: what for arm, (what, _) in ARMS.items()}, "ridge": "codes by ridge regression from 16 x 16 pixels"}
    rows, numbers = [], {}
    for name in systems:
        error, determination = _on_renders(name)
        told = ["" if value is None else f"{value:.{digits}f}" for value, digits in ((error, 4), (determination, 2))]
        kinds = [found[name, kind] for kind in ("raw", "whitened")]
        less = "" if name == MAIN else signed(found[MAIN, "whitened"].less(kinds[1]))
        rows.append([names.get(name, name), *(one.cell for one in kinds), less, *told])
        numbers[name] = {"raw": kinds[0].value, "whitened": kinds[1].value, "error": error, "r2": determination}
    mean = mean_auc([found[f"untrained {seed}", "whitened"] for seed in range(SEEDS)])
    against = {arm: found[arm, "whitened"].less(mean) for arm in ARMS}
    rivals = {arm: found[MAIN, "whitened"].less(found[arm, "whitened"]) for arm in ARMS if arm != MAIN}
    numbers["less the untrained"] = {arm: [one.value, one.low, one.high] for arm, one in against.items()}
    text = f"""
AUC of `{TASK.name}`, 95 % over people, raw and in the metric that the committed rule learns from the same generated
faces. *Less* is the first row's AUC less that row's, whitened, paired over people. Error: mean squared, on
{JUDGED} monitoring seeds of the {SIZE} px head at psi 1, each drawn by the arm's own decoder; R2: mean over levels.

Every arm: `ghbench train ghfeat --generator {GENERATOR} --size {SIZE} --images {IMAGES} -o {COMMON[0]}` with its own
options and the recipe's rate; nothing was tuned for any of them. One training each: intervals are over people, and say
nothing of what another seed would give. Whitened AUC less the mean of three untrained encoders, p by Holm:

{_listed(against)}

The first row's less that of the other arms, p by Holm:

{_listed(rivals)}

ORL was looked at when the metric was tried: this is evidence from development data.
"""
    head = ["taught by", "AUC, raw", "AUC, whitened", "less", "error", "R2"]
    own = IMAGES != USUAL
    write(
        f"ghfeat_controls_{IMAGES}" if own else "ghfeat_controls", "What GH-Feat's generator teaches", text, head, rows,
        command=f"python benchmarks/ghfeat_controls.py {IMAGES}" if own else "", numbers=numbers,
    )  # fmt: skip


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
