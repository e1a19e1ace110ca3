"""`imagefolder`: class folders, flat folders, splits; nothing that is no image slips through unnamed."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from ghbench import registry
from ghbench.data.imagefolder import ImageFolder
from ghbench.dataset import labels
from ghbench.errors import DataError, MissingError


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (3, 2), len(name)).save(root / name)
    return root


def test_class_folders_become_labels_in_the_order_of_their_names(tmp_path):
    dataset = ImageFolder(tree(tmp_path, "dog/b.png", "cat/z.jpg", "dog/a.png", "cat/deep/er.webp"))
    assert dataset.ids == ("cat/deep/er.webp", "cat/z.jpg", "dog/a.png", "dog/b.png")
    assert (labels(dataset).names, labels(dataset).values.tolist()) == (("cat", "dog"), [0, 0, 1, 1])
    assert list(dataset.splits) == ["all"]
    assert dataset.image(3).shape == (2, 3, 3)


def test_a_flat_folder_has_no_labels(tmp_path):
    dataset = ImageFolder(tree(tmp_path, "b.png", "a.png", "C.PNG"))
    assert dataset.ids == ("C.PNG", "a.png", "b.png")
    assert dataset.targets == {}


def test_train_val_and_test_become_splits(tmp_path):
    dataset = ImageFolder(tree(tmp_path, "test/b/1.png", "train/a/1.png", "train/b/2.png", "val/a/3.png"))
    assert dataset.ids == ("train/a/1.png", "train/b/2.png", "val/a/3.png", "test/b/1.png")
    assert {name: rows.tolist() for name, rows in dataset.splits.items()} == {"train": [0, 1], "val": [2], "test": [3]}
    assert labels(dataset).values.tolist() == [0, 1, 0, 1]


def test_classes_that_are_called_like_splits_are_classes_if_others_stand_beside_them(tmp_path):
    dataset = ImageFolder(tree(tmp_path, "train/1.png", "plane/1.png"))
    assert labels(dataset).names == ("plane", "train")


def test_hidden_and_metadata_files_are_passed_over(tmp_path):
    tree(tmp_path, "a/1.png", ".cache/x.png", "a/._1.png", "__MACOSX/a.png")
    for name in ("README.md", "a/Thumbs.db", "a/notes.txt", "LICENSE", ".DS_Store"):
        (tmp_path / name).write_bytes(b"?")
    assert ImageFolder(tmp_path).ids == ("a/1.png",)


@pytest.mark.parametrize("name", ["a/film.mp4", "a/page", "archive.zip"])
def test_a_file_that_is_no_picture_is_named(tmp_path, name):
    (tree(tmp_path, "a/1.png") / name).write_bytes(b"?")
    with pytest.raises(DataError, match=f"{name} is not an image; expected files ending in .bmp"):
        ImageFolder(tmp_path)


def test_an_empty_class_is_named(tmp_path):
    (tree(tmp_path, "a/1.png") / "b").mkdir()
    with pytest.raises(DataError, match=r"class folder .*b holds no images"):
        ImageFolder(tmp_path)


def test_pictures_beside_class_folders_are_ambiguous(tmp_path):
    with pytest.raises(DataError, match=r"loose\.png stands beside class folders \('a'"):
        ImageFolder(tree(tmp_path, "a/1.png", "loose.png"))


def test_a_folder_that_is_not_there_or_empty_is_an_error(tmp_path):
    with pytest.raises(MissingError, match="gone is not a folder"):
        ImageFolder(tmp_path / "gone")
    with pytest.raises(DataError, match="holds no images"):
        ImageFolder(tmp_path)


def test_linked_folders_and_files_are_followed(tmp_path):
    root = tree(tmp_path / "set", "a/1.png")
    elsewhere = tree(tmp_path / "elsewhere", "x.png", "deep/y.png")
    (root / "b").symlink_to(elsewhere)
    (root / "c").symlink_to(elsewhere)  # twice the same pictures is no circle
    (root / "a/2.png").symlink_to(elsewhere / "x.png")
    assert ImageFolder(root).ids == ("a/1.png", "a/2.png", "b/deep/y.png", "b/x.png", "c/deep/y.png", "c/x.png")


@pytest.mark.parametrize(
    ("link", "target"),
    [("a/back", "."), ("a/back", ".."), ("a/back", "../.."), ("b", "."), ("train", "."), ("a/d/e", "..")],
)
def test_links_in_a_circle_are_an_error_that_names_the_link(tmp_path, link, target):
    root = tree(tmp_path / "set", "a/1.png", "a/d/2.png")
    (root / link).symlink_to(target)
    with pytest.raises(DataError, match=f"{link} leads back to .*, which it lies in; expected no circles"):
        ImageFolder(root)


def test_folders_that_link_to_each_other_are_a_circle(tmp_path):
    root = tree(tmp_path, "a/1.png", "b/2.png")
    (root / "a/other").symlink_to(root / "b")
    (root / "b/other").symlink_to(root / "a")
    with pytest.raises(DataError, match="a/other/other leads back to"):
        ImageFolder(root)


def test_the_registry_builds_it_from_a_spec_string(tmp_path):
    dataset = registry.build("dataset", f"imagefolder:path={tree(tmp_path, 'a/1.png')}")
    assert isinstance(dataset, ImageFolder)
