"""What random directions reach: 200 sets of 30, drawn from 600 that are moved once, against trained and closed forms.

`python benchmarks/discovery_null.py SYSTEM...`: spec strings of navigators, whose rows are compared with the null.
"""

from __future__ import annotations

import shlex
import sys

import numpy as np
from evaluated import evaluated
from ghbench_tasks.discovery.task import discovery, units_of
from random_null import CODES, DIRECTIONS, ROW, random_shifts, shifts_in
from record import write

SETS, SIZE, SEED = 200, 30, 0
SHOWN = ("selectivity", "selectivity-held", "named", "effect", "disentanglement", "discovered")


def main() -> None:
    """Score the null and the systems on the same codes, and write the table."""
    task, (null, spreads) = discovery(), random_shifts()
    means, rng = null.mean(axis=0), np.random.default_rng(SEED)
    chosen = [rng.choice(DIRECTIONS, SIZE, replace=False) for _ in range(SETS)]
    drawn = [task.of_means(means[numbers], spreads) for numbers in chosen]
    limits = {name: np.percentile([one[name] for one in drawn], [2.5, 50, 97.5]) for name in SHOWN}
    rows = [["random sets, 2.5 to 97.5 %", *(f"{low:.3g} to {high:.3g}" for low, _, high in limits.values())]]
    rows.append(["random sets, median", *(f"{middle:.3g}" for _, middle, _ in limits.values())])
    numbers = {"null": {name: values.tolist() for name, values in limits.items()}}
    for system in sys.argv[1:]:
        records = evaluated(system, task)[1]
        found = task.of_means(shifts_in(records)[:CODES].mean(axis=0), units_of(records)[1:])
        rank = {name: float(np.mean([one[name] < found[name] for one in drawn])) for name in SHOWN}
        rows.append([f"`{system}`", *(f"{found[name]:.3g} (above {rank[name]:.0%})" for name in SHOWN)])
        numbers[system] = found
    text = f"""
Scores of the task `discovery` on its first {CODES} codes. The null: {SETS} sets of {SIZE} of {DIRECTIONS} random
directions in the subspace of 100 principal components, all rows, at the scale of the task's row `{ROW}`, where they
change pictures as much as the others. In brackets: the share of random sets that score lower.
"""
    command = shlex.join(["python", "benchmarks/discovery_null.py", *sys.argv[1:]])
    head = ["system", *SHOWN]
    write("discovery_null", "What random directions reach", text, head, rows, command=command, numbers=numbers)


if __name__ == "__main__":
    main()
