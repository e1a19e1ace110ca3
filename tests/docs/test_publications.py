"""One manifest says what is published: its pages are what the results give, and publishing leaves nothing else."""

import subprocess
import sys
from dataclasses import replace

import pytest
from ghbench_leaderboards.publish import FOLDER, Page, page_text, publish, published_pages

from ghbench.registry import OURS
from ghbench.results import files
from ghbench.running.request import load_task, subject_request
from ghbench.tables import collect, published_folder, rank_table, render

PAGES = published_pages()
pages = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


def test_the_folder_holds_what_the_manifest_lists():
    assert published_folder() == FOLDER
    assert {path.name for path in FOLDER.glob("*.md")} - {"README.md"} == {page.file for page in PAGES.values()}
    tasks = [files.task_folder(load_task(page.task).name) for page in PAGES.values()]
    assert len(set(tasks)) == len(tasks)
    assert {path.parent.name for path in FOLDER.glob("*/*.json")} == set(tasks)


@pages
def test_task_and_systems_are_named_as_results_name_them(page):
    task = load_task(page.task)
    assert task.name == page.task
    theirs = foreign(collect(page.task, FOLDER, published=False)[0])
    for system in page.systems:
        if system not in theirs:
            assert str(subject_request(system, task)) == system


def foreign(entries):
    """Spec strings of rows whose plugins other packages register, which need not be installed here."""
    return {entry.result.subject.spec_string for entry in entries if entry.result.subject.package != OURS}


def test_rows_of_other_packages_are_named_by_their_results():
    entry, *_ = collect("orl", FOLDER, published=False)[0]
    subject = entry.result.subject.model_copy(update={"package": "my-features", "spec_string": "my-features"})
    stranger = replace(entry, result=entry.result.model_copy(update={"subject": subject}))
    assert foreign([entry, stranger]) == {"my-features"}


@pages
def test_a_published_table_holds_its_systems_and_its_reference_rows(page):
    entries, notes = collect(page.task, FOLDER, published=False)
    references = {row.name for row in load_task(page.task).references} if page.references else set()
    assert notes == []
    assert {entry.result.subject.spec_string for entry in entries} == {*page.systems, *references}


@pages
def test_a_published_page_is_what_the_command_prints(page):
    entries, notes = collect(page.task, FOLDER, published=False)
    table = rank_table(page.task, entries, notes)
    text = (FOLDER / page.file).read_text(encoding="utf-8")
    assert text == page_text(table)
    assert text.startswith(render.markdown(table))


def test_publishing_writes_results_and_page_and_removes_what_is_no_longer_listed(orl, tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    page = Page("small.md", "orl:pairs=official", ("thumbnail:size=4",), references=False)
    stale = [tmp_path / "orl-pairs=official" / name for name in ("old-12345678.json", "old-12345678.parquet")]
    stale[0].parent.mkdir()
    for path in stale:
        path.write_text("{}")
    other = tmp_path / "orl" / "old-12345678.json"
    other.parent.mkdir()
    other.write_text("{}")
    publish(page, tmp_path)
    (entry,), notes = collect("orl:pairs=official", tmp_path, published=False)
    assert notes == []
    assert entry.result.subject.spec_string == "thumbnail:size=4"
    assert {path.suffix for path in stale[0].parent.iterdir()} == {".json", ".parquet"}
    assert len(list(stale[0].parent.iterdir())) == 2
    assert other.exists(), "another page's results"
    assert render.cell(entry.result.metric("accuracy")) in (tmp_path / "small.md").read_text()


def test_a_failed_system_leaves_the_published_results_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    kept = tmp_path / "orl" / "old-12345678.json"
    kept.parent.mkdir()
    kept.write_text("{}")
    with pytest.raises(SystemExit) as refused:
        publish(Page("orl.md", "orl", ("thumbnail:nonsense=1",), references=False), tmp_path)
    assert refused.value.code == 2
    assert kept.exists()
    assert not (tmp_path / "orl.md").exists()


def test_an_unknown_page_is_refused_with_the_known_ones():
    command = [sys.executable, str(FOLDER / "publish.py"), "orll"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert all(name in done.stderr for name in ("orll", *PAGES))
