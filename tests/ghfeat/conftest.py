"""Small networks, one thread."""

import pytest
import torch
from tiny_encoders import save_tiny_encoder


@pytest.fixture(autouse=True, scope="package")
def _one_thread():
    """Networks this small only wait for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def encoder_file(tmp_path_factory):
    """An encoder for the tiny generator."""
    return save_tiny_encoder(tmp_path_factory.mktemp("ghfeat") / "tiny.safetensors")
