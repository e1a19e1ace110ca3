"""Look-alikes of NVIDIA's modules, and one small checkpoint in every format."""

from __future__ import annotations

import checkpoint_files as files
import numpy as np
import pytest
import torch

from ghbench.checkpoints import Checkpoint, write


@pytest.fixture(autouse=True)
def look_alikes(monkeypatch, tmp_path):
    """Modules of the names that NVIDIA's pickles refer to, while a test writes one; nothing may run in `tmp_path`."""
    files.register_look_alikes(monkeypatch)
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "canary").exists()


@pytest.fixture
def good_files(tmp_path):
    """One small file in every format, under names that say nothing."""
    folder = tmp_path / "good"
    folder.mkdir()
    pickled = {"stylegan2-ada": files.ada_bytes(), "tensorflow-stylegan1": files.tensorflow_bytes()}
    for kind, content in pickled.items():
        (folder / f"{kind}.bin1").write_bytes(content)
    for kind, value in files.torch_objects().items():
        torch.save(value, folder / f"{kind}.bin1")
        torch.save(value, folder / f"{kind}-old.bin1", _use_new_zipfile_serialization=False)
    files.write_openvino(folder / "openvino-ir.bin1", files.openvino_constants())
    content = Checkpoint("genforce", {"a/b": np.ones(3, np.float32)}, {"x": 1}, "d" * 64, ("note",))
    write(folder / "native.bin1", content, licence="Apache-2.0", architecture={"size": 32})
    return {file.name.removesuffix(".bin1"): file for file in sorted(folder.glob("*.bin1"))}
