"""Whether the rate decides what GH-Feat's generator teaches: two arms of the controls at three learning rates each.

Trains the arms unless they are there (runs resume). Each arm's rate is chosen by its error on unseen renders. Beside
them one training with a perceptual term, which labels of photographs reach.
"""

from __future__ import annotations

from control_runs import COMMON, GENERATOR, PERCEPTUAL, SIZE, USUAL, ControlRun
from orl_auc import TASK, auc, signed
from record import write

IMAGES, COMPARED, RATES = 12_000, ("generator", "learned"), (USUAL / 2, USUAL, USUAL * 2)
CHOSEN_BY = "mse.psi1.0"


def main() -> None:
    """Train, choose, and write the table."""
    rows, numbers, best, found = [], {}, {}, {}
    for arm, rates in {**dict.fromkeys(COMPARED, RATES), PERCEPTUAL: (USUAL,)}.items():
        runs = [ControlRun(arm, IMAGES, rate) for rate in rates]
        for run in runs:
            run.train()
        errors = {run: float(run.about["metrics"][CHOSEN_BY]) for run in runs}
        chosen = min(runs, key=errors.__getitem__)
        for run in runs:
            found[run] = auc(f"ghfeat:weights={run.folder},similarity=whitened")
            mark = "chosen" if run is chosen and len(runs) > 1 else ""
            rows.append([run.taught_by[0], f"{run.rate:g}", f"{errors[run]:.4f}", mark, found[run].cell])
            numbers[run.name] = {"error": errors[run], "auc": found[run].value}
        best[arm] = found[chosen]
    gain = best[COMPARED[0]].less(best[COMPARED[1]])
    labels = best[PERCEPTUAL].less(found[ControlRun(COMPARED[0], IMAGES)])
    text = f"""
`ghbench train ghfeat --generator {GENERATOR} --size {SIZE} --images {IMAGES} -o {COMMON[0]}` with the arms' own
options. Error: mean squared, on monitoring seeds of the {SIZE} px head at psi 1, each drawn by the arm's own decoder;
it chooses the rate. AUC of `{TASK.name}`, 95 % over people, in the metric that the committed rule learns from the same
generated faces.

At the chosen rates the first arm's AUC less the second's: {signed(gain)}, paired over people; one training each.
A perceptual term beside the pixels changes the first arm's AUC, at the usual rate, by {signed(labels)}.
"""
    for name, one in {"gain": gain, "perceptual term": labels}.items():
        numbers[name] = [one.value, one.low, one.high]
    head = ["taught by", "rate", "error", "", "AUC, whitened"]
    write("ghfeat_rates", "What the generator teaches, at the best rate of each arm", text, head, rows, numbers=numbers)


if __name__ == "__main__":
    main()
