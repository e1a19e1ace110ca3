"""Moments of style codes."""

import pytest
import torch

from ghbench.generators.code_statistics import code_statistics
from ghbench.generators.tiny import tiny_generator


@pytest.fixture(scope="module")
def generator():
    return tiny_generator(seed=1)


def test_moments_are_those_of_the_codes(generator):
    z = torch.randn(300, generator.z_dim, generator=torch.Generator().manual_seed(4))
    statistics = code_statistics(generator, samples=300, seed=4, batch=64)
    codes = generator.style_codes(generator.mapping(z))
    assert list(statistics) == list(codes)
    for name, code in codes.items():
        assert torch.allclose(statistics[name].mean, code.mean(dim=0), atol=1e-5)
        assert torch.allclose(statistics[name].deviation, code.std(dim=0, correction=0), atol=1e-5)


def test_batch_size_does_not_show_and_full_truncation_leaves_no_deviation(generator):
    small = code_statistics(generator, samples=50, batch=7)
    large = code_statistics(generator, samples=50, batch=50)
    still = code_statistics(generator, samples=50, psi=0.0)
    for name, one in small.items():
        assert torch.allclose(one.mean, large[name].mean, atol=1e-6)
        assert torch.allclose(one.deviation, large[name].deviation, atol=1e-6)
        assert float(still[name].deviation.max()) < 1e-6
    with pytest.raises(ValueError, match="at least 1"):
        code_statistics(generator, samples=0)
