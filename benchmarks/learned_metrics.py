"""What a metric learned from generated faces is worth on ORL, to GH-Feat, to its untrained self, and to others.

Number fixed beforehand: AUC of `orl:align=ffhq`, trained less the mean of three untrained encoders, each in the metric
that the committed rule learns from the same faces.
"""

from __future__ import annotations

import numpy as np
from ghbench_tasks.verification.faces import orl
from record import write

from ghbench.results import files, scoring
from ghbench.results.schema import Result
from ghbench.results.statistics import paired_difference
from ghbench.running import runner
from ghbench.running.options import RunOptions

WEIGHTS, SEEDS = "faces64", 3
KINDS = ("raw", "centred", "whitened", "within")
MAIN = "whitened"
SYSTEMS = {
    "ghfeat": f"ghfeat:weights={WEIGHTS}",
    **{f"untrained, seed {seed}": f"ghfeat-untrained:weights={WEIGHTS},seed={seed}" for seed in range(SEEDS)},
    "pixels, 32 x 32": "pixels:size=32",
    "mobilenet-v2": "mobilenet-v2",
}
TEACHERS = {"dcgan-faces": "another generator of faces", "tiny": "an untrained generator, whose pictures are noise"}
METRIC = "auc"


def main() -> None:
    """Run what is missing, and write the tables."""
    task = orl(align="ffhq")
    found: dict[tuple[str, str], tuple[float, np.ndarray, str]] = {}
    units = 0

    def measure(name: str, kind: str, generator: str = "") -> str:
        nonlocal units
        taught = f",similarity.generator={generator}" if generator else ""
        spec = SYSTEMS[name]
        result = runner.run(f"{spec}{',' if ':' in spec else ':'}similarity={kind}{taught}", task, RunOptions())
        draws, units = _draws(task, result)
        value = next(metric for metric in result.metrics if metric.metric == METRIC)
        assert value.value is not None
        assert value.interval is not None
        cell = f"{value.value:.3f} [{value.interval[0]:.3f}, {value.interval[1]:.3f}]"
        found[name, f"{kind}{taught}"] = value.value, draws, cell
        return cell

    rows = [[name, *(measure(name, kind) for kind in KINDS)] for name in SYSTEMS]
    taught = [
        f"| {name} | {what} (`{generator}`) | {measure(name, MAIN, generator)} |"
        for name in SYSTEMS
        for generator, what in TEACHERS.items()
        if "seed" not in name
    ]
    compared, numbers = [], {}
    for kind in (MAIN, "within"):
        untrained = [found[name, kind] for name in SYSTEMS if "seed" in name]
        mean = float(np.mean([one[0] for one in untrained])), np.mean([one[1] for one in untrained], axis=0)
        others = {
            "the mean of the untrained": mean,
            **{name: found[name, kind][:2] for name in SYSTEMS if "seed" not in name and name != "ghfeat"},
        }
        first = found["ghfeat", kind]
        for name, other in others.items():
            difference = paired_difference(first[0], other[0], first[1], other[1], units)
            low, high = difference.low, difference.high
            cell = f"{difference.value:+.3f} [{low:+.3f}, {high:+.3f}]"
            compared.append(f"| {kind} | {name} | {cell} | {difference.p_value:.2g} |")
            numbers[f"{kind}, less {name}"] = {
                "difference": difference.value, "interval": [low, high], "p": difference.p_value
            }  # fmt: skip
    text = f"""
AUC on ORL, all aligned alike (`{task.name}`), 95 % over {units} people. Kinds and rule: `docs/learned-metrics.md`.

`ghfeat:weights={WEIGHTS}` less others in the same metric, paired over people; the first line is the number fixed
beforehand:

| metric | less | difference | p |
|---|---|---|---|
{chr(10).join(compared)}

The whitened metric learned from other pictures:

| | teacher | AUC |
|---|---|---|
{chr(10).join(taught)}

ORL was looked at when the idea was tried: this is evidence from development data.
"""
    numbers |= {f"{name}: {kind}": value for (name, kind), (value, _, _) in found.items()}
    write("learned_metrics", "A generator as a teacher of metrics", text, ["", *KINDS], rows, numbers=numbers)


def _draws(task: object, result: Result) -> tuple[np.ndarray, int]:
    """Bootstrap draws of the metric, and the number of people."""
    path = files.result_path(files.task_folder(result.task.name), result.subject.name, result.digest, None)
    records = files.load_records(path, result)
    draws = scoring.replicates(task, records, metrics=[METRIC], stream=result.digest)[METRIC, None]
    units = scoring.units_of(task, records)
    assert units is not None
    return draws, units.count


if __name__ == "__main__":
    main()
