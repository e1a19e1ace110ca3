"""The manual choice of rows, done by search: the best window of each direction of GANSpace and of SeFa.

Every contiguous window of rows is tried for every direction, on selection seeds and on the attributes that are not
held; what the choice is worth is then told by the task `discovery`, on test seeds, by `selectivity-held`.
"""

from __future__ import annotations

import numpy as np
from ghbench_tasks.discovery import task as discovery
from ghbench_tasks.discovery.face_attributes import FaceAttributes
from ghbench_tasks.discovery.pictures import Mover
from record import write

from ghbench import registry
from ghbench.generators.loading import load_generator, shared_rows
from ghbench.metrics.discovery import EFFECT
from ghbench.seeds import seeds_for

METHODS, DIRECTIONS, SIZE, CODES, CALIBRATED = ("ganspace", "sefa"), 30, 64, 20, 10
GENERATOR = f"mobile-stylegan-ffhq:size={SIZE}"


def main() -> None:
    """Search, and write the table."""
    predictor, judge = FaceAttributes(), registry.build("extractor", discovery.JUDGE)
    searched = [number for number in range(len(predictor.names)) if number not in predictor.held]
    generator = load_generator(GENERATOR)
    count = shared_rows(generator, GENERATOR)
    windows = [(first, last) for first in range(count) for last in range(first, count)]
    rows, numbers, spreads = [], {}, None
    for method in METHODS:
        found = {}
        for first, last in windows:
            # One window for each direction, so that the axes are always those of all rows.
            text = ".".join([f"{first}-{last}"] * DIRECTIONS)
            navigator = registry.build("extractor", f"{method}:directions={DIRECTIONS},rows={text}")
            mover = Mover(generator, navigator.directions, discovery.PSI)
            if spreads is None:
                spreads = discovery.attribute_spreads(mover, predictor)[searched]
            scale = discovery.search(judge).scale(mover.pairs(range(CALIBRATED)))
            shifts = []
            for seed in list(seeds_for("selection", discovery.CALIBRATION + CODES))[discovery.CALIBRATION :]:
                before, after = (predictor.measure(one) for one in mover.pair(seed, scale, range(DIRECTIONS)))
                shifts.append((after - before)[:, searched] / spreads)
            found[first, last] = _leads(np.mean(shifts, axis=0))
            print(method, first, last, f"{found[first, last].mean():.3f}", flush=True)
        table = np.stack([found[window] for window in windows])
        every = windows.index((0, count - 1))
        best = np.where(table.max(axis=0) > 0, table.argmax(axis=0), every)
        chosen = ".".join("-".join(map(str, dict.fromkeys(windows[number]))) for number in best)
        one = int(table.mean(axis=1).argmax())
        rows += [
            [method, "all rows", f"{table[every].mean():.3f}", ""],
            [method, f"rows {windows[one][0]} to {windows[one][1]} for all directions", f"{table[one].mean():.3f}", ""],
            [method, "the best window of each direction", f"{table.max(axis=0).mean():.3f}", f"`rows={chosen}`"],
        ]
        leads = {f"{first}-{last}": lead.tolist() for (first, last), lead in found.items()}
        numbers[method] = {"rows": chosen, "leads": leads}
    text = f"""
Mean over {DIRECTIONS} directions of the lead in standard deviations (largest less second largest shift, over the
largest; 0 below {EFFECT:g} standard deviations), on {CODES} selection seeds at {SIZE} px and on the {len(searched)}
attributes that are not held. {len(windows)} windows were tried for each direction: a maximum of so many is too high by
itself, and is no result. Directions without any lead keep all rows. What the chosen rows are worth is said by
`ghbench run --extractor METHOD:rows=... --task discovery`, by `selectivity-held`.
"""
    head = ["method", "rows", "lead", "chosen"]
    write("discovery_windows", "The best rows for each direction", text, head, rows, **numbers)


def _leads(shifts: np.ndarray) -> np.ndarray:
    """Each direction's lead [K], 0 where it moves nothing far enough."""
    ordered = np.sort(np.abs(shifts), axis=1)
    return np.where(ordered[:, -1] >= EFFECT, (ordered[:, -1] - ordered[:, -2]) / ordered[:, -1], 0.0)


if __name__ == "__main__":
    main()
