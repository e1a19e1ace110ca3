"""What of GH-Feat the generator teaches: equal encoders, trained on equal images, with decoders that know less.

`python benchmarks/ghfeat_controls.py [IMAGES]`, by default 24,000 a training, which makes the committed table. Trains
the arms unless they are there (runs resume), then compares them on ORL and on unseen renders.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from orl_auc import TASK, auc, mean_auc, signed
from record import write

from ghbench import locations
from ghbench.generators.rendering import to_uint8
from ghbench.ghfeat.files.description import describe_encoder
from ghbench.ghfeat.ridge import RidgeGhfeat
from ghbench.ghfeat.training.lessons import renders_of_seeds
from ghbench.ghfeat.training.options import GhfeatOptions
from ghbench.results.statistics import holm
from ghbench.seeds import seeds_for
from ghbench.training.settings import parse_settings

GENERATOR, SIZE, SEEDS, JUDGED = "mobile-stylegan-ffhq", 64, 3, 500
IMAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 24_000
COMMON = ("width=0.5",)
ARMS = {
    "generator": ("pixels, through the generator: the paper's loss", ("code=0",)),
    "learned": ("pixels, through a decoder that learns too: a plain autoencoder", ("code=0", "decoder=learned")),
    "shuffled": ("pixels, through the generator with permuted weights", ("code=0", "decoder=shuffled")),
    "codes": ("true codes alone, of the half of the images whose light and place are unchanged", ("pixel=0",)),
}
MAIN = "generator"


def main() -> None:
    """Train, evaluate, and write the table."""
    for arm in ARMS:
        _train(arm)
    systems = {arm: f"ghfeat:weights={_folder(arm)}" for arm in ARMS}
    untrained = [f"ghfeat-untrained:weights={_folder(MAIN)},seed={seed}" for seed in range(SEEDS)]
    systems |= {f"untrained {seed}": spec for seed, spec in enumerate(untrained)}
    systems["ridge"] = f"ghfeat-ridge:weights={_folder(MAIN)}"
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
    adjusted = holm([one.p_value for one in against.values()])
    lines = [
        f"* {ARMS[arm][0]}: {signed(one)}, p {p:.2g}" for (arm, one), p in zip(against.items(), adjusted, strict=True)
    ]
    numbers["less the untrained"] = {arm: [one.value, one.low, one.high] for arm, one in against.items()}
    text = f"""
AUC of `{TASK.name}`, 95 % over people, raw and in the metric that the committed rule learns from the same generated
faces. *Less* is the first row's AUC less that row's, whitened, paired over people. Error: mean squared, on
{JUDGED} monitoring seeds of the {SIZE} px head at psi 1, each drawn by the arm's own decoder; R2: mean over levels.

Every arm: `ghbench train ghfeat --generator {GENERATOR} --size {SIZE} --images {IMAGES} -o {COMMON[0]}` with its own
options and the recipe's rate; nothing was tuned for any of them. One training each: intervals are over people, and say
nothing of what another seed would give. Whitened AUC less the mean of three untrained encoders, p by Holm:

{chr(10).join(lines)}

ORL was looked at when the metric was tried: this is evidence from development data.
"""
    head = ["taught by", "AUC, raw", "AUC, whitened", "less", "error", "R2"]
    name = "ghfeat_controls" + ("" if IMAGES == 24_000 else f"_{IMAGES}")
    write(name, "What GH-Feat's generator teaches", text, head, rows, numbers=numbers)


def _folder(arm: str) -> Path:
    return locations.cache() / "runs" / _run(arm)


def _run(arm: str) -> str:
    return f"control-{IMAGES}-{arm}"


def _train(arm: str) -> None:
    settings = [*COMMON, *ARMS[arm][1]]
    path = _folder(arm) / "model.safetensors"
    if path.is_file():
        options = describe_encoder(path).about["options"]
        wanted = asdict(GhfeatOptions(**parse_settings(GhfeatOptions, settings)))
        wanted |= {"total": IMAGES, "generator": f"{GENERATOR}:size={SIZE}"}
        if {name: options.get(name) for name in wanted} != wanted:
            raise SystemExit(f"{path.parent} was trained with other settings; fix: rm -r {path.parent}")
        return
    command = ["train", "ghfeat", "--generator", GENERATOR, "--size", SIZE, "--images", IMAGES]
    command += ["--run", _run(arm), *(part for setting in settings for part in ("-o", setting))]
    subprocess.run([str(Path(sys.executable).with_name("ghbench")), *map(str, command)], check=True)


def _on_renders(name: str) -> tuple[float | None, float | None]:
    """Squared error and mean R2 of the codes on unseen renders; None where they mean nothing."""
    if name in ARMS:
        measured: dict[str, Any] = describe_encoder(_folder(name) / "model.safetensors").about["metrics"]
        codes = [value for metric, value in measured.items() if metric.startswith("r2.psi1.0.")]
        decodes = "decoder=" not in " ".join(ARMS[name][1])
        return measured["mse.psi1.0"], float(np.mean(codes)) if decodes else None
    if name != "ridge":
        return None, None
    ridge = RidgeGhfeat(str(_folder(MAIN)))
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
