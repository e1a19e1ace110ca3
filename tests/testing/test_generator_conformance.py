"""The kit for generators, on a tiny one that keeps the contract and on some that break a sentence of it."""

from dataclasses import replace
from itertools import count

import pytest

from ghbench.generators.first_party import TinyRandom
from ghbench.testing import ConformanceError, check_generator

torch = pytest.importorskip("torch")


class Changed:
    """The tiny generator with a method of its network replaced, or another spec."""

    def __init__(self, name=None, method=None, **spec):
        self.name, self.method, self.changes = name, method, spec

    def spec(self):
        return replace(TinyRandom().spec(), **self.changes)

    def load(self):
        network = TinyRandom().load()
        if self.name is not None:
            usual = getattr(network, self.name)
            setattr(network, self.name, lambda *values, **options: self.method(usual, *values, **options))
        return network


class Drifting(Changed):
    count = 0

    def spec(self):
        self.count += 1
        return replace(super().spec(), version=str(self.count))


class Thawed(Changed):
    def load(self):
        return super().load().requires_grad_()


class Redrawn(Changed):
    """Other weights each time it is loaded."""

    def load(self):
        network = super().load()
        for weight in network.parameters():
            weight.data += torch.randn_like(weight) * 0.1
        return network


_calls = count()


def batched(draw, ws, **options):
    return draw(ws, **options) - draw(ws, **options).mean(0)


def noisy(draw, ws, **options):
    """No two calls in a row draw the same."""
    return draw(ws, **options) + 0.1 * (next(_calls) % 2)


def unlike(codes, ws, **options):
    return {level: values + 0.5 for level, values in codes(ws, **options).items()}


def renamed(codes, ws, *, raw=False):
    found = codes(ws, raw=raw)
    return found if raw else {**found, "extra": found["rgb"]}


def test_an_honest_generator_passes_and_gives_its_spec():
    assert check_generator(TinyRandom()) == TinyRandom().spec()


@pytest.mark.parametrize(
    ("plugin", "sentence"),
    [
        (Changed(licence=""), "licence is ''"),
        (Changed(weights_digest="secret"), "no hexadecimal sha256"),
        (Changed(size=7), r"expected \(3, 3, 7, 7\)"),
        (Drifting(), "something else after use"),
        (Thawed(), "ask for gradients"),
        (Redrawn(), "loaded again, it draws other images"),
        (Changed("synthesis", lambda draw, ws, **options: 127.5 * (draw(ws, **options) + 1)), "expected -1 to 1"),
        (Changed("synthesis", lambda draw, ws, **options: draw(ws, **options) * torch.nan), "finite floats"),
        (Changed("synthesis", batched), "beside them in the batch"),
        (Changed("synthesis", noisy), "another image the next time"),
        (Changed("mapping", lambda mapping, z, psi=1.0: mapping(z)), "psi 0 does not give w_mean"),
        (Changed("mapping", lambda mapping, z, psi=1.0: mapping(z, psi**2)), "psi 0.5 is not half of the way"),
        (Changed("style_codes", unlike), "style codes draw another image"),
        (Changed("style_codes", renamed), "style codes are of"),
        (Changed("features", lambda features, ws, level, **options: ws), "features are"),
        (object(), r"lacks spec\(\) or load\(\)"),
    ],
)
def test_a_broken_generator_is_told_which_promise_it_breaks(plugin, sentence):
    with pytest.raises(ConformanceError, match=sentence):
        check_generator(plugin)
