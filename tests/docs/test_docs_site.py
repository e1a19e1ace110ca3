"""The pages build as a site without a warning, each plugin has its page, and nothing is asked of another server."""

import re
from pathlib import Path

import pytest

from ghbench import registry

ROOT = Path(__file__).parents[2]
RESOURCE = re.compile(r"<(?:link|script|img|iframe|source)[^>]*?(?:href|src)=\"?(https?:)?//", re.IGNORECASE)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("material", reason="needs the extra docs")
    pytest.importorskip("mkdocstrings", reason="needs the extra docs")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GHBENCH_OFFLINE", "1")
        config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True)
        # Raises where a page warns: a dead link, a heading that is not there, a page that nothing leads to.
        build(config)
    return folder


def test_every_plugin_of_ours_has_a_page(site):
    for kind in ("task", "extractor"):
        for plugin in registry.plugins(kind):
            if plugin.package == registry.OURS:
                page = site / "plugins" / f"{kind}s" / f"{plugin.name}.html"
                assert f"<code>{plugin.name}</code>" in page.read_text()


def test_pages_show_what_plugins_say(site):
    task = (site / "plugins" / "tasks" / "orl.html").read_text()
    assert all(word in task for word in ("tar@far=1e-1", "untrained network", "leaderboards/orl.html"))
    extractor = (site / "plugins" / "extractors" / "mobilenet-v2.html").read_text()
    assert all(word in extractor for word in ("stage4", "imagenet-1k", "BSD-3-Clause"))
    reference = (site / "reference" / "python.html").read_text()
    assert all(f'id="ghbench.api.{name}"' in reference for name in ("run", "evaluate", "leaderboard"))


def test_what_pages_link_to_outside_of_docs_is_part_of_the_site(site):
    assert "dlib-face" in (site / "repository" / "leaderboards" / "orl.html").read_text()
    assert (site / "repository" / "ghbench" / "seeds.py.html").exists()
    assert 'href="repository/leaderboards/orl.html"' in (site / "index.html").read_text()


def test_all_published_results_are_part_of_the_site(site):
    assert 'href="results/index.html"' in (site / "leaderboards.html").read_text()
    matrix = (site / "results" / "index.html").read_text()
    assert all(re.search(rf'href="systems/{name}', matrix) for name in ("ghfeat", "mobilenet-v2", "pixels"))


def test_the_search_works_in_a_page_that_was_opened_from_a_file(site, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait

    browser.get((site / "plugins" / "tasks" / "orl.html").as_uri())
    box = WebDriverWait(browser, 20).until(lambda page: page.find_element(By.NAME, "query"))
    browser.execute_script("arguments[0].focus()", box)
    box.send_keys("bootstrap")
    found = WebDriverWait(browser, 20).until(lambda page: page.find_elements(By.CLASS_NAME, "md-search-result__link"))
    assert found
    assert browser.get_log("browser") == []


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.rglob("*.html"):
        assert not RESOURCE.search(page.read_text(encoding="utf-8")), page
