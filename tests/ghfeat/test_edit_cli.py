"""`ghbench edit` as a shell sees it."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from ghbench.cli import app
from ghbench.errors import DataError, MissingError, UsageError

CELL = 132
"""Side of an image in a grid, with its gap."""


@pytest.fixture
def run(tmp_path, monkeypatch, encoder_file):
    monkeypatch.chdir(tmp_path)
    photograph = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(photograph).save("photo.png")

    def invoke(*arguments, weights=True):
        chosen = ("--weights", str(encoder_file)) if weights else ()
        result = CliRunner().invoke(app, ["edit", *arguments, *chosen])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


def cells(path):
    """Rows and columns that the grid has, labels apart."""
    height, width, _ = np.asarray(Image.open(path)).shape
    return height // CELL, width // CELL


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        (("reconstruct", "photo.png", "seed:0-1", "seed:5@0.5"), (4, 2)),
        (("reconstruct", "seed:0", "--refine", "2", "--perceptual", "none"), (1, 3)),
        (("mix", "photo.png", "--with", "seed:1-2"), (2, 8)),
        (("mix", "seed:0", "--with", "photo.png", "--levels", "r4-r8", "--levels", "1+7"), (1, 5)),
        (("global", "photo.png", "--with", "seed:1-2", "--with", "photo.png", "--levels", "r8"), (2, 5)),
        (("local", "seed:0", "--with", "seed:1", "--mask", "0,0.5,1,1", "--levels", "r8", "--levels", "3"), (3, 4)),
        (("harmonize", "seed:0-1", "--with", "photo.png", "--mask", "0,0.5,1,1"), (2, 5)),
        (("harmonize", "seed:0", "--with", "seed:1", "--mask", "photo.png", "--refine", "1", "--perceptual", "none"),
         (2, 5)),
    ],
)  # fmt: skip
def test_every_edit_writes_its_grid(run, arguments, shape):
    assert run(*arguments, "--out", "x/grid.png").stdout == "x/grid.png\n"
    assert cells("x/grid.png") == shape


def test_the_same_command_writes_the_same_file(run):
    for name in ("a.png", "b.png"):
        run("mix", "photo.png", "--with", "seed:1", "--levels", "r8", "--out", name)
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("reconstruct", "photo.png", "--out", "x.jpg"), UsageError, r"x\.jpg"),
        (("reconstruct", "absent.png", "--out", "x.png"), DataError, r"absent\.png"),
        (("reconstruct", "seed:a", "--out", "x.png"), UsageError, "seed:a"),
        (("reconstruct", "seed:3-1", "--out", "x.png"), UsageError, "3-1"),
        (("reconstruct", "photo.png", "--align", "fhq", "--out", "x.png"), UsageError, "ffhq"),
        (("reconstruct", "photo.png", "--device", "nowhere", "--out", "x.png"), UsageError, "nowhere"),
        (("reconstruct", "seed:0", "-g", "tiny:seed=1", "--out", "x.png"), DataError, "tiny:seed=1"),
        (("mix", "photo.png", "--with", "seed:0", "--levels", "r99", "--out", "x.png"), UsageError, "r99"),
        (("global", "photo.png", "--with", "seed:0", "--out", "x.png"), UsageError, "--levels"),
        (("local", "seed:0", "--with", "seed:1", "--mask", "0,0,2,1", "--out", "x.png"), UsageError, "0,0,2,1"),
        (("local", "seed:0", "--with", "seed:1", "--mask", "0,0,1,1", "--levels", "1", "--out", "x.png"), UsageError,
         "'1'"),
        (("harmonize", "seed:0-2", "--with", "seed:1-2", "--mask", "0,0,1,1", "--out", "x.png"), UsageError, "3 .* 2 "),
    ],
)  # fmt: skip
def test_usage_errors_write_no_file(run, arguments, error, message):
    with pytest.raises(error) as raised:
        run(*arguments)
    assert re.search(message, str(raised.value))
    assert not list(Path().glob("x*"))


def test_the_error_names_a_truncated_image(run):
    whole = Path("photo.png").read_bytes()
    for length in (0, 20, len(whole) // 2):
        Path("cut.png").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut\.png"):
            run("reconstruct", "photo.png", "cut.png", "--out", "x.png")


def test_missing_weights_come_with_the_command_that_trains_them(run, monkeypatch, tmp_path):
    monkeypatch.setattr("ghbench.ghfeat.files.shipped.shipped_file", lambda name: tmp_path / name)
    with pytest.raises(MissingError) as raised:
        run("reconstruct", "photo.png", "--out", "x.png", weights=False)
    assert "make train-ghfeat" in raised.value.fix
