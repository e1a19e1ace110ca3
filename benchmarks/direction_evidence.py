"""Whether named directions do what their names say: on fresh codes, against the next attribute and random directions.

Names were given on selection seeds (`benchmarks/direction_names.py`); here are the task's test seeds. A second
predictor of what geometry defines looks at the same pictures; it needs `pip install openvino`.
"""

from __future__ import annotations

import numpy as np
from evaluated import evaluated
from face_mesh import FaceMesh
from ghbench_tasks.discovery import task as module
from ghbench_tasks.discovery.face_attributes import NAMES, FaceAttributes
from ghbench_tasks.discovery.pictures import Mover
from ghbench_tasks.discovery.task import discovery, units_of
from random_null import CODES, DIRECTIONS, random_shifts, shifts_in
from record import write
from scipy import stats

from ghbench.contrafeat.navigators import SHIPPED, Contrafeat
from ghbench.generators.loading import load_generator
from ghbench.generators.pictures import pictures_of_seeds
from ghbench.metrics.discovery import EFFECT, LEAD
from ghbench.seeds import seeds_for

SIZE, LEVEL = 30, 95
"""Random directions of a set, and the percentile of sets that a name has to exceed."""
SECOND, FACES = 40, 300
"""Codes that the second predictor sees moved; faces on which it is compared with the first."""


def main() -> None:
    """Look at each name, and write the table."""
    random, spreads = random_shifts()
    null = np.abs(random.mean(axis=0)) / spreads
    # A name goes to the best of a navigator's directions, so the null is the best of as many random ones.
    limits = np.percentile(null.reshape(-1, SIZE, null.shape[1]).max(axis=1), LEVEL, axis=0)
    rows, numbers, passed, second = [], {}, set(), SecondPredictor()
    for weights, system in SHIPPED.items():
        records = evaluated(system, discovery())[1]
        shifts, scale = shifts_in(records) / units_of(records)[1:], float(records["scale"].max())
        moved = second.shifts(Contrafeat(weights), scale)
        for name, (number, sign) in Contrafeat(weights).names.items():
            own = NAMES.index(name)
            values = sign * shifts[:, number, own]
            others = np.abs(shifts[:, number].mean(axis=0))
            others[own] = 0
            mean, limit = float(values.mean()), float(limits[own])
            reach = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
            other = sign * moved[number][name] if name in moved[number] else None
            holds = mean >= EFFECT, mean >= LEAD * others.max(), mean > limit, other is None or other >= EFFECT
            if all(holds):
                passed.add(name if other is not None else f"{name} (one predictor)")
            told = ["yes" if one else "no" for one in holds[:3]]
            told.append("" if other is None else f"{other:+.2f}")
            following = f"{NAMES[int(others.argmax())]} {others.max():.2f}"
            value = f"{mean:+.2f} [{mean - reach:+.2f}, {mean + reach:+.2f}]"
            rows.append([system, str(number), name, value, following, f"{limit:.2f}", *told])
            numbers[f"{system}, {name}"] = {
                "shift": mean, "next": float(others.max()), "random": limit, "second": other,
            }  # fmt: skip
    text = f"""
Mean shift of the named attribute from minus to plus the scale of the task `discovery`, in standard deviations, in the
sense of the name, on its test seeds, with a 95 % interval over codes; the largest shift of another attribute; and the
{LEVEL}th percentile of what the best of {SIZE} random directions reaches, over {DIRECTIONS // SIZE} sets, on {CODES}
codes at an equal change of pictures. *Far*: {EFFECT:g} standard deviations or more; *alone*: {LEAD:g} times the next
attribute. *Second*: the shift by another predictor, MediaPipe's mesh, in standard deviations of its own, on {SECOND} of
the codes; it agrees from {EFFECT:g}, and knows geometry only. Its correlation with the first, over {FACES} faces:
{second.correlations}.

{len(passed)} different attributes pass all that was looked at: {", ".join(sorted(passed)) or "none"}.
"""
    head = ["navigator", "direction", "name", "shift", "next", "random", "far", "alone", "above random", "second"]
    write("direction_evidence", "Whether directions do what their names say", text, head, rows, numbers=numbers)


class SecondPredictor:
    """The second predictor, and how it compares with the first on generated faces."""

    def __init__(self) -> None:
        self._mesh, self._generator = FaceMesh(), load_generator("mobile-stylegan-ffhq:size=128")
        seeds = list(seeds_for("metric-fitting", FACES))
        faces = np.ascontiguousarray(pictures_of_seeds(self._generator, seeds, psi=module.PSI).transpose(0, 3, 1, 2))
        own, first = self._mesh.measure(faces), FaceAttributes().measure(faces)
        found = [np.corrcoef(own[:, a], first[:, NAMES.index(name)])[0, 1] for a, name in enumerate(self._mesh.names)]
        self._unit = own.std(axis=0)
        self.correlations = ", ".join(f"{name} {r:.2f}" for name, r in zip(self._mesh.names, found, strict=True))

    def shifts(self, navigator: Contrafeat, scale: float) -> dict[int, dict[str, float]]:
        """Mean standardised shifts by number of the direction and name of the attribute."""
        numbers = sorted({number for number, _ in navigator.names.values()})
        mover = Mover(self._generator, navigator.directions, module.PSI)
        pairs = [mover.pair(seed, scale, numbers) for seed in seeds_for("test", SECOND)]
        moved = np.mean([self._mesh.measure(after) - self._mesh.measure(before) for before, after in pairs], axis=0)
        return {
            number: dict(zip(self._mesh.names, (moved[place] / self._unit).tolist(), strict=True))
            for place, number in enumerate(numbers)
        }


if __name__ == "__main__":
    main()
