"""What names a result: the content of data, weights and source, never where they lie or how a path is written."""

import shutil

import pytest

from ghbench.errors import UsageError
from ghbench.extraction import ExtractionOptions
from ghbench.results import files
from ghbench.running import runner
from ghbench.running.keys import identity_of_extractor, identity_of_task
from ghbench.spec_string import at_any_path, parse
from ghbench.store import FeatureStore
from ghbench.tables import collect

OWN = """
from pathlib import Path
import numpy as np
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord

class Scaled:
    def __init__(self, weights: str):
        self.scale = np.float32(Path(weights).read_text())

    def spec(self):
        return ExtractorSpec(name="scaled", version="1", levels=(Level("pixels", 48),), default_levels=("pixels",),
                             preprocessing=Preprocessing((4, 4)), weights_digest="never changes",
                             training=TrainingRecord(), licence="none")

    def extract(self, images):
        return {"pixels": images.reshape(len(images), -1).astype(np.float32) * self.scale + 1}
"""


@pytest.fixture
def here(lfw_tree, monkeypatch):
    """A working directory with `lfw/`, `my.py` and `w.txt`."""
    folder = lfw_tree.parent
    (folder / "my.py").write_text(OWN)
    (folder / "w.txt").write_text("0.5")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def options(tmp_path_factory):
    apart = tmp_path_factory.mktemp("apart")
    return runner.RunOptions(
        store=FeatureStore(apart / "store"), results=apart / "results", extraction=ExtractionOptions(workers=0)
    )


def results(options):
    return list(options.results.glob("*/*.json"))


def test_one_content_is_one_result_wherever_it_lies(here, options, monkeypatch):
    first = runner.run("./my.py:Scaled,weights=w.txt", "pairs:path=lfw/pairs.txt,images=lfw", options)
    (here / "link").symlink_to(here / "lfw")
    (here / "same.txt").write_text("0.5")
    shutil.copy("my.py", "copy.py")
    ways = [
        ("./my.py:Scaled,weights=./w.txt", "pairs:path=./lfw/pairs.txt,images=./lfw"),
        (f"{here}/my.py:Scaled,weights={here}/w.txt", f"pairs:path={here}/lfw/pairs.txt,images={here}/lfw"),
        ("./copy.py:Scaled,weights=same.txt", "pairs:path=link/pairs.txt,images=link"),
    ]
    for extractor, task in ways:
        assert runner.run(extractor, task, options).digest == first.digest
    moved = here.parent / f"{here.name}-moved"
    here.rename(moved)
    monkeypatch.chdir(moved)
    again = runner.run("./my.py:Scaled,weights=w.txt", "pairs:path=lfw/pairs.txt,images=lfw", options)
    assert (again.digest, again.metrics) == (first.digest, first.metrics)
    assert again.task.name == f"pairs:images={moved}/lfw,path={moved}/lfw/pairs.txt"  # as named now
    assert len(results(options)) == 1
    assert len(list(options.store.root.glob("*/manifest.json"))) == 1


def test_other_weights_source_or_images_under_one_name_are_another_result(here, options):
    def run():
        return runner.run("./my.py:Scaled,weights=w.txt", "pairs:path=lfw/pairs.txt,images=lfw", options).digest

    digests = [run()]
    (here / "w.txt").write_text("0.25")
    digests.append(run())
    (here / "my.py").write_text(OWN + "# changed\n")
    digests.append(run())
    shutil.copy("lfw/Cy_Ng/Cy_Ng_0001.jpg", "lfw/Ann_Lee/Ann_Lee_0003.jpg")
    digests.append(run())
    assert len(set(digests)) == len(results(options)) == 4


def test_a_table_holds_what_was_run_on_the_content_that_its_task_names_now(here, options):
    task = f"pairs:images={here}/lfw,path={here}/lfw/pairs.txt"
    first = runner.run("./my.py:Scaled,weights=w.txt", task, options)
    shutil.copytree("lfw", "other")
    shutil.copy("lfw/Cy_Ng/Cy_Ng_0001.jpg", "other/Ann_Lee/Ann_Lee_0003.jpg")
    other = f"pairs:images={here}/other,path={here}/other/pairs.txt"
    second = runner.run("./my.py:Scaled,weights=w.txt", other, options)
    for name, expected in ((task, first), (other, second)):
        (entry,), notes = collect(name, options.results, published=False)
        assert entry.result.digest == expected.digest
        assert "on other images" in notes[0]
    (here / "lfw").rename(here / "moved")
    (entry,), _ = collect(f"pairs:images={here}/moved,path={here}/moved/pairs.txt", options.results, published=False)
    assert entry.result.digest == first.digest


def test_options_that_only_look_like_paths_and_plain_words_stand_for_themselves(here):
    (here / "all").write_text("a file that happens to have an option's name")
    assert identity_of_extractor(parse("hog:cells=all")) == "hog:cells=all"
    assert identity_of_task("orl:pairs=all") == "orl:pairs=all"
    assert identity_of_extractor(parse("a:pattern=/x/")) != identity_of_extractor(parse("a:pattern=/y/"))
    assert identity_of_task("no spec: string") == "no spec: string"


def test_no_name_is_too_long_for_a_file_system(tmp_path):
    long = "reconstruction:dataset=imagefolder,dataset.path=/" + "/".join(["a" * 250, "b" * 250])
    failure = files.failure_path(files.task_folder(long), "Net" * 100, "ghbench run", tmp_path)
    result = files.result_path(files.task_folder("t" * 400), "Net" * 100, "0" * 64, tmp_path)
    for path in (failure, result):
        assert all(len(part) < 255 for part in path.parts)
    assert files.slug("a" * 400) != files.slug("a" * 401)
    assert at_any_path(long) == "reconstruction:dataset=imagefolder,dataset.path=PATH"


def test_names_that_are_not_utf8_are_refused():
    with pytest.raises(UsageError, match="is not UTF-8"):
        parse("imagefolder:path=/photos/caf\udce9")
