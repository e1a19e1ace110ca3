"""The test of interventions that was stated before their profiles were looked at: does coarse mean identity?

It reads published results: the centre of each extractor's profile, and its AUC on ORL.
"""

from __future__ import annotations

import numpy as np
from ghbench_leaderboards.publish import FOLDER
from record import write
from scipy import stats

from ghbench.tables import collect

PERMUTATIONS, SEED = 10_000, 0


def main() -> None:
    """Join, correlate, and write the table."""
    centres, scores = _published("interventions", "centre"), _published("orl", "auc")
    both = sorted(centres.keys() & scores.keys(), key=centres.__getitem__)
    one, other = (np.array([found[name] for name in both]) for found in (centres, scores))
    rho = float(stats.spearmanr(one, other).statistic)
    rng = np.random.default_rng(SEED)
    drawn = [stats.spearmanr(one, rng.permutation(other)).statistic for _ in range(PERMUTATIONS)]
    p = (1 + int(np.sum(np.array(drawn) <= rho))) / (1 + len(drawn))
    rows = [[f"`{name}`", f"{centres[name]:.2f}", f"{scores[name]:.3f}"] for name in both]
    text = f"""
Stated in `docs/protocols/discovery.md` before any profile was looked at: extractors whose profile lies in coarser rows
(a smaller `centre`) recognise people better, so the rank correlation of `centre` with the AUC of `orl` is negative.

Found over {len(both)} extractors: {rho:+.2f}, p {p:.2g} by permutation, one-sided. With twelve, .6 can be detected.
"""
    numbers = {"rho": rho, "p": p, "centre": centres, "auc": scores}
    write("profile_test", "Coarse rows and identity", text, ["extractor", "centre", "AUC of `orl`"], rows, **numbers)


def _published(task: str, metric: str) -> dict[str, float]:
    """A metric of the default levels by spec string."""
    entries, _ = collect(task, FOLDER, published=False)
    found = {}
    for entry in entries:
        for value in entry.result.metrics:
            if value.metric == metric and value.level is None and value.value is not None:
                found[entry.result.subject.spec_string] = value.value
    return found


if __name__ == "__main__":
    main()
