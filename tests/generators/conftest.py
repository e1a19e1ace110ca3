"""The golden arrays, and the one way in which they are compared."""

from pathlib import Path

import numpy as np
import pytest
import torch

GOLDEN = Path(__file__).parents[1] / "golden"


class Golden:
    """Arrays of one file as tensors, and the weights under a prefix."""

    def __init__(self, name):
        with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as arrays:
            self.arrays = {key: torch.from_numpy(arrays[key]) for key in arrays.files}
        self.checked = set()

    def __getitem__(self, key):
        return self.arrays[key]

    def below(self, prefix):
        return {key.removeprefix(prefix): value for key, value in self.arrays.items() if key.startswith(prefix)}

    def check(self, key, actual, *, gradient=False):
        """Limits: 1e-5 of the largest expected number and 1e-6; for gradients 5e-5 of the largest expected number."""
        expected = self.arrays[key]
        assert actual.shape == expected.shape, key
        largest = float(expected.abs().max())
        limit = 5e-5 * largest if gradient else 1e-5 * largest + 1e-6
        error = float((actual.detach() - expected).abs().max())
        assert error <= limit, f"{key}: off by {error:.2e}, limit {limit:.2e}"


@pytest.fixture(autouse=True, scope="package")
def _one_thread():
    """Networks this small only wait for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def golden():
    """`golden(name)`: a file of golden arrays, read once."""
    read = {}

    def load(name):
        if name not in read:
            read[name] = Golden(name)
        return read[name]

    return load
