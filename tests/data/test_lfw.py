"""LFW in its published layout, from wherever the user has it; if it is nowhere, the message says where to put what."""

from __future__ import annotations

import shutil

import pytest

from ghbench import assets, registry
from ghbench.data.lfw import Lfw
from ghbench.data.lfw_people import read_people
from ghbench.dataset import labels
from ghbench.errors import DataError, MissingError, UsageError


@pytest.fixture(autouse=True)
def user_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "lfw"


@pytest.fixture
def no_assets(monkeypatch):
    def absent(name: str, member: str | None = None) -> None:
        raise MissingError(f"no source has {name}", fix="be online")

    monkeypatch.setattr(assets, "path", absent)


def test_rows_are_sorted_by_person_then_picture(lfw_tree):
    dataset = Lfw(root=lfw_tree)
    assert dataset.ids[:4] == ("Ann_Lee/0001", "Ann_Lee/0002", "Ann_Lee/0003", "Bo_Diaz/0001")
    assert labels(dataset).names == ("Ann_Lee", "Bo_Diaz", "Cy_Ng", "Di_Roe")
    assert dataset.image(0).shape == (24, 20, 3)
    assert "fold-1" not in dataset.splits


def test_pairs_lie_beside_the_pictures(lfw_tree):
    pairs = Lfw(root=lfw_tree).pairs()
    assert pairs.fold.tolist() == [0] * 4 + [1] * 4
    assert pairs.same.tolist() == [True, True, False, False] * 2


@pytest.mark.parametrize(
    ("version", "folder"), [("original", "lfw"), ("funneled", "lfw_funneled"), ("deepfunneled", "lfw-deepfunneled")]
)
def test_the_user_folder_is_looked_at_under_the_name_of_the_archive(lfw_tree, user_folder, no_assets, version, folder):
    shutil.move(lfw_tree, user_folder / folder)
    shutil.move(user_folder / folder / "pairs.txt", user_folder / "pairs.txt")
    dataset = registry.build("dataset", f"lfw:version={version}")
    assert len(dataset) == 10
    assert len(dataset.pairs()) == 8
    other = "original" if version == "funneled" else "funneled"
    with pytest.raises(MissingError):
        Lfw(version=other)


def test_without_lfw_the_message_says_where_to_put_what(no_assets, user_folder):
    with pytest.raises(MissingError) as caught:
        Lfw()
    assert "LFW (funneled) is not on this machine: no source has lfw-funneled" in caught.value.message
    assert f"put lfw_funneled/Person_Name/Person_Name_0001.jpg into {user_folder}" in caught.value.fix
    assert "ghbench assets import lfw-funneled lfw-funneled.tgz" in caught.value.fix
    assert caught.value.exit_code == 3


def test_people_txt_gives_the_folds_of_view_2(lfw_tree):
    (lfw_tree / "people.txt").write_text("2\n2\nAnn_Lee\t3\nDi_Roe\t2\n2\nBo_Diaz\t2\nCy_Ng\t3\n")
    dataset = Lfw(root=lfw_tree)
    folds = {name: {dataset.ids[row].split("/")[0] for row in rows} for name, rows in dataset.splits.items()}
    assert folds == {"fold-1": {"Ann_Lee", "Di_Roe"}, "fold-2": {"Bo_Diaz", "Cy_Ng"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x\n", "line 1: expected the number of folds, got 'x'"),
        ("1\nAnn\t3\n", "line 2: expected the number of people in fold 1"),
        ("1\n2\nAnn\t3\n", "line 4: expected `name<TAB>pictures`, one of 2"),
        ("1\n1\nAnn 3\n", "line 3: expected `name<TAB>pictures`"),
        ("1\n1\nAnn\t3\nBo\t3\n", "line 4: a line too many"),
        ("2\n1\nAnn\t3\n1\nAnn\t3\n", "line 5: 'Ann' stands twice"),
    ],
)
def test_a_wrong_people_file_is_an_error_with_its_line(tmp_path, text, message):
    (tmp_path / "people.txt").write_text(text)
    with pytest.raises(DataError, match=rf"people\.txt, {message}"):
        read_people(tmp_path / "people.txt")


def test_an_unknown_version_names_the_known_ones():
    with pytest.raises(UsageError, match="'funneled', 'original' or 'deepfunneled'"):
        registry.build("dataset", "lfw:version=deep")


def test_a_folder_in_another_layout_is_an_error(tmp_path):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(DataError, match=r"expected Person_Name/Person_Name_0001\.jpg"):
        Lfw(root=tmp_path / "pictures")
    with pytest.raises(MissingError, match="gone is not a folder"):
        Lfw(root=tmp_path / "gone")
