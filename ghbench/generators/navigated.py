"""The generator in whose latent space a navigator's directions live; a name in a file reaches registered ones only."""

from __future__ import annotations

from ghbench.errors import DataError, UsageError
from ghbench.extractor import NavigatorSpec
from ghbench.generators.loading import generator_plugin, recorded_generator
from ghbench.spec_string import parse, parse_recorded


def whole_of(spec: NavigatorSpec, typed: str | None = None) -> str:
    """Name of the whole generator of a navigator that may have been trained on its first layers.

    Args:
        spec: The navigator's.
        typed: A name or path that the user gave in its place.

    Raises:
        UsageError: The navigator's file names no registered generator, and the user gave none.
        DataError: The generator has other weights than the one that the navigator was made for.
    """
    if typed is not None:
        return typed
    try:
        name = parse_recorded(spec.generator)
        digest = recorded_generator(spec.generator).spec().weights_digest
    except UsageError as error:
        raise UsageError(f"{spec.name}: {error.message}", fix="--generator PATH, the one it was made for") from error
    if digest != spec.generator_digest:
        raise DataError(
            f"{spec.generator} has other weights than the generator of {spec.name}: sha256 {digest[:16]}..., "
            f"expected {spec.generator_digest[:16]}...",
            fix="use the release of ghbench that made the navigator, or train it again",
        )
    return str(name.without("size"))


def same_generator(one: str, other: str) -> bool:
    """Whether two names stand for one generator, whatever its size."""
    try:
        return str(parse(one).without("size")) == str(parse(other).without("size"))
    except UsageError:
        return generator_plugin(one).spec().weights_digest == generator_plugin(other).spec().weights_digest
