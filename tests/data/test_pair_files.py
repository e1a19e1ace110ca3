"""LFW's pair format: what it says is what is read, and every departure is an error with file, line and expectation."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ghbench import registry
from ghbench.data.lfw import Lfw
from ghbench.data.pair_files import PairImages, pair_list, read_pairs, write_pairs
from ghbench.dataset import labels
from ghbench.errors import DataError, MissingError

GOOD = ["2\t1", "Ann\t1\t2", "Ann\t1\tBo\t2", "Cy\t2\t3", "Cy\t1\tBo\t1"]


def written(folder: Path, lines: list[str]) -> Path:
    path = folder / "pairs.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_header_folds_and_names_are_read(tmp_path):
    pairs = read_pairs(written(tmp_path, GOOD))
    assert pairs.people == ("Ann", "Bo", "Cy")
    assert pairs.pictures.tolist() == [[[0, 1], [0, 2]], [[0, 1], [1, 2]], [[2, 2], [2, 3]], [[2, 1], [1, 1]]]
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.fold.tolist() == [0, 0, 1, 1]


def test_the_development_format_is_one_fold(tmp_path):
    pairs = read_pairs(written(tmp_path, ["2", "A\t1\t2", "B\t1\t2", "A\t1\tB\t1", "A\t2\tB\t2"]))
    assert pairs.fold.tolist() == [0, 0, 0, 0]
    assert pairs.same.tolist() == [True, True, False, False]


def test_a_file_without_header_is_one_fold_in_any_order(tmp_path):
    pairs = read_pairs(written(tmp_path, ["A\t1\tB\t1", "A\t1\t2", "B\t1\t2"]))
    assert pairs.fold.tolist() == [0, 0, 0]
    assert pairs.same.tolist() == [False, True, True]


def test_spaces_separate_where_there_are_no_tabs_and_line_ends_do_not_matter(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf1 1\r\nAnn 1 2\r\nAnn 1 Bo 2\r\n\r\n")
    assert read_pairs(tmp_path / "a.txt").people == ("Ann", "Bo")
    (tmp_path / "b.txt").write_text("1\t1\nAnn Lee\t1\t2\nAnn Lee\t1\tBo\t2\n")
    assert read_pairs(tmp_path / "b.txt").people == ("Ann Lee", "Bo")


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (1, "Ann\t1", "line 2: 2 columns; expected 3 .* or 4"),
        (1, "Ann\t1\tBo\t2\t3", "line 2: 5 columns; expected 3"),
        (1, "Ann\tone\t2", "line 2: image number is 'one'; expected a whole number from 1"),
        (1, "Ann\t0\t2", "line 2: image number is '0'"),
        (1, f"Ann\t1\t{'9' * 5000}", "line 2: image number is '9+'; expected .* of 18 digits at most"),
        (1, "Ann\t2\t2", "line 2: image 2 of 'Ann' is paired with itself; expected two images"),
        (3, "Ann\t2\t1", "line 4: the same pair as in line 2; expected each pair once"),
        (4, "Bo\t2\tAnn\t1", "line 5: the same pair as in line 3"),
        (2, "Ann\t1\tBo\t-2", "line 3: image number is '-2'"),
        (2, "Ann\t1\tAnn\t2", "line 3: a mismatched pair names 'Ann' twice"),
        (2, "Ann\t1\t2", "line 3: fold 1 has 0 mismatched pairs before this line; expected 1"),
        (3, "Cy\t1\tBo\t2", "line 4: fold 2 has 0 matched pairs before this line; expected 1"),
        (0, "2\tx", "line 1: number of pairs a class is 'x'"),
        (0, "0\t1", "line 1: number of folds is '0'"),
        (0, "3\t1", "line 5: the file ends after 0 pairs of fold 3; expected 3 folds of 1 matched and 1 mismatched"),
        (0, "1\t1", "line 4: a line too many; expected 1 x 2 x 1 pairs"),
    ],
)
def test_a_wrong_line_is_an_error_naming_file_line_and_expectation(tmp_path, line, text, message):
    path = written(tmp_path, [*GOOD[:line], text, *GOOD[line + 1 :]])
    with pytest.raises(DataError, match=rf"pairs\.txt, {message}"):
        read_pairs(path)


def test_a_missing_empty_or_binary_file_is_an_error(tmp_path):
    with pytest.raises(MissingError, match=r"gone\.txt does not exist"):
        read_pairs(tmp_path / "gone.txt")
    with pytest.raises(DataError, match=r"pairs\.txt is empty"):
        read_pairs(written(tmp_path, [""]))
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"b\.txt is not a text file"):
        read_pairs(tmp_path / "b.txt")


def test_all_repeated_pairs_are_named_by_line(tmp_path):
    lines = ["Ann\t1\t2", "Ann\t1\tBo\t1", "Bo\t1\tAnn\t1", *["Ann\t2\t1"] * 6]
    with pytest.raises(DataError, match=r"lines 3, 4, 5, 6, 7 and 2 more: the same pair as in lines 2, 1, 1, 1, 1 and"):
        read_pairs(written(tmp_path, lines))


def faces(root: Path, *pictures: str) -> Path:
    """Images by `folder/stem`, each another colour."""
    for shade, name in enumerate(pictures):
        path = root / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (10 * shade, 0, 0)).save(path)
    return root


def test_image_numbers_may_be_dates(tmp_path):
    root = faces(tmp_path / "faces", "A/A_202401310801", "A/A_20240229", "B/B_1")
    path = written(tmp_path, ["A\t202401310801\t20240229", "A\t20240229\tB\t1"])
    dataset = PairImages(path, root)
    assert dataset.ids == ("A/20240229", "A/202401310801", "B/0001")
    assert dataset.pairs.rows.tolist() == [[1, 0], [0, 2]]
    assert read_pairs(path).resolve(dataset).rows.tolist() == [[1, 0], [0, 2]]


@pytest.mark.parametrize("listed", ["NFC", "NFD"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_a_name_is_found_in_either_spelling(tmp_path, listed, stored):
    listed_name, stored_name = (unicodedata.normalize(form, "Zoé") for form in (listed, stored))
    root = faces(tmp_path / "faces", f"{stored_name}/{stored_name}_1", f"{stored_name}/{stored_name}_2", "B/B_1")
    dataset = PairImages(written(tmp_path, [f"{listed_name}\t1\t2", f"{listed_name}\t1\tB\t1"]), root)
    assert dataset.ids == ("B/0001", "Zo\u00e9/0001", "Zo\u00e9/0002")


def test_two_spellings_of_one_name_are_refused_where_both_exist(tmp_path):
    one, other = (unicodedata.normalize(form, "Zoé") for form in ("NFC", "NFD"))
    root = faces(tmp_path / "faces", f"{one}/{one}_1", f"{other}/{other}_2")
    if len(list(root.iterdir())) == 1:
        pytest.skip("this file system knows one spelling only")
    with pytest.raises(DataError, match="in two spellings"):
        PairImages(written(tmp_path, [f"{one}\t1\t2"]), root)
    with pytest.raises(DataError, match="in two spellings"):
        registry.build("dataset", f"imagefolder:path={root}")


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    root = faces(tmp_path / "faces", "A/A_1", "B/B_1")
    for pipe in (tmp_path / "pipe.txt", root / "A" / "A_2.png"):
        os.mkfifo(pipe)
    with pytest.raises(DataError, match=r"pipe\.txt is a named pipe"):
        read_pairs(tmp_path / "pipe.txt")
    with pytest.raises(DataError, match=r"A_2\.png is a named pipe"):
        PairImages(written(tmp_path, ["A\t1\tB\t1"]), root)


@settings(deadline=None)  # a busy machine is no error
@given(folds=st.integers(1, 4), count=st.integers(1, 5), seed=st.integers(0, 99))
def test_what_is_written_is_read_again(tmp_path_factory, folds, count, seed):
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(folds):
        for matched in [True] * count + [False] * count:
            left, right = rng.choice(["Ann_Lee", "Bo", "Cy", "Di"], 2, replace=False)
            number = 2 * len(pairs) + 1  # so that no pair is drawn twice
            pairs.append(((left, number), (left if matched else right, number + 1)))
    made = pair_list(pairs, np.repeat(range(folds), 2 * count).tolist(), source="test")
    path = tmp_path_factory.mktemp("pairs") / "pairs.txt"
    write_pairs(path, made)
    again = read_pairs(path)
    assert again.people == made.people
    assert np.array_equal(again.pictures, made.pictures)
    assert np.array_equal(again.fold, made.fold)


@pytest.mark.parametrize(
    "order",
    [[(("A", 1), ("B", 1)), (("A", 1), ("A", 2))], [(("A", 1), ("A", 2))], []],
    ids=["mismatched first", "unbalanced", "none"],
)
def test_pairs_that_the_format_cannot_hold_are_not_written(tmp_path, order):
    with pytest.raises(DataError, match="do not fit the format"):
        write_pairs(tmp_path / "p.txt", pair_list(order, [0] * len(order), source="test"))
    assert not (tmp_path / "p.txt").exists()


# ---- pairs of a dataset


def test_names_become_rows_of_the_dataset(lfw_tree):
    dataset = Lfw(root=lfw_tree)
    pairs = read_pairs(lfw_tree / "pairs.txt").resolve(dataset)
    assert dataset.ids[pairs.left[2]] == "Ann_Lee/0001"
    assert dataset.ids[pairs.right[2]] == "Bo_Diaz/0001"
    assert np.array_equal(labels(dataset).values[pairs.left] == labels(dataset).values[pairs.right], pairs.same)


def test_rows_are_not_there_before_resolving(lfw_tree):
    with pytest.raises(DataError, match="have names but no rows yet"):
        _ = read_pairs(lfw_tree / "pairs.txt").left


def test_a_missing_person_is_named_with_the_line(lfw_tree):
    pairs = read_pairs(written(lfw_tree, ["1\t1", "Ann_Lee\t1\t2", "Ann_Lee\t1\tNo_One\t1"]))
    with pytest.raises(DataError, match=r"pairs\.txt, line 3: person 'No_One' is not among the images"):
        pairs.resolve(Lfw(root=lfw_tree))


@pytest.mark.parametrize("number", [4, 400])
def test_a_picture_that_does_not_exist_is_named_with_the_line(lfw_tree, number):
    pairs = read_pairs(written(lfw_tree, ["1\t1", f"Ann_Lee\t1\t{number}", "Ann_Lee\t1\tBo_Diaz\t1"]))
    expected = rf"line 2: there is no image {number} of 'Ann_Lee'; expected one of the 3 numbered 1 to 3"
    with pytest.raises(DataError, match=expected):
        pairs.resolve(Lfw(root=lfw_tree))


def test_pair_images_holds_only_the_pictures_that_the_file_names(lfw_tree):
    path = written(lfw_tree.parent, ["1\t1", "Cy_Ng\t3\t1", "Cy_Ng\t3\tBo_Diaz\t2"])
    dataset = registry.build("dataset", f"pairs:path={path},images={lfw_tree}")
    assert isinstance(dataset, PairImages)
    assert dataset.ids == ("Bo_Diaz/0002", "Cy_Ng/0001", "Cy_Ng/0003")
    assert (dataset.pairs.left.tolist(), dataset.pairs.right.tolist()) == ([2, 2], [1, 0])
    assert dataset.pairs.resolve(dataset).rows.tolist() == dataset.pairs.rows.tolist()


def test_pair_images_takes_any_kind_of_picture_but_only_one_of_each_number(lfw_tree):
    Image.new("L", (4, 4)).save(lfw_tree / "Bo_Diaz" / "Bo_Diaz_3.png")
    path = written(lfw_tree.parent, ["1\t1", "Bo_Diaz\t3\t1", "Cy_Ng\t3\tBo_Diaz\t3"])
    assert PairImages(path, lfw_tree).image(1).shape == (4, 4, 3)
    Image.new("L", (4, 4)).save(lfw_tree / "Bo_Diaz" / "Bo_Diaz_0003.pgm")
    with pytest.raises(DataError, match="are both image 3 of 'Bo_Diaz'"):
        PairImages(path, lfw_tree)
