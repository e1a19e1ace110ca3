"""The page of errors: the worst first, images and neighbours embedded, hostile names as text, nothing replaced."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from ghbench_tasks.verification.pair_sets import every_pair, one_draw
from ghbench_tasks.verification.task import VerificationTask
from PIL import Image
from typer.testing import CliRunner

from ghbench.analysis import errors_page, write_errors_page
from ghbench.cli import app
from ghbench.data.array_images import ArrayImages
from ghbench.data.imagefolder import ImageFolder
from ghbench.dataset import labels
from ghbench.errors import UsageError
from ghbench.extractor import Decoder, Encoder
from ghbench.task import Evaluation, Metric, Role, Score
from ghbench.task_errors import ErrorList

pytest.importorskip("jinja2", reason="the page is made by jinja2")
HOSTILE = "<script>alert('x')</script>"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))


class Page(HTMLParser):
    """Tags with their attributes, and all text."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def people(tmp_path):
    """Six people, one of a hostile name, with three images of one grey each; one of the first is like the last."""
    for person in range(6):
        folder = tmp_path / "people" / (f"p{person}" if person else HOSTILE.replace("/", "_"))
        folder.mkdir(parents=True)
        for number in range(3):
            grey = 245 if (person, number) == (0, 2) else 40 * person + 5 * number + 30
            Image.new("RGB", (10, 10), (grey, grey, grey)).save(folder / f"{number}<b>.png")
    return tmp_path / "people"


def verification(people):
    images = ImageFolder(people)
    person = labels(images).values
    left, right = np.triu_indices(18, 1)
    pairs = one_draw(left, right, person[left] == person[right], np.arange(len(left)) % 3)
    return VerificationTask("tiny", lambda: images, lambda _: pairs, {"pairs": "all"}, references=())


def test_false_accepts_and_rejects_stand_there_the_worst_first(people, tmp_path):
    out = tmp_path / "errors.html"
    found = write_errors_page("pixels:size=8", verification(people), out, count=3, near=2)
    rejects = next(part for part in found.parts if part.title == "false rejects")
    ids = [{item.image.id for item in record.items} for record in rejects.records]
    hostile = HOSTILE.replace("/", "_")
    assert {f"{hostile}/0<b>.png", f"{hostile}/2<b>.png"} == ids[0]  # the darkest and the one that looks like another
    errors = [float(re.search(r"error ([0-9.]+)", record.text)[1]) for record in rejects.records]
    assert errors == sorted(errors, reverse=True)
    changeling = next(item for item in rejects.records[0].items if "2<b>" in item.image.id)
    assert [near.label for near in changeling.near] == ["p5", "p5"]
    assert all(near.other for near in changeling.near)


def test_the_file_stands_alone_and_hostile_names_are_text(people, tmp_path):
    out = tmp_path / "errors.html"
    write_errors_page("pixels:size=8", verification(people), out)
    page = Page(out)
    assert not page.all("script")
    assert not page.all("b")
    assert not page.all("link")
    assert HOSTILE.replace("/", "_") in page.text
    assert page.all("img")
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.all("img"))
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert "default-src 'none'" in policy


def test_images_that_may_not_be_passed_on_are_left_out_unless_asked_for(lfw_tree, tmp_path):
    out, task = tmp_path / "errors.html", f"lfw:root={lfw_tree}"
    write_errors_page("pixels:size=8", task, out)
    assert not Page(out).all("img")
    assert "Ann_Lee" in Page(out).text
    write_errors_page("pixels:size=8", task, out, show_images=True)
    assert Page(out).all("img")
    assert "keep this page to yourself" in Page(out).text


def test_nothing_of_the_users_is_replaced(lfw_tree, tmp_path):
    out, task = tmp_path / "mine.html", f"lfw:root={lfw_tree}"
    out.write_text("my notes")
    with pytest.raises(UsageError, match="not written by ghbench"):
        write_errors_page("pixels:size=8", task, out)
    assert out.read_text() == "my notes"
    for _ in range(2):
        write_errors_page("pixels:size=8", task, out, force="notes" in out.read_text())
    done = CliRunner().invoke(app, ["errors", "-e", "pixels:size=8", "-t", task, "--out", str(tmp_path / "page.pdf")])
    assert isinstance(done.exception, UsageError)
    done = CliRunner().invoke(app, ["errors", "-e", "pixels:size=8", "-t", task, "--out", str(out)])
    assert done.exit_code == 0, done.output


def test_nothing_is_evaluated_twice(lfw_tree, tmp_path, monkeypatch):
    out, task = tmp_path / "errors.html", f"lfw:root={lfw_tree}"
    write_errors_page("pixels:size=8", task, out)

    def refuse(*_):
        raise AssertionError("it was evaluated before")

    monkeypatch.setattr(VerificationTask, "evaluate", refuse)
    write_errors_page("pixels:size=8", task, out)


class Darkness:
    """A task of somebody else's: one record an image, whose error is how dark it is; the subject decodes."""

    name, version, metrics = "darkness", 1, (Metric("darkness", uncertainty="none", higher_is_better=False),)
    requires, policies, references = (Encoder, Decoder), ("concat",), ()

    def protocol(self):
        return {}

    def roles(self):
        grey = np.arange(0, 250, 25, dtype=np.uint8)
        images = np.broadcast_to(grey[:, None, None, None], (10, 3, 8, 8))
        return {"images": Role(ArrayImages(np.ascontiguousarray(images), "greys"))}

    def evaluate(self, inputs):
        images = inputs.datasets["images"]
        return Evaluation(pd.DataFrame({"dark": [1 - images.image(row).mean() / 255 for row in range(len(images))]}))

    def score(self, records, sample_weight=None):
        return [Score("darkness", float(records["dark"].mean()))]

    def errors(self, records):
        dark = records["dark"].to_numpy()
        return [ErrorList("darkest", "1 - mean", "images", np.arange(len(dark))[:, None], dark, {})]


def test_any_task_that_tells_its_errors_has_a_page_with_what_is_decoded(tmp_path):
    found = write_errors_page("thumbnail:size=4", Darkness(), tmp_path / "dark.html", count=2, near=1)
    (part,) = found.parts
    assert (part.count, part.shown) == (10, 2)
    assert [record.items[0].image.id for record in part.records] == ["000000", "000001"]
    assert part.records[0].items[0].decoded.uri.startswith("data:")
    assert [near.id for near in part.records[1].items[0].near] != ["000001"]


def test_a_task_that_does_not_and_levels_one_by_one_are_refused(people, tmp_path):
    class Silent(Darkness):
        errors = None

    with pytest.raises(UsageError, match="does not say"):
        write_errors_page("thumbnail:size=4", Silent(), tmp_path / "a.html")
    with pytest.raises(UsageError, match="one level"):
        write_errors_page("pixels:size=8,policy=each", verification(people), tmp_path / "a.html")


def test_pairs_without_folds_are_judged_by_the_best_threshold(people):
    task = verification(people)
    pairs = every_pair(labels(ImageFolder(people)).values)
    records = pd.DataFrame(
        {
            "left": pairs.left,
            "right": pairs.right,
            "same": pairs.same,
            "similarity": np.where(pairs.same, 0.9, 0.1),
            "draws": 1,
            "accepted": -1,
        }
    )
    assert task.errors(records) == []
    records.loc[records["same"].idxmax(), "similarity"] = 0.0
    (rejects,) = task.errors(records)
    assert (rejects.title, len(rejects.error)) == ("false rejects", 1)
    assert errors_page.RECORDS == 20
