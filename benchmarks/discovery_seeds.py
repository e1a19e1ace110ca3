"""How much training again changes what a navigator finds: each trained method with several seeds, on the same codes.

Trains what is missing (half an hour of one core each; runs resume). What is found is kept in
`results/discovery_seeds.json` one training at a time, and the table says how many there are: a later call goes on from
there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from evaluated import evaluated
from ghbench_tasks.discovery.task import discovery
from record import RESULTS, write
from training import train, trained

GENERATOR, DIRECTIONS, IMAGES, SAMPLES = "mobile-stylegan-ffhq", 30, 40_000, 20
METHODS = {
    "binary": ("contrasting pairs of samples", "binary", (), 8),
    "binary-even": ("the same without attention: equal shares of all rows", "binary", ("attention=none",), 8),
    "prototype": ("contrasting samples with learned images", "prototype", (), 8),
    "binary-pca": ("the same on GANSpace's directions: attention alone is learned", "binary", ("source=pca",), 4),
    "binary-sefa": ("the same on SeFa's directions", "binary", ("source=sefa",), 4),
    "latentclr": ("LatentCLR's loss", "latentclr", (), 4),
    "recognition": ("the loss of Voynov and Babenko", "recognition", (), 4),
}
"""What is learned, variant, options and planned seeds."""
SHOWN = ("selectivity", "selectivity-held", "named", "effect", "rows")


@dataclass(frozen=True)
class Run:
    """One training."""

    method: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"navigator-{self.method}-{self.seed}"

    @property
    def command(self) -> str:
        """The command that trains it."""
        _, variant, settings, _ = METHODS[self.method]
        options = " ".join(f"-o {setting}" for setting in settings)
        return (
            f"ghbench train contrafeat --generator {GENERATOR} --variant {variant} --directions {DIRECTIONS} "
            f"--images {IMAGES} --seed {self.seed} --run {self.name} {options}"
        ).strip()


def runs() -> list[Run]:
    """All trainings, in an order in which an early end leaves whole seeds."""
    most = max(planned for *_, planned in METHODS.values())
    return [Run(name, seed) for seed in range(most) for name, (*_, planned) in METHODS.items() if seed < planned]


def main() -> None:
    """Train what is missing, evaluate, and write the table after each training."""
    path = RESULTS / "discovery_seeds.json"
    found: dict[str, Any] = json.loads(path.read_text())["found"] if path.is_file() else {}
    found = {run.name: found[run.name] for run in runs() if found.get(run.name, {}).get("made by") == run.command}
    left = [run for run in runs() if run.name not in found]
    for run in trained(left, lambda run: train(run.name, run.command.split())):
        result, _ = evaluated(f"contrafeat:weights={run.name}", discovery(SAMPLES))
        values = {metric.metric: metric.value for metric in result.metrics}
        found[run.name] = {"made by": run.command, **{name: values[name] for name in SHOWN}}
        write_table(found)
    write_table(found)


def write_table(found: dict[str, Any]) -> None:
    """Write the table of what there is."""
    rows = []
    for method, (what, *_, planned) in METHODS.items():
        seeds = [found[run.name] for run in runs() if run.method == method and run.name in found]
        if seeds:
            cells = [_cell([one[name] for one in seeds]) for name in SHOWN]
            rows.append([what, f"{len(seeds)} of {planned}", *cells])
    text = f"""
Mean and range over training seeds of what the task `discovery` measures on its first {SAMPLES} codes. Every method: the
same generator, subspace, {DIRECTIONS} directions and {IMAGES:,} images.

Trained by:

```
{chr(10).join(run.command for run in runs() if run.seed == 0)}
```
"""
    write("discovery_seeds", "Navigators, trained again", text, ["learned by", "seeds", *SHOWN], rows, found=found)


def _cell(values: list[float]) -> str:
    mean = f"{np.mean(values):.3g}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.3g} to {max(values):.3g})"


if __name__ == "__main__":
    main()
