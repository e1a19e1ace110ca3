"""Answers that need no encoder: mean images, the nearest training image, another person, and ceilings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ghbench.data.subset import Subset
from ghbench.dataset import content_digest
from ghbench.digests import digest_json
from ghbench.errors import DataError
from ghbench.extractor import SubjectSpec, TrainingRecord
from ghbench.generators.first_party import FACES
from ghbench.task import Context, Reference

from .source import Images, Source, headed_generator, images_of, renders_like

if TYPE_CHECKING:
    from ghbench.ghfeat.editing.inversion import Inversions

Answer = Callable[[Images, Sequence[int], Context], Images]
"""From images uint8 [N, 3, R, R] and their rows in the dataset to as many images, or to fewer: of the first ones."""
INVERTED, INVERSION_STEPS, INVERSION_RATE = 50, 200, 0.1
"""Images that are inverted, the first ones; steps and rate of their optimisation, in bfloat16."""
_AT_ONCE = 256
_PERSON = 1  # stream of random numbers


@dataclass(frozen=True, eq=False)
class Constant:
    """A reference row that the task answers itself; satisfies `ghbench.extractor.Subject`.

    Args:
        reference: Its row.
        answer: Makes the images.
        defined_by: What decides them beside the evaluated images, as JSON values, or a function that gives them.
        training: What shaped it.
        licence: Of what shaped it.
    """

    reference: Reference
    answer: Answer
    defined_by: Any = None
    training: TrainingRecord = field(default_factory=TrainingRecord)
    licence: str = "none needed: nothing was trained"

    def spec(self) -> SubjectSpec:
        """Describe it."""
        name = self.reference.name
        decided = self.defined_by() if callable(self.defined_by) else self.defined_by
        digest = digest_json([name, decided])
        return SubjectSpec(name=name, version="1", weights_digest=digest, training=self.training, licence=self.licence)


def by_name(constants: Sequence[Constant]) -> Mapping[str, Constant]:
    """Constants by the name of their row."""
    return {constant.reference.name: constant for constant in constants}


def reconstruction_constants(source: Source) -> list[Constant]:
    """Those that mean something for a source; draws nothing."""
    found = [_mean_image(source)]
    if source.trains:
        found.append(_nearest(source))
    if source.known.faces or source.is_rendered:
        found.append(_mean_code(source))
    if source.known.faces:
        found.append(_random_person(source))
    if source.is_rendered and headed_generator(source) is not None:
        found.append(_head(source))
    if inverting_generator(source) is not None:
        found.append(_inversion(source))
    return found


def inverting_generator(source: Source) -> str | None:
    """The generator whose codes are optimised for the images of a source; None where they are not."""
    return None if {"psi", "mixed"} & source.spec.options.keys() else headed_generator(source)


def mean_image(images: Images) -> Images:
    """The mean of images uint8 [N, 3, R, R], rounded: uint8 [3, R, R]."""
    mean: Images = np.round(images.mean(axis=0, dtype=np.float64)).astype(np.uint8)
    return mean


def nearest(targets: Images, training: Images) -> NDArray[np.int64]:
    """For each target the training image with the smallest squared error; of equal ones the first.

    Args:
        targets: uint8 [N, 3, R, R].
        training: uint8 [M, 3, R, R].

    Returns:
        int64 [N], rows of `training`.
    """
    grey = _is_grey(targets) and _is_grey(training)
    one, all_of = (_flat(images[:, :1] if grey else images) for images in (targets, training))
    length = np.einsum("ij,ij->i", all_of, all_of)
    found = [
        (length - 2 * one[start : start + _AT_ONCE] @ all_of.T).argmin(axis=1) for start in range(0, len(one), _AT_ONCE)
    ]
    rows: NDArray[np.int64] = np.concatenate(found).astype(np.int64)
    return rows


def _of_training(source: Source, name: str, what: str, answer: Answer) -> Constant:
    """A constant that is made of the training images."""
    if source.is_rendered:
        record = TrainingRecord(("renders-train",), None, supervision="unsupervised", domain="in-generator")
    else:
        # A file's name is no dataset's; such a dataset was made already, to see whether it trains.
        dataset = source.spec.name if source.spec.attribute is None else source.dataset.card().name
        record = TrainingRecord((f"{dataset}#train",), None, supervision="unsupervised")

    def defined_by() -> list[Any]:
        return [source.size, source.align, content_digest(source.training_images())]

    reference = Reference(name, what, floor=True)
    return Constant(reference, answer, defined_by, record, "as the training images")


def _mean_image(source: Source) -> Constant:
    def answer(targets: Images, _rows: Sequence[int], context: Context) -> Images:
        images = images_of(source.training_images(), context.progress)[0] if source.trains else targets
        return np.broadcast_to(mean_image(images), targets.shape)

    if source.trains:
        return _of_training(source, "mean-image", "mean training image", answer)
    return Constant(Reference("mean-image", "mean of the evaluated images", floor=True), answer)


def _nearest(source: Source) -> Constant:
    def answer(targets: Images, _rows: Sequence[int], context: Context) -> Images:
        training, _ = images_of(source.training_images(), context.progress)
        return training[nearest(targets, training)]

    return _of_training(source, "nearest-training", "nearest training image", answer)


def _random_person(source: Source) -> Constant:
    def answer(targets: Images, rows: Sequence[int], context: Context) -> Images:
        units = source.units(Subset(source.dataset, rows))
        order = context.rng(_PERSON).permutation(len(targets))
        order = order[np.argsort(units[order], kind="stable")]
        # Images of one person stand together: so far on, somebody else follows.
        most = np.unique(units, return_counts=True)[1].max()
        if 2 * most > len(units):
            raise DataError("one person is in more than half of the images, so not each has somebody else beside it")
        others = np.roll(order, most)
        shown = np.empty_like(targets)
        shown[order] = targets[others]
        return shown

    return Constant(Reference("random-person", "chance: another person's image"), answer)


def _generated(generator: str, reference: Reference, answer: Answer, *recipe: Any) -> Constant:
    """A constant that a generator draws."""
    from ghbench.generators.loading import generator_plugin

    spec = generator_plugin(generator).spec()
    record = replace(spec.training, networks=(spec.weights_digest,))
    return Constant(reference, answer, [spec.weights_digest, *recipe], record, spec.licence)


def _mean_code(source: Source) -> Constant:
    generator = source.spec.options.get("generator", FACES) if source.is_rendered else FACES

    def answer(targets: Images, _rows: Sequence[int], context: Context) -> Images:
        from ghbench.data.renders import Renders

        # Truncated to nothing, any seed is the mean.
        mean = Renders(generator, count=1, psi=0.0, size=source.size)
        return np.broadcast_to(images_of(mean, context.progress)[0], targets.shape)

    return _generated(generator, Reference("g-mean-w", "image of the mean code", floor=True), answer)


def _head(source: Source) -> Constant:
    generator = headed_generator(source)
    assert generator is not None

    def answer(_targets: Images, rows: Sequence[int], context: Context) -> Images:
        assert source.renders is not None
        drawn = renders_like(source.renders, generator=generator, size=source.size)
        return images_of(Subset(drawn, rows), context.progress)[0]

    return _generated(generator, Reference("head", "ceiling: true codes"), answer, "true codes")


def _inversion(source: Source) -> Constant:
    generator = inverting_generator(source)
    assert generator is not None

    def answer(targets: Images, _rows: Sequence[int], context: Context) -> Images:
        kept, label = inversions(generator), "inversion by optimisation, about 10 minutes on two cores"
        first = targets[:INVERTED]
        context.progress(0, len(first), label)
        kept.make(first, lambda done, total: context.progress(done, total, label), device=context.device)
        found = kept.read(first)
        assert found is not None
        return found

    what = f"ceiling: optimised codes, of the first {INVERTED} images"
    return _generated(generator, Reference("inversion", what), answer, INVERSION_STEPS, INVERSION_RATE, INVERTED)


def inversions(generator: str) -> Inversions:
    """The inversions of this task in the cache."""
    from ghbench.ghfeat.editing.inversion import Inversion, Inversions

    return Inversions(Inversion(generator, INVERSION_STEPS, INVERSION_RATE, precision="bfloat16"))


def _is_grey(images: Images) -> bool:
    return all(np.array_equal(images[:, 0], images[:, channel]) for channel in (1, 2))


def _flat(images: Images) -> NDArray[np.float32]:
    # Centred: squares of numbers about 0 lose fewer digits in float32.
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(127.5) - np.float32(1)
