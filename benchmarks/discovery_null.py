"""What random directions reach: 200 sets of 30, drawn from 600 that are scored once, against trained and closed forms.

`python benchmarks/discovery_null.py SYSTEM...`: spec strings of navigators, whose rows are compared with the null.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from evaluated import evaluated
from ghbench_tasks.discovery.task import Discovery, discovery
from record import write

DIRECTIONS, SETS, SIZE, SAMPLES, SEED = 600, 200, 30, 20, 0
SHOWN = ("selectivity", "selectivity-held", "named", "effect", "disentanglement", "discovered")


def main() -> None:
    """Score the null and the systems on the same codes, and write the table."""
    system = f"random-directions:directions={DIRECTIONS},seed=1000"
    _, null = evaluated(system, discovery(SAMPLES, limit=DIRECTIONS))
    task = discovery(SAMPLES, limit=SIZE)
    rng = np.random.default_rng(SEED)
    chosen = [rng.choice(DIRECTIONS, SIZE, replace=False) for _ in range(SETS)]
    drawn = [_scores(task, _only(null, numbers)) for numbers in chosen]
    limits = {name: np.percentile([one[name] for one in drawn], [2.5, 50, 97.5]) for name in SHOWN}
    rows = [["random sets, 2.5 to 97.5 %", *(f"{low:.3g} to {high:.3g}" for low, _, high in limits.values())]]
    rows.append(["random sets, median", *(f"{middle:.3g}" for _, middle, _ in limits.values())])
    numbers = {"null": {name: values.tolist() for name, values in limits.items()}}
    for system in sys.argv[1:]:
        found = _scores(task, evaluated(system, task)[1])
        rank = {name: float(np.mean([one[name] < found[name] for one in drawn])) for name in SHOWN}
        rows.append([f"`{system}`", *(f"{found[name]:.3g} (above {rank[name]:.0%})" for name in SHOWN)])
        numbers[system] = found
    text = f"""
Scores of the task `discovery` on its first {SAMPLES} codes. The null: {SETS} sets of {SIZE} of {DIRECTIONS} random
directions in the subspace of 100 principal components, all rows, at a scale of their own of equal mean change of
pictures. In brackets: the share of random sets that score lower.
"""
    write("discovery_null", "What random directions reach", text, ["system", *SHOWN], rows, numbers=numbers)


def _only(records: pd.DataFrame, numbers: np.ndarray) -> pd.DataFrame:
    """The records of some directions, which are numbered anew."""
    place = np.full(DIRECTIONS, -1)
    place[numbers] = np.arange(len(numbers))
    kept = records[place[records["direction"].to_numpy()] >= 0].copy()
    kept["direction"] = place[kept["direction"].to_numpy()]
    return kept


def _scores(task: Discovery, records: pd.DataFrame) -> dict[str, float]:
    return {score.metric: score.value for score in task.score(records)}


if __name__ == "__main__":
    main()
