"""Three tasks as a stranger would write them: nothing here is known to the library.

`Nearest`: classification with training, validation and test rows. `Travel`: its subject is a navigator.
`Spread`: one number of a whole set, without any uncertainty.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ghbench.data.array_images import ArrayImages
from ghbench.dataset import DatasetCard, Target, labels
from ghbench.digests import digest_json
from ghbench.extractor import Encoder, Navigator, SubjectSpec, TrainingRecord
from ghbench.task import Evaluation, Lack, Metric, Reference, Role, Score, Units

CLASSES = ("disc", "square", "cross")


class Shapes(ArrayImages):
    """Discs, squares and crosses in noise: 36 training, 18 validation and 36 test images of 32 pixels."""

    def __init__(self):
        rng = np.random.default_rng(7)
        kinds = np.arange(90) % 3
        super().__init__(np.stack([self._drawn(kind, rng) for kind in kinds]), "shapes")
        self.targets = {"label": Target("label", kinds.astype(np.int64), "class", CLASSES)}
        rows = np.arange(90)
        self.splits = {"train": rows[:36], "validation": rows[36:54], "test": rows[54:]}

    def card(self):
        return DatasetCard("shapes", "Shapes in noise", "Apache-2.0", "none", "made here")

    @staticmethod
    def _drawn(kind, rng):
        down, across = np.mgrid[-1:1:32j, -1:1:32j] + rng.uniform(-0.3, 0.3, (2, 1, 1))
        inside = [down**2 + across**2 < 0.25, np.maximum(abs(down), abs(across)) < 0.45, abs(down * across) < 0.03][
            kind
        ]
        image = rng.uniform(0, 120, (3, 32, 32)) + 130 * inside
        return image.astype(np.uint8)


class MajorityClass:
    """The constant answer of `Nearest`."""

    def spec(self):
        return SubjectSpec(
            name="majority-class",
            version="1",
            weights_digest=digest_json("majority-class"),
            training=TrainingRecord(),
            licence="none",
        )


class Nearest:
    """Class of the k nearest training images; k is chosen on the validation rows, never on the test rows."""

    name = "nearest-shapes"
    version = 1
    metrics = (Metric("top1"), Metric("chosen-k", unit="neighbours", uncertainty="none", bounds=None))
    requires = (Encoder,)
    policies = ("concat",)
    references = (
        Reference("majority-class", "constant answer"),
        Reference("random-projection", "random projection of pixels", floor=True),
    )

    def protocol(self):
        return {"train": "36 rows", "k": "1, 3 or 5, the best on 18 validation rows, the smallest of several"}

    def roles(self):
        shapes = Shapes()
        return {
            "train": Role(shapes, "train", judged=False),
            "validation": Role(shapes, "validation", judged=False),
            "test": Role(shapes, "test"),
        }

    def constant(self, name):
        return MajorityClass() if name == "majority-class" else None

    def evaluate(self, inputs):
        truth = {role: labels(dataset).values for role, dataset in inputs.datasets.items()}
        if isinstance(inputs.subject, MajorityClass):
            answer, chosen = np.full(len(truth["test"]), np.bincount(truth["train"]).argmax()), 0
        else:
            rows = {
                role: np.hstack([views["plain"][level] for level in inputs.levels])
                for role, views in inputs.features.items()
                if views
            }
            train, check = rows["train"], rows["validation"]
            rates = {
                k: np.mean(self._answer(check, train, truth["train"], k) == truth["validation"]) for k in (1, 3, 5)
            }
            chosen = max(rates, key=rates.get)
            answer = self._answer(rows["test"], rows["train"], truth["train"], chosen)
        records = pd.DataFrame({"image": np.arange(len(answer)), "right": answer == truth["test"], "k": chosen})
        return Evaluation(records, notes=(f"k = {chosen}",) if chosen else ())

    def score(self, records, sample_weight=None):
        return [
            Score("top1", float(np.average(records["right"], weights=sample_weight))),
            Score("chosen-k", float(records["k"].iloc[0])),
        ]

    def units(self, records):
        return Units("images", records["image"].to_numpy(), None, len(records))

    @staticmethod
    def _answer(queries, rows, truth, k):
        distances = ((queries[:, None].astype(np.float64) - rows[None]) ** 2).sum(axis=2)
        nearest = truth[np.argsort(distances, axis=1, kind="stable")[:, :k]]
        return np.array([np.bincount(votes, minlength=3).argmax() for votes in nearest])


class Travel:
    """How far the generator's image moves, in grey levels, when its code takes a step along each direction."""

    name = "travel"
    version = 1
    metrics = (Metric("grey-levels", unit="grey levels", bounds=None),)
    requires = (Navigator,)
    policies = ()
    references = ()
    seeds = 12

    def protocol(self):
        return {"seeds": f"0 to {self.seeds - 1}", "step": 1.0}

    def roles(self):
        return {}

    def evaluate(self, inputs):
        import torch

        from ghbench.generators.loading import load_generator

        generator = load_generator(inputs.spec.generator).to(inputs.context.device)
        z = inputs.context.rng(1).standard_normal((self.seeds, generator.z_dim)).astype(np.float32)
        rows = []
        with torch.no_grad():
            for seed in range(self.seeds):
                code = generator.mapping(torch.from_numpy(z[seed : seed + 1]).to(inputs.context.device))
                before = generator.synthesis(code)
                for number, direction in enumerate(inputs.subject.directions()):
                    moved = code + torch.from_numpy(np.array(direction)).to(code)
                    change = (generator.synthesis(moved) - before).abs().mean().item() * 127.5
                    rows.append({"seed": seed, "direction": number, "change": change})
                inputs.context.progress(seed + 1, self.seeds, "travel")
        return Evaluation(pd.DataFrame(rows))

    def score(self, records, sample_weight=None):
        return [Score("grey-levels", float(np.average(records["change"], weights=sample_weight)))]

    def units(self, records):
        return Units("seeds", records["seed"].to_numpy(), None, int(records["seed"].max()) + 1)


class Spread:
    """Participation ratio of the features' covariance: one number of the whole set, without uncertainty."""

    name = "spread"
    version = 1
    metrics = (
        Metric("dimensions", unit="dimensions", uncertainty="none", bounds=None),
        Metric("half-to-half", unit="dimensions", uncertainty="error", bounds=None, error="over two halves of the set"),
    )
    requires = (Encoder,)
    policies = ("concat",)
    references = ()
    complete = True

    def protocol(self):
        return {"formula": "(sum of eigenvalues)^2 / sum of their squares"}

    def roles(self):
        return {"all": Role(Shapes())}

    def lacking(self):
        return [] if self.complete else [Lack("half-to-half", "the second half is in the attic", "fetch the ladder")]

    def evaluate(self, inputs):
        features = np.hstack([inputs.features["all"]["plain"][level] for level in inputs.levels]).astype(np.float64)
        halves = [self._ratio(features[0::2]), self._ratio(features[1::2])]
        records = pd.DataFrame({"part": ["all", "even", "odd"], "value": [self._ratio(features), *halves]})
        lacking = tuple(self.lacking())
        return Evaluation(records.iloc[:1] if lacking else records, lacking)

    def score(self, records, sample_weight=None):
        values = dict(zip(records["part"], records["value"], strict=True))
        scores = [Score("dimensions", values["all"])]
        if "odd" in values:
            halves = np.array([values["even"], values["odd"]])
            scores.append(Score("half-to-half", halves.mean(), standard_error=halves.std(ddof=1) / np.sqrt(2)))
        return scores

    @staticmethod
    def _ratio(features):
        eigenvalues = np.linalg.eigvalsh(np.cov(features.T))
        return float(eigenvalues.sum() ** 2 / np.square(eigenvalues).sum())
