"""Tables as LaTeX, HTML, CSV and data frames, short names, and results that print readably."""

import csv
import io
from dataclasses import replace

import pytest
from ghbench_leaderboards.publish import FOLDER

from ghbench.errors import UsageError
from ghbench.results import own
from ghbench.running.request import load_task
from ghbench.tables import collect, formats, render
from ghbench.tables.names import find_system, short_names
from ghbench.tables.select import Choice, chosen_table


@pytest.fixture(scope="module")
def orl_task(orl):
    return load_task("orl")


@pytest.fixture(scope="module")
def table(orl_task):
    return chosen_table(orl_task, Choice(published=True, extractors=["dlib-face", "ghfeat", "pixels"]))


def test_latex_has_booktabs_and_bold_for_the_best_group_only(table):
    text = formats.latex(table)
    assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    assert text.count(r"\textbf{") == sum(row.rank == 1 for row in table.rows) == 1
    assert r"\textbf{.995} {\scriptsize [.975, .998]}" in text


def test_a_frame_holds_every_number_unrounded(table):
    frame = table.to_frame()
    best = table.rows[0].metric("accuracy")
    assert frame["accuracy"].iloc[0] == best.value
    assert (frame["accuracy_low"].iloc[0], frame["accuracy_high"].iloc[0]) == best.interval
    metrics = table.rows[0].entry.result.to_frame()
    assert metrics.loc[metrics["metric"] == "accuracy", "value"].item() == best.value
    assert {"low", "high", "unit"} <= set(metrics.columns)


def test_result_and_table_print_in_a_few_lines(table):
    for shown in (table, table.rows[0].entry.result):
        assert "dlib-face" in repr(shown) == str(shown)
        assert len(repr(shown).splitlines()) < 20
        assert "dlib-face" in shown._repr_html_()


def test_names_columns_and_labels_are_chosen(orl_task):
    choice = Choice(published=True, extractors=["ghfeat", "pix*"], labels=["pixels=Raw_50% <b>"], columns=["auc"])
    shown = chosen_table(orl_task, choice)
    assert {row.system for row in shown.rows} == {"ghfeat", "Raw_50% <b>"}
    assert render.markdown(shown).splitlines()[0] == "| rank | extractor | auc |"
    assert r"Raw\_50\% \textless{}b\textgreater{}" in formats.latex(shown)
    assert "Raw_50% &lt;b&gt;" in formats.html(shown)
    for wrong in (Choice(extractors=["nobody*"]), Choice(columns=["nothing"]), Choice(labels=["pixels"])):
        with pytest.raises(UsageError):
            chosen_table(orl_task, wrong)


@pytest.mark.parametrize("formula", ['=HYPERLINK("http://e")', "+1+cmd", "-1+cmd", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_csv_cell_is_a_formula(table, formula):
    named = replace(table, rows=(replace(table.rows[0], system=formula),), levels=())
    (row,) = csv.DictReader(io.StringIO(render.comma_separated(named)))
    assert row["extractor"].startswith("'")
    assert float(row["accuracy"]) > 0


def test_long_names_are_shortened_to_what_distinguishes_them():
    names = [
        "/data/a/very/long/path/net.py:Net,level=all,policy=vote,size=64",
        "/data/a/very/long/path/net.py:Net,level=all,policy=fuse,size=64",
        "pixels",
    ]
    assert short_names(names, 30) == ["net.py:Net,policy=vote", "net.py:Net,policy=fuse", "pixels"]
    tight = short_names(names, 12)
    assert len(set(tight)) == 3
    assert max(map(len, tight)) <= 12
    assert short_names(names[2:], 3) == ["p…s"]


def test_a_row_is_found_by_every_name_that_a_table_prints(orl_task):
    entries, _ = collect("orl", FOLDER, published=False)
    full = "ghfeat:level=all,policy=vote-z"
    (short,) = [name for name in short_names([full, "ghfeat:level=all,policy=vote", "ghfeat"], 24) if "-z" in name]
    for name in (full, short, f"{full} (3)", f"ghbench/{full}"):
        assert find_system(entries, name, orl_task)[0].result.subject.spec_string == full
    entry, level = find_system(entries, "ghfeat @ rgb", orl_task)
    assert (level, entry.result.features.policy) == ("rgb", "each")
    with pytest.raises(UsageError, match="can mean"):
        find_system(entries, "ghfeat:policy=vote", orl_task)


def test_own_results_are_found_renamed_and_removed(tmp_path):
    folder = tmp_path / "orl"
    folder.mkdir()
    for path in (FOLDER / "orl").glob("pixels-*"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "broken-00000000.json").write_text("{")
    broken, kept = own.kept_results(tmp_path)
    assert broken.result is None
    renamed = own.rename(kept.path, kept.result, "Raw pixels")
    assert renamed.digest == kept.result.digest
    (found,) = own.find_results(["Raw*"], tmp_path)
    own.remove(found)
    assert [path.name for path in folder.iterdir()] == ["broken-00000000.json"]


def test_a_warning_about_a_level_stands_at_that_level_only(table):
    row = table.rows[0]
    told = ("Net, level layers.0: effective rank 1.55", "a note on all")
    entry = replace(row.entry, result=row.entry.result.model_copy(update={"warnings": list(told)}))
    remarks = {level: render.remark(replace(row, entry=entry, level=level), None) for level in (None, "layers.0", "x")}
    assert {level: told[0] in text for level, text in remarks.items()} == {None: True, "layers.0": True, "x": False}
    assert all(told[1] in text for text in remarks.values())
