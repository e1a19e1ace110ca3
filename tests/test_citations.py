"""What to cite: everything of ours is in the bibliography or needs nothing, and results name all that they rest on."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ghbench import citations, registry
from ghbench.results import files

ROOT = Path(__file__).parents[1]
NOTHING = {
    "extractor": {"pixels", "thumbnail", "random-projection", "random-directions", "imported", "pca", "trained"},
    "task": {"attributes", "interventions", "luminance", "pairs", "rooms"},
    "dataset": {
        "generated-pairs", "imagefolder", "moved-faces", "pairs", "renders", "resampled", "sprite-pairs", "sprites",
    },
    "generator": {"tiny"},
    "recipe": set(),
}  # fmt: skip
"""Plugins whose own part needs no citation: pixels, folders of yours, images drawn by code or by a generator."""


def keys(used):
    return [entry.key for entry in citations.entries(used)]


@pytest.mark.parametrize("kind", registry.KINDS)
def test_everything_of_ours_is_cited_or_needs_nothing(kind):
    ours = {plugin.name for plugin in registry.plugins(kind) if plugin.package == registry.OURS}
    uses = {use for entry in citations.bibliography() for use in entry.uses}
    cited = {use.partition("/")[2] for use in uses if use.startswith(f"{kind}/")}
    assert ours - cited == NOTHING[kind]
    assert kind == "dataset" or cited <= ours, "an entry is for a plugin that does not exist"


def test_datasets_that_trained_published_rows_are_cited():
    seen = {
        name.partition("#")[0]
        for path in (ROOT / "leaderboards").glob("*/*.json")
        for name in files.load(path).subject.training.get("datasets", ())
    }
    cited = {use.partition("/")[2] for entry in citations.bibliography() for use in entry.uses}
    ours = {"renders-train", "sprites", "sprite-pairs"}
    assert seen - cited == {*ours, "mnist"}  # mnist-10k shares mnist's paper and is named beside it


def test_entries_are_whole():
    found = citations.bibliography()
    assert len({entry.key for entry in found}) == len(found) == citations.BIBLIOGRAPHY.read_text().count("\n@")
    for entry in found:
        assert entry.bibtex.count("{") == entry.bibtex.count("}")
        assert "ghbench = " not in entry.bibtex
        fields = set(re.findall(r"^  (\w+) = ", entry.bibtex, re.MULTILINE))
        assert fields >= {"title", "author", "version" if entry.key == "ghbench" else "year"}


def test_the_toolkit_is_cited_as_its_citation_file_says():
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    toolkit = citations.bibliography()[0].bibtex
    assert f"title = {{{said['title']}}}" in toolkit
    assert f"version = {{{said['version']}}}" in toolkit
    titles = "".join(entry.bibtex for entry in citations.bibliography()).replace("{", "").replace("}", "")
    for paper in said["references"]:
        assert paper["title"] in titles


def test_a_published_row_names_all_that_it_rests_on():
    (path,) = [
        path for path in (ROOT / "leaderboards" / "discovery").glob("sefa-*.json")
        if files.load(path).subject.spec_string == "sefa"
    ]  # fmt: skip
    assert keys(citations.used_by_result(files.load(path))) == [
        "ghbench", "zhu2023contrafeat", "shen2021sefa", "karras2019stylegan", "karras2020stylegan2",
        "belousov2021mobilestylegan", "king2009dlib",
    ]  # fmt: skip


def test_options_and_what_taught_the_weights_are_cited_too():
    used = citations.used_by_plugin("mobilenet-v2:similarity=within,similarity.generator=dcgan-faces")
    assert keys(used) == [
        "ghbench", "radford2016dcgan", "bae2023digiface", "sandler2018mobilenetv2", "hatch2006wccn",
        "russakovsky2015imagenet",
    ]  # fmt: skip
    assert "xiao2017fashionmnist" in keys(citations.used_by_plugin("knn:dataset=fashion-mnist"))


def test_another_packages_plugin_is_cited_by_its_own_words():
    entry = citations.entries({("extractor", "my-net"): "A. Author & B. Author, My_Net, 2025"})[-1]
    assert entry.bibtex == "@misc{extractor-my-net,\n  note = {A. Author \\& B. Author, My\\_Net, 2025},\n}\n"


def test_the_command_prints_bibtex_for_files_and_names():
    file = next((ROOT / "leaderboards" / "orl").glob("pixels-*.json"))
    command = [sys.executable, "-m", "ghbench", "cite", str(file), "hog"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^@\w+\{(.*),$", done.stdout, re.MULTILINE) == ["ghbench", "dalal2005hog", "samaria1994orl"]
    unknown = subprocess.run([*command[:4], "nonsense"], capture_output=True, text=True, check=False)
    assert unknown.returncode == 3
    assert "nonsense" in unknown.stderr
