"""Image-file datasets: digests are computed once, and computed again exactly when a file may have changed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ghbench.data import image_files
from ghbench.data.image_files import ImageEntry, ImageFiles
from ghbench.dataset import Dataset, DatasetCard, Target, content_digest, labels
from ghbench.digests import digest_file, digest_lines
from ghbench.errors import DataError
from ghbench.imaging import decode, pixel_digest

CARD = DatasetCard(name="toy", title="Toy", licence="CC0-1.0", citation="", source="made here")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


@pytest.fixture
def entries(tmp_path) -> list[ImageEntry]:
    rng = np.random.default_rng(3)
    made = []
    for number in range(4):
        path = tmp_path / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)).save(path)
        made.append(ImageEntry(f"p{number}", path, "ab"[number % 2]))
    return made


@pytest.fixture
def decoded(monkeypatch) -> list[Path]:
    """Files that were decoded for digests."""
    seen: list[Path] = []

    def counting(path: Path) -> np.ndarray:
        seen.append(path)
        return decode(path)

    monkeypatch.setattr(image_files, "decode", counting)
    return seen


def test_it_is_a_dataset_with_random_access(entries):
    dataset = ImageFiles(CARD, entries)
    assert isinstance(dataset, Dataset)
    assert len(dataset) == 4
    assert dataset.ids == ("p0", "p1", "p2", "p3")
    assert (labels(dataset).names, labels(dataset).values.tolist()) == (("a", "b"), [0, 1, 0, 1])
    assert dataset.splits["all"].tolist() == [0, 1, 2, 3]
    assert np.array_equal(dataset.image(2), decode(entries[2].path))
    assert dataset.image_digests()[2] == pixel_digest(dataset.image(2))
    assert dataset.identities()[2] == digest_file(entries[2].path)


def test_identities_are_of_the_files_and_decode_nothing(entries, decoded):
    entries[0].path.write_bytes(b"no image at all")
    dataset = ImageFiles(CARD, entries)
    content_digest(dataset)
    assert len(set(dataset.identities())) == 4
    assert not decoded


def test_a_second_run_reads_no_file(entries, monkeypatch):
    first = ImageFiles(CARD, entries).identities()
    monkeypatch.setattr(image_files, "digest_file", lambda path: "read again")
    assert ImageFiles(CARD, entries).identities() == first


@pytest.mark.parametrize("digests", [ImageFiles.identities, ImageFiles.image_digests])
def test_a_file_of_equal_size_and_time_is_another_file(entries, digests, tmp_path):
    before = digests(ImageFiles(CARD, entries))
    path, other = entries[1].path.with_suffix(".ppm"), tmp_path / "new.ppm"
    times = []
    for file, value in ((path, 10), (other, 20)):
        Image.new("RGB", (5, 5), (value, value, value)).save(file)
        times.append(file.stat())
    os.utime(other, ns=(times[0].st_atime_ns, times[0].st_mtime_ns))
    entries[1] = ImageEntry("p1", path, "b")
    first = digests(ImageFiles(CARD, entries))
    other.rename(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (times[0].st_size, times[0].st_mtime_ns)
    second = digests(ImageFiles(CARD, entries))
    assert len({before[1], first[1], second[1]}) == 3


def test_a_second_run_decodes_nothing(entries, decoded):
    first = ImageFiles(CARD, entries).image_digests()
    assert len(decoded) == 4
    assert ImageFiles(CARD, entries).image_digests() == first
    assert len(decoded) == 4


@pytest.mark.parametrize("change", ["content", "time", "place"])
def test_a_changed_file_is_decoded_again(entries, decoded, change, tmp_path):
    ImageFiles(CARD, entries).image_digests()
    path = entries[1].path
    if change == "content":
        Image.new("RGB", (50, 50)).save(path)
    elif change == "time":
        os.utime(path, ns=(1, 1))
    else:
        moved = path.rename(tmp_path / "moved.png")
        entries[1] = ImageEntry("p1", moved, "b")
    again = ImageFiles(CARD, entries).image_digests()
    assert len(decoded) == 8
    assert again[1] == pixel_digest(decode(entries[1].path))


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"image_digests": ["x"]}', '{"image_digests": [1, 2, 3, 4]}'])
def test_a_damaged_cache_file_is_made_again(entries, cache, damage):
    right = ImageFiles(CARD, entries).image_digests()
    (file,) = cache.iterdir()
    file.write_text(damage)
    assert ImageFiles(CARD, entries).image_digests() == right
    assert json.loads(file.read_text())["image_digests"] == list(right)


def test_pixel_digests_ignore_the_file_format_and_the_content_digest_ignores_the_place(entries, tmp_path):
    whole = ImageFiles(CARD, entries)
    moved, reformatted = [], []
    for entry in entries:
        other = tmp_path / "elsewhere" / entry.path.name
        other.parent.mkdir(exist_ok=True)
        moved.append(ImageEntry(entry.id, Path(shutil.copy(entry.path, other)), entry.label))
        Image.open(entry.path).save(other.with_suffix(".ppm"))
        reformatted.append(ImageEntry(entry.id, other.with_suffix(".ppm"), entry.label))
    assert content_digest(ImageFiles(CARD, moved)) == content_digest(whole)
    assert ImageFiles(CARD, reformatted).image_digests() == whole.image_digests()
    assert content_digest(ImageFiles(CARD, reformatted)) != content_digest(whole)


def test_the_content_digest_covers_order_and_targets(entries):
    points = np.zeros((4, 3, 2))
    others = [
        ImageFiles(CARD, entries),
        ImageFiles(CARD, entries[::-1]),
        ImageFiles(CARD, [ImageEntry(entry.id, entry.path, "a") for entry in entries]),
        ImageFiles(CARD, entries, label_names=("a", "b", "c")),
        ImageFiles(CARD, entries, targets={"points": Target("points", points, "pixels")}),
        ImageFiles(CARD, entries, targets={"points": Target("points", points + 1, "pixels")}),
        ImageFiles(CARD, entries, targets={"points": Target("points", points, "radians")}),
    ]
    assert len(set(map(content_digest, others))) == len(others)


def test_a_broken_file_is_named(entries):
    entries[2].path.write_bytes(entries[2].path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"2\.png cannot be decoded"):
        ImageFiles(CARD, entries).image_digests()


def test_a_file_that_vanished_is_named(entries):
    entries[3].path.unlink()
    with pytest.raises(DataError, match=r"3\.png cannot be read"):
        ImageFiles(CARD, entries).image_digests()


def test_ids_are_unique_labels_are_for_all_and_there_is_at_least_one_picture(entries):
    with pytest.raises(DataError, match="'p0' stands twice"):
        ImageFiles(CARD, [entries[0], entries[0]])
    with pytest.raises(DataError, match="'x' of dataset 'toy' has no label"):
        ImageFiles(CARD, [entries[0], ImageEntry("x", entries[1].path)])
    with pytest.raises(DataError, match="no images"):
        ImageFiles(CARD, [])


def test_line_breaks_and_tabs_in_file_names_give_no_two_datasets_one_digest(tmp_path, entries):
    def dataset(*ids):
        return ImageFiles(CARD, [ImageEntry(name, entry.path) for name, entry in zip(ids, entries, strict=False)])

    split = [
        dataset("a\tb", "c"),
        dataset("a", "b\tc"),
        dataset("a\nb", "c"),
        dataset("a", "b\nc"),
        dataset("a\\nb", "c"),
    ]
    assert len({content_digest(one) for one in split}) == len(split)
    assert len({digest_lines(one.ids) for one in split}) == len(split)
    assert digest_lines(["a\nb"]) != digest_lines(["a", "b"]) != digest_lines(["a\\nb"])


def test_a_file_name_that_is_not_utf8_is_refused(entries):
    with pytest.raises(DataError, match=r"'caf\\udce9\.png' of dataset 'toy' is not UTF-8"):
        ImageFiles(CARD, [ImageEntry("caf\udce9.png", entries[0].path)])
