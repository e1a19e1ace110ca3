"""`ghbench list|describe generator`, `generate` and `convert` as a shell sees them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from ghbench.cli import app
from ghbench.errors import MissingError, UsageError
from ghbench.generators.native import save_generator
from ghbench.generators.stylegan2 import StyleGAN2
from ghbench.generators.tiny import tiny_generator

GHBENCH = Path(sys.executable).with_name("ghbench")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments):
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


def test_generators_are_listed(run):
    rows = json.loads(run("list", "generators", "--json").stdout)
    tiny = next(row for row in rows if row["name"] == "tiny")
    assert "untrained" in tiny["summary"]


def test_a_generator_is_described_with_its_levels(run):
    text = run("describe", "generator", "tiny:seed=1").stdout
    assert "licence: Apache-2.0" in text
    assert "LEVEL     RESOLUTION  CHANNELS  RAW  CANONICAL  W PLUS ROW  GHFEAT" in text
    about = json.loads(run("describe", "generator", "tiny:seed=1", "--json").stdout)
    assert [level["level"] for level in about["levels"]][:3] == ["r4.conv", "r4.rgb", "r8.up"]
    assert about["size"] == 32


def test_images_are_written_as_one_grid(run):
    result = run("generate", "-g", "tiny", "--seeds", "0-7", "--size", "16", "--columns", "2", "--out", "x/grid.png")
    assert result.stdout == "x/grid.png\n"
    assert np.asarray(Image.open("x/grid.png")).shape == (4 * 18 - 2, 2 * 18 - 2, 3)


def test_the_same_command_writes_the_same_file(run):
    for name in ("a.png", "b.png"):
        run("generate", "-g", "tiny", "--seeds", "3,4", "--noise", "random", "--out", name)
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_a_conditional_file_takes_a_label(run):
    torch.manual_seed(0)
    save_generator(Path("c.safetensors"), StyleGAN2({4: 8, 8: 6}, z_dim=5, w_dim=7, labels=3), licence="")
    for label in "02":
        run("generate", "-g", "c.safetensors", "--seeds", "0-1", "--label", label, "--out", f"{label}.png")
    assert Path("0.png").read_bytes() != Path("2.png").read_bytes()
    with pytest.raises(UsageError, match="3"):
        run("generate", "-g", "c.safetensors", "--out", "x.png")


def test_a_checkpoint_is_converted_and_used(run):
    generator = tiny_generator(4)
    torch.save({"generator_smooth": {"a": torch.zeros(2)}, "encoder": {"b": torch.ones(3)}}, "web.pth")
    report = json.loads(run("convert", "web.pth", "--network", "encoder", "--out", "e.safetensors", "--json").stdout)
    assert (report["source_format"], report["plain"]) == ("genforce", ["encoder"])
    text = run("convert", "web.pth", "--network", "encoder", "--out", "e.safetensors", "--licence", "mine").stdout
    assert text == "e.safetensors\nformat: genforce\nplain arrays: encoder\nlicence: mine\n"
    save_generator(Path("g.safetensors"), generator, licence="")
    run("generate", "-g", "g.safetensors", "--seeds", "1", "--out", "one.png")
    run("generate", "-g", "tiny:seed=4", "--seeds", "1", "--out", "two.png")
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("generate", "-g", "tiny", "--out", "x.jpg"), UsageError, r"x\.jpg"),
        (("generate", "-g", "tiny", "--out", "x.png", "--seeds", "9-1"), UsageError, "9-1"),
        (("generate", "-g", "tiny", "--out", "x.png", "--label", "1"), UsageError, "classes"),
        (("generate", "-g", "tiny", "--out", "x.png", "--device", "nowhere"), UsageError, "nowhere"),
        (("generate", "-g", "absent.pkl", "--out", "x.png"), MissingError, r"absent\.pkl"),
        (("describe", "generator", "tinyy"), UsageError, "tinyy"),
        (("convert", "absent.pt", "--out", "x.safetensors"), MissingError, r"absent\.pt"),
    ],
)
def test_usage_errors_write_no_file(run, arguments, error, message):
    with pytest.raises(error) as raised:
        run(*arguments)
    assert re.search(message, str(raised.value))
    assert not list(Path().glob("x*"))


SLOW = '''
import time
from ghbench.generators.tiny import tiny_generator

class Slow:
    """Takes its time."""

    def spec(self): ...

    def load(self):
        print("loading", flush=True)
        time.sleep(60)
'''


@pytest.mark.skipif(not GHBENCH.is_file(), reason="the ghbench script is not installed")
def test_an_interrupt_leaves_no_file_and_no_traceback(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    command = [GHBENCH, "generate", "-g", "./slow.py:Slow", "--out", "x.png"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, text=True, env=environment, **pipes) as process:
        assert process.stdout.readline() == "loading\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert [path.name for path in tmp_path.glob("*.png")] == []


def test_a_folder_gets_one_file_a_seed_and_a_grid_that_is_too_large_is_refused_before(run, monkeypatch):
    run("generate", "-g", "tiny", "--seeds", "0-4,7", "--out", "many")
    assert sorted(path.name for path in Path("many").iterdir()) == [f"seed-{n:010d}.png" for n in (0, 1, 2, 3, 4, 7)]
    run("generate", "-g", "tiny", "--seeds", "3", "--out", "one.png")
    one, same = (np.asarray(Image.open(path)).astype(int) for path in ("one.png", "many/seed-0000000003.png"))
    assert abs(one - same).max() <= 1
    assert "seed 3" in Image.open("many/seed-0000000003.png").text["Description"]
    monkeypatch.setattr("ghbench.generators.pictures.free_memory", lambda: 10_000)
    with pytest.raises(UsageError, match="memory") as refused:
        run("generate", "-g", "tiny", "--seeds", "0-4", "--out", "grid.png")
    assert "FOLDER" in refused.value.fix
    run("generate", "-g", "tiny", "--seeds", "0-4", "--out", "many")


def test_an_image_that_was_there_is_replaced_only_by_force(run):
    Image.new("RGB", (4, 4)).save("mine.png")
    with pytest.raises(UsageError) as refused:
        run("generate", "-g", "tiny", "--seeds", "0", "--out", "mine.png")
    assert "--force" in refused.value.fix
    run("generate", "-g", "tiny", "--seeds", "0", "--out", "mine.png", "--force")
    Path("network.safetensors").write_bytes(b"of another program")
    with pytest.raises(UsageError, match="did not make it"):
        run("convert", "absent.pkl", "--out", "network.safetensors")
