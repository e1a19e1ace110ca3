"""Names the directions of trained navigators by the attribute that each moves most, and shows what that rests on.

`python benchmarks/direction_names.py bin30 pt30`: names are found on selection seeds and written into the runs' files;
whether they hold on fresh seeds is what the task `discovery` then says.
"""

from __future__ import annotations

import sys

import numpy as np
from ghbench_tasks.discovery import task as discovery
from ghbench_tasks.discovery.face_attributes import FaceAttributes
from ghbench_tasks.discovery.pictures import Mover
from record import write

from ghbench import registry
from ghbench.contrafeat.files import name_directions
from ghbench.contrafeat.navigators import Contrafeat, navigator_file
from ghbench.generators.loading import load_generator
from ghbench.metrics.discovery import EFFECT, LEAD
from ghbench.seeds import seeds_for

CODES, SIZE = 30, 128
LIMIT = 1.5
"""Least lead over the direction's second attribute for a name; the strict lead of the task is shown beside it."""


def main() -> None:
    """Name the directions of the runs on the command line."""
    predictor, judge = FaceAttributes(), registry.build("extractor", discovery.JUDGE)
    generator = load_generator(f"mobile-stylegan-ffhq:size={SIZE}")
    rows, numbers = [], {}
    for run in sys.argv[1:]:
        navigator = Contrafeat(run)
        mover = Mover(generator, navigator.directions, discovery.PSI)
        every, spreads = range(mover.count(0)), discovery.attribute_spreads(mover, predictor)
        scale = discovery.search(judge).scale(mover.pairs(every))
        shifts = []
        for seed in list(seeds_for("selection", discovery.CALIBRATION + CODES))[discovery.CALIBRATION :]:
            before, after = (predictor.measure(images) for images in mover.pair(seed, scale, every))
            shifts.append((after - before) / spreads)
        mean = np.mean(shifts, axis=0)
        names: dict[str, tuple[int, float]] = {}
        for number in sorted(every, key=lambda k: -np.abs(mean[k]).max()):
            order = np.argsort(-np.abs(mean[number]))
            first, second = mean[number][order[0]], mean[number][order[1]]
            name = predictor.names[order[0]]
            if name in names or abs(first) < EFFECT or abs(first) < LIMIT * abs(second):
                continue
            names[name] = (number, float(np.sign(first)))
            strict = "yes" if abs(first) >= LEAD * abs(second) else "no"
            other = f"{predictor.names[order[1]]} {second:+.2f}"
            weights = navigator.attention()[number]
            used = ", ".join(f"{weight:.2f}" for weight in weights)
            rows.append([run, str(number), name, f"{first:+.2f}", other, strict, used])
        numbers[run] = {"scale": scale, "names": names, "shifts": mean.tolist()}
        evidence = f"mean shifts of {CODES} selection seeds at a scale of {scale:.3g}, in standard deviations"
        name_directions(navigator_file(run), names, evidence)
    text = f"""
Mean shift from minus to plus the scale of the task `discovery`, in standard deviations of
{discovery.SPREAD_FACES} faces, over {CODES} selection seeds at {SIZE} px. A name needs {EFFECT:g} of them, and
{LIMIT:g} times the next attribute; *alone*: {LEAD:g} times. Attention: weights of the rows of W+, coarse to fine.
"""
    head = ["navigator", "direction", "name", "shift", "next", "alone", "attention"]
    write("direction_names", "Directions and their names", text, head, rows, numbers=numbers)


if __name__ == "__main__":
    main()
