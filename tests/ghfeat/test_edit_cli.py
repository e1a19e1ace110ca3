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
        (("reconstruct", "seed:0", "--refine", "2", "--both", "--perceptual", "none"), (1, 3)),
        (("mix", "photo.png", "--with", "seed:1-2"), (2, 8)),
        (("mix", "seed:0", "--with", "photo.png", "--levels", "r4-r8", "--levels", "1+7"), (1, 5)),
        (("global", "photo.png", "--with", "seed:1-2", "--with", "photo.png", "--levels", "r8"), (2, 5)),
        (("local", "seed:0", "--with", "seed:1", "--mask", "0,0.5,1,1", "--levels", "r8", "--levels", "3"), (3, 4)),
        (("harmonize", "seed:0-1", "--with", "photo.png", "--mask", "0,0.5,1,1"), (2, 5)),
        (("harmonize", "seed:0", "--with", "seed:1", "--mask", "photo.png", "--refine", "1", "--both"),
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
        (("reconstruct", "seed:0", "--refine", "0", "--both", "--out", "x.png"), UsageError, "refines none"),
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
    monkeypatch.setattr("ghbench.generators.shipped_weights.shipped_file", lambda name: tmp_path / name)
    with pytest.raises(MissingError) as raised:
        run("reconstruct", "photo.png", "--out", "x.png", weights=False)
    assert "make train-ghfeat" in raised.value.fix


def test_the_input_is_never_replaced_and_other_images_only_by_force(run):
    photograph = Path("photo.png").read_bytes()
    Image.new("RGB", (4, 4)).save("other.png")
    box = ("--mask", "0,0.5,1,1")
    for arguments in (("reconstruct", "photo.png"), ("harmonize", "seed:0", "--with", "seed:1", "--mask", "photo.png")):
        with pytest.raises(UsageError, match="input"):
            run(*arguments, "--out", "photo.png", "--force")
    assert Path("photo.png").read_bytes() == photograph
    arguments = ("harmonize", "seed:0", "--with", "photo.png", *box, "--out", "other.png")
    with pytest.raises(UsageError) as refused:
        run(*arguments)
    assert "--force" in refused.value.fix
    run(*arguments, "--force")
    run(*arguments)  # it is ours now


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("reconstruct", "photo.png", "seed:1"), ["photo-error", "seed-1-error"]),
        (("mix", "seed:0", "--with", "seed:1-2", "--levels", "r4"), ["seed-0-with-seed-1", "seed-0-with-seed-2"]),
        (("global", "photo.png", "--with", "seed:1-2", "--levels", "r8"), ["photo-r8-seed-1", "photo-r8-seed-2"]),
        (("harmonize", "seed:0", "--with", "seed:1", "--mask", "0,0,1,0.5"), ["seed-1-into-seed-0"] * 2),
    ],
)  # fmt: skip
def test_a_folder_gets_one_image_a_result_named_after_its_seed(run, arguments, names):
    paths = [Path(line) for line in run(*arguments, "--out", "made").stdout.splitlines()]
    assert sorted(paths) == sorted(Path("made").iterdir())
    assert len(paths) == len(names)
    assert all(path.name.startswith(name) for path, name in zip(paths, names, strict=True))
    assert {np.asarray(Image.open(path)).shape for path in paths} == {(32, 32, 3)}


def test_a_single_result_has_neither_inputs_nor_labels(run):
    run("mix", "seed:0", "--with", "seed:1", "--levels", "r4", "--single", "--out", "one.png")
    assert np.asarray(Image.open("one.png")).shape == (32, 32, 3)
    with pytest.raises(UsageError, match="2"):
        run("reconstruct", "seed:0-1", "--single", "--out", "two.png")
    run("harmonize", "seed:0", "--with", "seed:1", "--mask", "0,0,1,0.5", "--refine", "0", "--single", "--out", "h.png")
    assert np.asarray(Image.open("h.png")).shape == (32, 32, 3)


def test_more_results_than_one_are_refused_before_they_are_made(run, monkeypatch):
    monkeypatch.setattr("ghbench.ghfeat.editing.grids.mix_sheet", lambda *_: pytest.fail("made"))
    with pytest.raises(UsageError, match="there are 10"):
        run("mix", "seed:0-1", "--with", "seed:1", "--single", "--out", "two.png")


def test_faces_are_pasted_back_into_photographs_of_their_own_size(run):
    size = Image.open("photo.png").size
    run(
        "reconstruct", "photo.png", "--single", "--paste", "--refine", "1", "--perceptual", "none", "--out", "whole.png"
    )
    assert Image.open("whole.png").size == size
    with pytest.raises(UsageError, match="grid"):
        run("reconstruct", "photo.png", "--paste", "--refine", "0", "--out", "grid.png")
    with pytest.raises(UsageError, match="none is given"):
        run("reconstruct", "seed:0", "--paste", "--single", "--out", "seed.png")


def test_a_poor_reconstruction_is_said_with_its_error_and_the_share_of_the_mask_too(run):
    result = run("harmonize", "photo.png", "--with", "seed:1", "--mask", "0,0.5,1,1", "--refine", "0", "--out", "x.png")
    assert re.search(r"photo is poor: squared error \d\.\d+ .*--refine", result.stderr)
    assert "50.0%" in result.stderr
    assert (
        "poor" not in run("reconstruct", "photo.png", "--refine", "1", "--perceptual", "none", "--out", "y.png").stderr
    )
