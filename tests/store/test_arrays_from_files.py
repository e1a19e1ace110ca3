"""Array files: what NumPy writes of plain numbers is read; anything else is refused from its headers."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest

from ghbench.errors import DataError
from ghbench.store.arrays_from_files import SINGLE, array_headers, map_array, read_arrays

VALUES = np.arange(12, dtype=np.float32).reshape(4, 3)
HONEST = {
    "float64": VALUES.astype(np.float64),
    "float16": VALUES.astype(np.float16),
    "big-endian": VALUES.astype(">f4"),
    "Fortran order": np.asfortranarray(VALUES),
    "integers": VALUES.astype(np.int64),
    "no dimension": np.array(1.0, np.float32),
    "no rows": VALUES[:0],
    "text": np.array(["a", "bc"]),
    "bytes": np.array([b"a", b"bc"]),
}


def npy(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def header(text, length=117):
    return b"\x93NUMPY\x01\x00" + (length + 1).to_bytes(2, "little") + text.encode().ljust(length) + b"\n"


def npz(members, method=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", method) as archive:
        warnings.simplefilter("ignore")  # a name that stands twice
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize("kind", HONEST)
@pytest.mark.parametrize("packed", [None, np.savez, np.savez_compressed])
def test_plain_arrays_of_every_layout_are_read(kind, packed, tmp_path):
    path = tmp_path / "without a suffix"
    if packed is None:
        path.write_bytes(npy(HONEST[kind]))
    else:
        packed(tmp_path / "x.npz", **{SINGLE: HONEST[kind]})
        (tmp_path / "x.npz").rename(path)
    array = read_arrays(path)[SINGLE]
    np.testing.assert_array_equal(array, HONEST[kind])
    assert array_headers(path) == {SINGLE: (array.shape, array.dtype)}
    if packed is None:
        np.testing.assert_array_equal(map_array(path), HONEST[kind])
        assert not map_array(path).flags.writeable


GOOD = npy(VALUES)
REFUSED = {
    "objects": npy(np.array([{}, 1], dtype=object), allow_pickle=True),
    "records": npy(np.zeros(3, dtype=[("a", "f4"), ("ü", "f4")])),
    "dates": npy(np.array(["2020-01-01"], dtype="M8[D]")),
    "complex numbers": npy(VALUES.astype(complex)),
    "text of no length": header("{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,), }"),
    "sixteen terabytes": header("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 1000000000000), }"),
    "a shape beyond any number": header("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 1e400), }"),
    "a size of a hundred digits": header("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 1%s), }" % ("0" * 40)),
    "a negative size": header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4), }") + GOOD,
    "a size that is a truth": header("{'descr': '<f4', 'fortran_order': False, 'shape': (True,), }") + GOOD,
    "a header cut off": header("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 1"),
    "a header that is no dictionary": header("[]"),
    "a nested header": header("(" * 5_000, 5_001),
    "a header of text": header("'" + "a" * 60_000 + "'", 60_002),
    "a dtype that is none": header("{'descr': 'x', 'fortran_order': False, 'shape': (4,), }") + GOOD,
    "an unknown version": b"\x93NUMPY\x09\x00" + GOOD[8:],
    "an array cut off": GOOD[:-1],
    "nothing": b"",
    "a text": b"hello",
    "another member": npz([("a.npy", GOOD), ("b.txt", b"x")]),
    "a member twice": npz([("a.npy", GOOD), ("a.npy", GOOD)]),
    "a member of objects": npz([("a.npy", npy(np.array([{}]), allow_pickle=True))]),
    "a bzip2 bomb": npz([("a.npy", GOOD + bytes(2**20))], zipfile.ZIP_BZIP2),
    "an lzma bomb": npz([("a.npy", GOOD + bytes(2**20))], zipfile.ZIP_LZMA),
    "many empty members": npz([(f"{index}.npy", b"") for index in range(5_000)]),
}


@pytest.mark.parametrize("reader", [read_arrays, array_headers, map_array])
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_plain_array_is_refused(kind, reader, tmp_path):
    (tmp_path / "x").write_bytes(REFUSED[kind])
    with pytest.raises(DataError, match="x"):
        reader(tmp_path / "x")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.npy")
    for reader in (read_arrays, array_headers, map_array):
        with pytest.raises(DataError, match="named pipe"):
            reader(tmp_path / "x.npy")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in kilobytes on Linux")
def test_a_small_file_that_unpacks_to_gigabytes_is_refused_in_little_memory(tmp_path):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as member:
        member.write(header("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 8388608), }"))
        for _ in range(64):
            member.write(bytes(2**21))
    assert path.stat().st_size < 2**20
    code = (
        "import sys; from pathlib import Path; from ghbench.errors import DataError\n"
        "from ghbench.store.arrays_from_files import read_arrays\n"
        "try: read_arrays(Path(sys.argv[1]))\n"
        "except DataError as error: print(error)\n"
        "print(int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert "unpacks to 134 MB" in done.stdout
    assert int(done.stdout.split()[-1]) < 120


def test_damaged_files_raise_nothing_but_our_errors(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "x"
    stream = io.BytesIO()
    np.savez_compressed(stream, a=VALUES, ids=np.array(["a", "bc", "d", "e"]))
    refused = 0
    for content in (GOOD, npy(np.asfortranarray(VALUES)), npz([("a.npy", GOOD)]), stream.getvalue()):
        for _ in range(150):
            damaged = bytearray(content)
            for place in rng.integers(0, len(content), rng.integers(1, 4)):
                damaged[place] = rng.integers(256)
            path.write_bytes(damaged[: None if rng.random() < 0.8 else rng.integers(len(damaged))])
            for reader in (read_arrays, array_headers):
                try:
                    assert all(isinstance(name, str) for name in reader(path))
                except DataError:
                    refused += 1
    assert refused > 100
