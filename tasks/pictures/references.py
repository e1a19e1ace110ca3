"""What stands beside every reconstruction: constants, the nearest picture of the training set, and the floor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import UserError
from ghbench.generators.first_party import FACES

from .sources import HEAD_SIZES, Pictures, PictureSource

MEAN, MEAN_CODE, NEAREST, HEAD, INVERSION = "mean-image", "g-mean-w", "nearest-training", "head", "inversion"
INVERTED, INVERTED_SIZE, INVERSION_STEPS = 50, 128, 500
"""Pictures that are inverted, the first ones; their side; steps of their optimisation."""
INVERSION_PRECISION: Final = "bfloat16"
"""In which their codes are sought; pictures of the codes found are drawn in float32."""
DEFINITIONS = {
    MEAN: "mean of the training pictures; where there are none, of the evaluated pictures themselves",
    MEAN_CODE: "the picture that MobileStyleGAN draws of its mean w",
    NEAREST: "the training picture with the smallest squared error",
    HEAD: "the true codes, drawn by the generator that ends at this size: where perfectly predicted codes would land",
    INVERSION: (
        f"style codes found by {INVERSION_STEPS} steps of Adam on the squared difference, without an encoder; of the "
        f"first {INVERTED} pictures"
    ),
}
_AT_ONCE = 256


def reference_pictures(source: PictureSource, targets: Pictures) -> tuple[dict[str, Pictures], dict[str, str]]:
    """Answers that need no encoder, as far as they can be had.

    Args:
        source: Where the targets come from.
        targets: uint8 [N, 3, R, R], the first N pictures of the source.

    Returns:
        By name uint8 [N, 3, R, R], or fewer than N where only the first ones have an answer; and why others are left
        out.
    """
    training: Pictures | None = None
    found: dict[str, Pictures] = {}
    left_out: dict[str, str] = {}
    if source.training is not None:
        training = source.training()
        found[NEAREST] = training[nearest(targets, training)]
    else:
        left_out[NEAREST] = "there are no training pictures of this kind"
    found[MEAN] = np.broadcast_to(mean_picture(targets if training is None else training), targets.shape)
    makers: Mapping[str, Callable[[], Pictures | str]] = {
        MEAN_CODE: lambda: _mean_code(source, targets),
        HEAD: lambda: _head(source, targets),
        INVERSION: lambda: _inversion(source, targets),
    }
    for name, make in makers.items():
        try:
            made = make()
        except UserError as error:
            made = error.message.partition("\n")[0]
        if isinstance(made, str):
            left_out[name] = made
        else:
            found[name] = made
    return found, left_out


def mean_picture(pictures: Pictures) -> Pictures:
    """The mean of pictures uint8 [N, 3, R, R], rounded: uint8 [3, R, R]."""
    mean: Pictures = np.round(pictures.mean(axis=0, dtype=np.float64)).astype(np.uint8)
    return mean


def nearest(targets: Pictures, training: Pictures) -> NDArray[np.int64]:
    """For each target the training picture with the smallest squared error; of equal ones the first.

    Args:
        targets: uint8 [N, 3, R, R].
        training: uint8 [M, 3, R, R].

    Returns:
        int64 [N], rows of `training`.
    """
    grey = _is_grey(targets) and _is_grey(training)
    one, all_of = (_flat(pictures[:, :1] if grey else pictures) for pictures in (targets, training))
    length = np.einsum("ij,ij->i", all_of, all_of)
    found = [
        (length - 2 * one[start : start + _AT_ONCE] @ all_of.T).argmin(axis=1) for start in range(0, len(one), _AT_ONCE)
    ]
    rows: NDArray[np.int64] = np.concatenate(found).astype(np.int64)
    return rows


def _mean_code(source: PictureSource, targets: Pictures) -> Pictures | str:
    if not source.faces and source.renders is None:
        return "no generator belongs to these pictures"
    generator = FACES if source.renders is None else source.renders.generator
    # Truncated to nothing, any seed is the mean.
    (picture,) = source.renderer(generator, count=1, psi=0.0).pixels()
    return np.broadcast_to(picture, targets.shape)


def _head(source: PictureSource, targets: Pictures) -> Pictures | str:
    options = source.renders
    if options is None:
        return "the codes of these pictures are not known"
    if options.generator != FACES or source.size not in HEAD_SIZES:
        return "the generator has no head of this size"
    drawn = source.renderer(
        f"{FACES}:size={source.size}", count=options.count, psi=options.psi, mixed=options.mixed
    ).pixels()
    return drawn[: len(targets)]


def _inversion(source: PictureSource, targets: Pictures) -> Pictures | str:
    name = inverting_generator(source)
    if name is None:
        return "computed only for the task's own renders: 128 px, psi 1, unmixed"
    from ghbench.ghfeat.editing.inversion import Inversion, Inversions

    found = Inversions(Inversion(name, INVERSION_STEPS, precision=INVERSION_PRECISION)).read(targets[:INVERTED])
    return (
        "not computed yet: python benchmarks/inversion.py, then run again with --overwrite" if found is None else found
    )


def inverting_generator(source: PictureSource) -> str | None:
    """The generator whose codes are optimised for pictures of a source; None where they are not."""
    options = source.renders
    usual = options is not None and options.generator == FACES and (options.psi, options.mixed) == (1.0, 0.0)
    return f"{FACES}:size={source.size}" if usual and source.size == INVERTED_SIZE else None


def _is_grey(pictures: Pictures) -> bool:
    return all(np.array_equal(pictures[:, 0], pictures[:, channel]) for channel in (1, 2))


def _flat(pictures: Pictures) -> NDArray[np.float32]:
    # Centred: squares of numbers about 0 lose fewer digits in float32.
    return pictures.reshape(len(pictures), -1).astype(np.float32) / np.float32(127.5) - np.float32(1)
