"""Small networks, one thread."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def _one_thread():
    """Networks this small only wait for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
