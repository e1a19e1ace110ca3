"""Does a navigator keep the contract of `ghbench.extractor`?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import UsageError
from ghbench.extractor import Navigator, NavigatorSpec
from ghbench.testing.violation import demand, demand_texts, is_digest

TOLERANCE = 1e-4
"""Largest difference of directions that should be equal, relative to the largest number."""


def check_navigator(navigator: Navigator, codes: NDArray[Any] | None = None) -> NavigatorSpec:
    """Check a navigator with directions in W+ against the contract; nothing is said about how good they are.

    The spec is complete and does not change. Directions are finite floats, the same every time; those of a code do not
    depend on the codes beside it; codes are left as they were.

    Args:
        navigator: What to check.
        codes: float32 [4 or more, L, D]; None for made-up ones of the shape of the global directions, and where there
            are none for some of the generator that the spec names.

    Returns:
        The navigator's spec.

    Raises:
        ConformanceError: The sentence of the contract that does not hold.
    """
    demand(isinstance(navigator, Navigator), f"{type(navigator).__name__} has no method directions(codes)")
    subject: Any = navigator
    spec = subject.spec()
    demand(isinstance(spec, NavigatorSpec), f"spec() returns {type(spec).__name__}, not ghbench's NavigatorSpec")
    demand_texts("spec()", spec, ("name", "version", "licence", "generator", "generator_digest"))
    for name in ("weights_digest", "directions_digest"):
        demand(is_digest(getattr(spec, name)), f"{spec.name}: {name} is no hexadecimal sha256")
    demand(spec.space == "w_plus", f"{spec.name}: the kit knows directions in w_plus, these are in {spec.space}")
    alone = _global(navigator, spec)
    if codes is None and alone is not None:
        codes = np.random.default_rng(0).standard_normal((4, *alone.shape[1:])).astype(np.float32)
    elif codes is None:
        codes = _drawn(spec.generator)
    given = codes.copy()
    whole = _checked(navigator.directions(given), spec, 4, codes.shape)
    demand(np.array_equal(given, codes), f"{spec.name}: directions() changed its input")
    _demand_close(spec, whole, navigator.directions(given), "the same codes give other directions the next time")
    one = np.concatenate([np.asarray(navigator.directions(codes[row : row + 1])) for row in range(len(codes))])
    _demand_close(spec, whole, one, "directions of a code depend on the codes beside it")
    if alone is not None:
        every = np.broadcast_to(alone, whole.shape)
        _demand_close(spec, every, whole, "there are global directions, and those of codes differ from them")
    demand(subject.spec() == spec, f"{spec.name}: spec() says something else after use")
    assert isinstance(spec, NavigatorSpec)
    return spec


def _global(navigator: Navigator, spec: NavigatorSpec) -> NDArray[Any] | None:
    """Global directions [K, L, D]; None where they depend on the code."""
    try:
        found = navigator.directions()
    except UsageError:
        return None
    return _checked(found, spec, 3, None)


def _drawn(generator: str) -> NDArray[np.float32]:
    """W+ codes [4, L, D] of a generator."""
    import torch

    from ghbench.generators.loading import load_generator

    mapping = load_generator(generator)
    z = torch.from_numpy(np.random.default_rng(0).standard_normal((4, mapping.z_dim)).astype(np.float32))
    with torch.no_grad():
        return np.asarray(mapping.mapping(z, 1.0).numpy(), np.float32)


def _checked(found: Any, spec: NavigatorSpec, axes: int, codes: tuple[int, ...] | None) -> NDArray[Any]:
    array = np.asarray(found)
    demand(array.ndim == axes and np.issubdtype(array.dtype, np.floating), f"{spec.name}: directions are {array.shape}")
    if codes is not None:
        wanted = (codes[0], array.shape[1], *codes[1:])
        demand(array.shape == wanted, f"{spec.name}: directions of codes are {array.shape}, expected {wanted}")
    demand(array.size and np.isfinite(array).all(), f"{spec.name}: directions must be finite numbers, at least one")
    return array


def _demand_close(spec: NavigatorSpec, one: NDArray[Any], other: Any, sentence: str) -> None:
    array = np.asarray(other)
    near = array.shape == one.shape and np.abs(one - array).max() <= TOLERANCE * max(np.abs(one).max(), 1e-12)
    demand(near, f"{spec.name}: {sentence}")
