"""Members come out of archives exactly as declared; everything an archive could do to the machine is refused."""

import lzma
import tarfile
import tracemalloc
import zipfile

import pytest

from ghbench.assets import containers, manifest
from ghbench.errors import DataError

CONTENT = b"weights " * 1000


@pytest.fixture
def unpack(toy, tmp_path):
    """Extract the declared member `a.bin` (at `pkg/a.bin`) from the bytes of an archive."""

    def run(name, archive, content=CONTENT, **declared):
        toy(content, 'kind = "user"\nfilename = "x"\nhint = "x"', **declared)
        (tmp_path / name).write_bytes(archive)
        out = tmp_path / "out"
        out.mkdir()
        return containers.extract(tmp_path / name, manifest.get("toy"), out)

    return run


@pytest.mark.parametrize("suffix", ["whl", "zip", "tar.gz", "tgz", "tar.bz2", "tar.xz", "tar", "deb"])
def test_every_kind_of_container_gives_the_same_member(unpack, archives, tmp_path, suffix):
    entries = [("pkg/other.txt", b"not wanted"), ("pkg/a.bin", CONTENT)]
    if suffix in {"whl", "zip"}:
        archive = archives.zip(entries)
    elif suffix == "deb":
        archive = archives.deb([(f"./{name}", content) for name, content in entries])
    else:
        archive = archives.tar(entries, {"tgz": "gz", "tar": ""}.get(suffix, suffix.rpartition(".")[2]))
    found = unpack(f"box.{suffix}", archive)
    assert found["a.bin"].size == len(CONTENT)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.bin"]
    assert (tmp_path / "out" / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize("path", ["../evil", "pkg/../../evil", "/etc/evil", "C:\\evil", "pkg\\..\\evil"])
def test_unsafe_paths_condemn_the_whole_archive(unpack, archives, kind, path):
    entries = [(path, b"evil"), ("pkg/a.bin", CONTENT)]
    archive = archives.zip(entries) if kind == "zip" else archives.tar(entries)
    with pytest.raises(DataError, match="unsafe"):
        unpack(f"box.{kind}", archive)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_member_that_is_a_link_or_device_in_a_tar_is_refused(unpack, archives, kind):
    info = tarfile.TarInfo("pkg/a.bin")
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(DataError, match="link"):
        unpack("box.tar.gz", archives.tar([(info, b"")]))


def test_a_member_that_is_a_link_in_a_zip_is_refused(unpack, archives):
    info = zipfile.ZipInfo("pkg/a.bin")
    info.external_attr = 0o120777 << 16
    with pytest.raises(DataError, match="link"):
        unpack("box.zip", archives.zip([(info, b"/etc/passwd")]))


@pytest.mark.parametrize("kind", ["zip", "tar.bz2"])
def test_a_member_never_writes_more_than_its_declared_size(unpack, archives, tmp_path, kind):
    entries = [("pkg/a.bin", bytes(8 << 20))]
    archive = archives.zip(entries) if kind == "zip" else archives.tar(entries, "bz2")
    with pytest.raises(DataError, match="8000 bytes"):
        unpack(f"bomb.{kind}", archive)
    assert (tmp_path / "out" / "a.bin").stat().st_size <= len(CONTENT)


def test_entries_that_nobody_wants_count_against_the_cap_too(unpack, archives, monkeypatch):
    monkeypatch.setattr(containers, "LARGEST_CONTAINER", 1 << 20)
    with pytest.raises(DataError, match="1048576"):
        unpack("bomb.tar.gz", archives.tar([("pad", bytes(4 << 20)), ("pkg/a.bin", CONTENT)]))


def sparse_map():
    """A file of GNU's sparse format 1.0, whose map of 10 million entries takes no space when it is compressed."""
    info = tarfile.TarInfo("pkg/a.bin")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1"}
    return info, b"10000000\n" + b"1\n" * (4 << 20)


def long_name(size):
    info = tarfile.TarInfo("././@LongLink")
    info.type = tarfile.GNUTYPE_LONGNAME
    return info, bytes(size)


def old_sparse():
    info = tarfile.TarInfo("pkg/a.bin")
    info.type = tarfile.GNUTYPE_SPARSE
    return info, b""


def xz_of_a_large_window(content):
    return lzma.compress(content, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}])


HUNGRY = {
    "a long name": ("tar.gz", lambda make: make.tar([long_name(64 << 20)])),
    "a map of a sparse file": ("tar.gz", lambda make: make.tar([sparse_map()])),
    "an old sparse file": ("tar.gz", lambda make: make.tar([old_sparse()])),
    "a window of half a gigabyte": (
        "tar.xz",
        lambda make: xz_of_a_large_window(make.tar([("pkg/a.bin", CONTENT)], "")),
    ),
    "a header that leads back to itself": ("deb", lambda _: b"!<arch>\n" + b"x".ljust(48) + b"-60".ljust(12)),
}


@pytest.mark.parametrize("kind", HUNGRY)
def test_a_small_archive_that_asks_for_much_is_refused_in_little_memory(unpack, archives, kind):
    suffix, make = HUNGRY[kind]
    archive = make(archives)
    assert len(archive) < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            unpack(f"box.{suffix}", archive)
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_is_decompressed_without_a_bound_is_refused(unpack, tmp_path, method):
    with zipfile.ZipFile(tmp_path / "made", "w", method) as archive:
        archive.writestr("pkg/a.bin", CONTENT)
    with pytest.raises(DataError, match="compression"):
        unpack("box.zip", (tmp_path / "made").read_bytes())


def test_a_member_that_occurs_twice_is_refused(unpack, archives):
    with pytest.raises(DataError, match=r"duplicate.*a\.bin"):
        unpack("box.tar.gz", archives.tar([("pkg/a.bin", CONTENT), ("./pkg/a.bin", CONTENT)]))


def test_a_changed_member_is_refused(unpack, archives):
    with pytest.raises(DataError, match=r"sha256 of a\.bin"):
        unpack("box.zip", archives.zip([("pkg/a.bin", CONTENT[:-1] + b"!")]))


def test_a_missing_member_is_named(unpack, archives):
    with pytest.raises(DataError, match=r"a\.bin"):
        unpack("box.zip", archives.zip([("pkg/b.bin", CONTENT)]))


@pytest.mark.parametrize("name", ["box.zip", "box.tar.gz", "box.tar.bz2", "box.tar.xz", "box.tar", "box.deb"])
def test_bytes_that_are_no_archive_are_an_error_of_the_data(unpack, name):
    with pytest.raises(DataError, match=r"box\."):
        unpack(name, b"not an archive at all" * 100)


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "deb"])
def test_a_truncated_archive_is_an_error_of_the_data(unpack, archives, kind):
    entries = [("pkg/a.bin", bytes(range(256)) * 4000)]
    whole = {"zip": archives.zip, "tar.gz": archives.tar, "deb": archives.deb}[kind](entries)
    with pytest.raises(DataError):
        unpack(f"box.{kind}", whole[: len(whole) // 2], content=entries[0][1])


def test_a_tree_takes_only_what_its_pattern_names_and_checks_all_of_it(declare, archives, tmp_path):
    files = {"s1/1.pgm": b"one", "s2/1.pgm": b"two"}
    noise = [
        ("root/s1/target.jpg", b"no member"),
        ("root/s1/deep/2.pgm", b"too deep"),
        ("other/s1/1.pgm", b"elsewhere"),
    ]
    digest = containers.tree_digest({"s1/1.pgm": _sha(b"one"), "s2/1.pgm": _sha(b"two")})
    text = (
        '[t]\nversion = "1"\ntitle = ""\nlicence = ""\ncitation = ""\n[t.tree]\nroot = "root/"\ninclude = "s*/*.pgm"\n'
        'count = 2\nsha256 = "{}"\n[[t.sources]]\nkind = "user"\nfilename = "x"\nhint = ""\n'
    )
    declare(text.format(digest))
    box = tmp_path / "box.zip"
    box.write_bytes(archives.zip([*noise, *((f"root/{name}", content) for name, content in files.items())]))
    (tmp_path / "out").mkdir()
    assert containers.extract(box, manifest.get("t"), tmp_path / "out").keys() == files.keys()

    declare(text.format("0" * 64))
    (tmp_path / "again").mkdir()
    with pytest.raises(DataError, match="0" * 64):
        containers.extract(box, manifest.get("t"), tmp_path / "again")


def _sha(content):
    import hashlib

    return hashlib.sha256(content).hexdigest()
