"""Two processes that share every batch: an interrupted run ends with the very weights of one that was not.

So does one whose processes torchrun has started.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

OPTIONS = (
    "channels=4", "most_channels=4", "z_dim=4", "w_dim=4", "mapping_layers=1", "batch=4",
    "path_weight=2", "path_every=1", "augment_target=0.6", "r1_every=2",
)  # fmt: skip


def train(folder, run, images, *, torchrun=False):
    scripts = Path(sys.executable).parent
    started = [scripts / "torchrun", "--standalone", "--nproc-per-node", "2", "--no-python", "--"] if torchrun else []
    command = [
        *started, scripts / "ghbench", "train", "stylegan2", "--data", f"imagefolder:path={folder}",
        "--size", "8", "--quality", "none", "--accelerator", "cpu", "--precision", "32-true",
        *([] if torchrun else ["--devices", "2"]),
        "--run", run, "--images", str(images), *(part for option in OPTIONS for part in ("-o", option)),
    ]  # fmt: skip
    done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return load_file(run / "model.safetensors")


def test_two_processes_resume_where_they_were(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    straight = train(folder, tmp_path / "straight", 24)
    train(folder, tmp_path / "resumed", 8)
    resumed = train(folder, tmp_path / "resumed", 24, torchrun=True)
    assert straight.keys() == resumed.keys()
    for name, array in straight.items():
        np.testing.assert_array_equal(array, resumed[name], err_msg=name)
