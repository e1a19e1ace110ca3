"""Discovery: whether each direction of a navigator changes one attribute of faces, and which attributes are found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from ghbench import registry
from ghbench.errors import UsageError
from ghbench.extractor import Navigator, NavigatorSpec
from ghbench.metrics import discovery as scores
from ghbench.seeds import seeds_for
from ghbench.spec_string import SpecString
from ghbench.task import Evaluation, Metric, Policy, Reference, Role, Score, TaskInputs, Units

from .face_attributes import FaceAttributes
from .identity import Identity
from .pictures import Likeness, Mover, Search

JUDGE, JUDGE_SIDE = "efficientnet-lite0", 224
PSI, SPREAD_FACES = 0.5, 500
TRIED, CALIBRATION = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0), 4
"""Scales that are tried, each on so many codes."""
TARGET = 0.06
"""Mean change of pictures at which methods are compared, on the judge's scale."""
IDENTIFIED, STRANGERS = 20, 40
"""Codes, the first ones, on which identity is judged, since the network takes longer than all attributes; faces whose
mean distance in pairs is that of two people."""
METRICS = (
    Metric("selectivity"),
    Metric("selectivity-held"),
    Metric("named", "attributes", bounds=(0.0, None)),
    Metric("effect", "standard deviations", bounds=None),
    Metric(
        "identity-loss",
        "of the distance of two people",
        higher_is_better=False,
        bounds=None,
        uncertainty="error",
        error="over codes",
    ),
    Metric("disentanglement"),
    Metric("disentanglement-raw", "mixed units", bounds=None),
    Metric("discovered", "attributes", bounds=(0.0, None)),
    Metric("rows", "rows of W+", higher_is_better=False, uncertainty="none", bounds=None),
    Metric("scale", "of the directions", uncertainty="none", bounds=None),
)


def discovery(samples: int = 100, size: int = 128, limit: int = 30) -> Discovery:
    """Move faces along a navigator's directions, and measure what changes.

    Args:
        samples: Codes that each direction is tried on, the same for all directions and methods.
        size: Side of the pictures.
        limit: Directions that count, the first ones.
    """
    if samples < 2 or limit < 2:
        raise UsageError(f"samples={samples}, limit={limit}; expected two or more")
    return Discovery(samples, size, limit)


@dataclass(frozen=True)
class Discovery:
    """See `discovery`; satisfies `ghbench.task.Task`.

    Args:
        samples: Codes.
        size: Side of the pictures.
        limit: Directions that count.
    """

    samples: int = 100
    size: int = 128
    limit: int = 30
    version: int = field(default=3, init=False)
    metrics: tuple[Metric, ...] = field(default=METRICS, init=False)
    requires: tuple[type, ...] = field(default=(Navigator,), init=False)
    policies: tuple[Policy, ...] = field(default=(), init=False)
    references: tuple[Reference, ...] = field(
        default=tuple(
            Reference(f"random-directions:seed={seed}", "random directions", floor=True) for seed in range(3)
        ),
        init=False,
    )

    @property
    def name(self) -> str:
        """Canonical spec string."""
        usual = Discovery()
        own = {name: getattr(self, name) for name in ("samples", "size", "limit")}
        differing = {name: str(value) for name, value in own.items() if value != getattr(usual, name)}
        return str(SpecString("discovery", options=differing))

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        return {
            "kind": "discovery",
            "codes": f"the first {self.samples} test seeds at psi {PSI:g}, the same for all directions",
            "pictures": f"{self.size} px, stored noise, at minus and plus the scale",
            "directions": f"the first {self.limit}",
            "attributes": list(self._predictor.names),
            "held": [self._predictor.names[number] for number in self._predictor.held],
            "predictor": self._predictor.digest,
            "identity": f"the first {min(IDENTIFIED, self.samples)} codes; distance of descriptors over the mean one "
            f"of {STRANGERS // 2} pairs of metric-fitting seeds",
            "scale": f"one a navigator, at which its pictures change by {TARGET:g} on average (1 less cosine of all "
            f"levels of {JUDGE}), interpolated between {', '.join(map('{:g}'.format, TRIED))} on {CALIBRATION} "
            "selection seeds",
            "spreads": f"standard deviations of the attributes of {SPREAD_FACES} metric-fitting seeds at psi {PSI:g}",
            "tuned": "the scale, by the change of pictures and never by attributes",
            "named": f"moves by {scores.EFFECT:g} standard deviations or more, {scores.LEAD:g} times the next one",
            "metric_networks": [self._judge.spec().weights_digest, self._identity.digest, *self._predictor.networks],
        }

    def roles(self) -> Mapping[str, Role]:
        """None: the generator draws the pictures."""
        return {}

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Move, draw and measure.

        Returns:
            One record for each direction, code and attribute: `direction`, `seed`, `attribute` (its number), and the
            `shift` of the attribute from minus to plus the scale, in units of its own, to eleven significant bits.
            Records of `attribute` -1 hold the distance of descriptors in its place. Those of `seed` -1 say of each
            direction in how many `rows` it acts, and at which `scale`; those without a direction (-1) hold in `shift`
            the standard deviation of each attribute, and the distance of strangers.

        Raises:
            UsageError: The navigator's directions are not in W+, or its generator draws no faces.
        """
        spec, subject = inputs.spec, inputs.subject
        assert isinstance(subject, Navigator)
        if not isinstance(spec, NavigatorSpec) or spec.space != "w_plus":
            raise UsageError(f"discovery needs directions in w_plus; those of {spec.name} are elsewhere")
        mover = Mover(generator_of(spec, self.size, inputs.context.device), subject.directions, PSI)
        numbers = range(min(self.limit, mover.count(0)))
        scale = search(self._judge).scale(mover.pairs(numbers), inputs.context.progress)
        spreads = attribute_spreads(mover, self._predictor)
        strangers = self._identity.distances(*np.split(images_of(mover, STRANGERS), 2)).mean()
        parts = []
        seeds = seeds_for("test", self.samples)
        for done, seed in enumerate(seeds):
            before, after = mover.pair(seed, scale, numbers)
            measured = self._predictor.measure(np.concatenate([before, after]))
            shift = measured[len(before) :] - measured[: len(before)]
            parts.append(_records(seed, shift))
            if done < IDENTIFIED:
                parts.append(_records(seed, self._identity.distances(before, after)[:, None], first=-1))
            inputs.context.progress(done + 1, len(seeds), "codes")
        code = mover.generator.mapping(mover.generator.w_mean.new_zeros(1, mover.generator.z_dim), 0.0)
        used = scores.rows_in_use(np.asarray(subject.directions(code.cpu().numpy()))[0][list(numbers)])
        about = pd.DataFrame({"direction": np.arange(len(used), dtype=np.int16)})
        about["seed"], about["attribute"] = np.int32(-1), np.int16(-1)
        about["rows"], about["scale"] = used.astype(np.float32), np.float32(scale)
        units = _records(-1, np.array([[strangers, *spreads]]), first=-1).assign(direction=np.int16(-1))
        records = pd.concat([*parts, about, units], ignore_index=True)
        return Evaluation(records, notes=(f"attributes by number: {', '.join(self._predictor.names)}",))

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """The author's scores, and those of standardised changes.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        weight = np.ones(len(records)) if sample_weight is None else sample_weight
        seeded = records["seed"].to_numpy() >= 0
        attribute, about = records["attribute"].to_numpy(), records[~seeded]
        moved, faces = seeded & (attribute >= 0), seeded & (attribute < 0)
        means = self._means(records[moved], weight[moved][None], np.arange(moved.sum()))[0]
        strangers, *spreads = units_of(records)
        lost, error = _mean_over_codes(records[faces], weight[faces])
        found = self.of_means(means, np.array(spreads)) | {
            "identity-loss": lost / strangers, "rows": float(about["rows"].mean()),
            "scale": float(about["scale"].mean()),
        }  # fmt: skip
        errors = {"identity-loss": error / strangers}
        return [Score(one.name, found[one.name], standard_error=errors.get(one.name)) for one in METRICS]

    def score_replicates(
        self, records: pd.DataFrame, multiplicity: NDArray[np.float64], metrics: Collection[str] | None = None
    ) -> Mapping[tuple[str, str | None], NDArray[np.float64]]:
        """All that has units, of every bootstrap draw, see `ghbench.task_abilities.Replicating`."""
        del metrics
        moved = (records["seed"].to_numpy() >= 0) & (records["attribute"].to_numpy() >= 0)
        means = self._means(records[moved], multiplicity, self.units(records).first[moved])
        spreads = units_of(records)[1:]
        draws = [self.of_means(one, spreads) for one in means]
        return {(name, None): np.array([draw[name] for draw in draws]) for name in draws[0]}

    def of_means(self, means: NDArray[np.float64], spreads: NDArray[np.float64]) -> dict[str, float]:
        """Scores of mean changes [K, A] of K directions and A attributes, whose standard deviations [A] are known."""
        standardised = means / spreads
        return {
            "selectivity": scores.disentanglement(standardised),
            "selectivity-held": scores.selectivity(standardised[:, list(self._predictor.held)], scores.EFFECT),
            "named": float(scores.named(standardised).sum()),
            "effect": float(np.abs(standardised).max(axis=1).mean()),
            "disentanglement": scores.disentanglement(means),
            "disentanglement-raw": scores.disentanglement(means, normalised=False),
            "discovered": float(scores.discovered(means)),
        }

    def units(self, records: pd.DataFrame) -> Units:
        """Codes: every direction of every method is tried on the same ones."""
        seeds = records["seed"].to_numpy()
        names = np.unique(seeds[seeds >= 0])
        unit = np.where(seeds >= 0, np.searchsorted(names, seeds), -1)
        return Units("codes", unit.astype(np.int64), None, len(names), names.tolist())

    @staticmethod
    def _means(records: pd.DataFrame, weight: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean changes [B, K, A] under weights [B, G] of groups of records; `group` [N] says which each is in."""
        direction, attribute = (records[name].to_numpy().astype(np.int64) for name in ("direction", "attribute"))
        shape = direction.max() + 1, attribute.max() + 1
        place, size = (group, direction * shape[1] + attribute), (weight.shape[1], int(shape[0] * shape[1]))
        total = sparse.csr_array((records["shift"].to_numpy(np.float64), place), size)
        count = sparse.csr_array((np.ones(len(records)), place), size)
        return np.asarray((weight @ total) / (weight @ count)).reshape(-1, *shape)

    @cached_property
    def _predictor(self) -> FaceAttributes:
        return FaceAttributes()

    @cached_property
    def _judge(self) -> Any:
        return registry.build("extractor", JUDGE)

    @cached_property
    def _identity(self) -> Identity:
        return Identity()


def _mean_over_codes(records: pd.DataFrame, weight: NDArray[np.float64]) -> tuple[float, float]:
    """Mean of the distances of some codes, and its standard error; NaN without any."""
    if not weight.any():
        return np.nan, np.nan
    seeds, place = np.unique(records["seed"].to_numpy(), return_inverse=True)
    each = np.bincount(place, records["shift"].to_numpy(np.float64)) / np.bincount(place)
    error = each.std(ddof=1) / np.sqrt(len(seeds)) if len(seeds) > 1 else np.nan
    return float(np.average(each, weights=np.bincount(place, weight))), float(error)


def units_of(records: pd.DataFrame) -> NDArray[np.float64]:
    """The distance of strangers and the standard deviations of attributes, [1 + A], that stand in records."""
    units = records[(records["seed"] < 0) & (records["direction"] < 0)]
    return units.sort_values("attribute")["shift"].to_numpy(np.float64)


def _records(seed: int, shift: NDArray[np.float64], first: int = 0) -> pd.DataFrame:
    """Records of changes [K, A] of one code; attributes are numbered from `first`."""
    count, attributes = shift.shape
    frame = pd.DataFrame({"direction": np.repeat(np.arange(count, dtype=np.int16), attributes)})
    frame["seed"] = np.int32(seed)
    frame["attribute"] = np.tile(np.arange(first, first + attributes, dtype=np.int16), count)
    # One code's change is known to far less than eleven bits; the other twelve would double what is stored.
    kept = shift.astype(np.float16) if seed >= 0 else shift
    frame["shift"] = kept.ravel().astype(np.float32)
    return frame


def generator_of(spec: NavigatorSpec, size: int, device: str) -> Any:
    """The generator of a navigator, which draws pictures of a size."""
    from ghbench.generators.loading import load_generator, recorded_generator, spec_at_size
    from ghbench.generators.navigated import whole_of
    from ghbench.generators.pictures import in_rgb, on_device

    plugin = recorded_generator(spec_at_size(whole_of(spec), size))
    return on_device(in_rgb(load_generator(plugin)), device)


def search(judge: Likeness) -> Search:
    """The search of this task, on selection seeds."""
    return Search(judge, JUDGE_SIDE, TRIED, seeds_for("selection", CALIBRATION), TARGET)


def attribute_spreads(mover: Mover, predictor: FaceAttributes) -> NDArray[np.float64]:
    """Standard deviations [A] of the attributes of metric-fitting seeds, as a generator draws them."""
    return np.asarray(predictor.measure(images_of(mover, SPREAD_FACES)).std(axis=0))


def images_of(mover: Mover, count: int) -> NDArray[np.uint8]:
    """Images of the first metric-fitting seeds, uint8 [N, 3, R, R]."""
    from ghbench.generators.pictures import pictures_of_seeds

    made = pictures_of_seeds(mover.generator, list(seeds_for("metric-fitting", count)), psi=PSI)
    return np.ascontiguousarray(made.transpose(0, 3, 1, 2))
