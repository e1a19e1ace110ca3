"""Forty generated pictures, and a cache of their own for each test."""

from __future__ import annotations

import pytest
from tiny_encoder import pictures


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def dataset(tmp_path):
    return pictures(tmp_path / "pictures")
