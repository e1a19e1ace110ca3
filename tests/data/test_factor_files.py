"""Datasets with known factors, read from small files in each published format; and damaged or hostile ones."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
from functools import partial

import numpy as np
import pytest
from scipy.io import savemat

from ghbench import registry
from ghbench.data.factors import cars3d, mpi3d, smallnorb
from ghbench.data.factors.cars3d import Cars3d
from ghbench.data.factors.dsprites import DSprites
from ghbench.data.factors.mpi3d import Mpi3d
from ghbench.data.factors.shapes3d import Shapes3d
from ghbench.data.factors.smallnorb import SmallNorb
from ghbench.dataset import Dataset
from ghbench.digests import digest_file
from ghbench.errors import DataError, MissingError, UsageError
from ghbench.metrics.disentanglement import voting
from ghbench.running import runner
from ghbench.running.options import RunOptions
from ghbench.training.images import TrainingImages

RNG = np.random.default_rng(0)
EXECUTED = []


class Hostile:
    """Pickled into a file, it would leave a trace when it is loaded."""

    def __reduce__(self):
        return EXECUTED.append, (1,)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))


def dsprites_file(path, sizes=(1, 3, 2, 2, 2, 2), **changes):
    """A file as DeepMind publishes it, its metadata being a pickled object."""
    classes = np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1)
    images = RNG.integers(0, 2, (len(classes), 64, 64), dtype=np.uint8)
    arrays = {
        "metadata": np.array({"date": Hostile()}, dtype=object), "imgs": images, "latents_classes": classes,
        "latents_values": classes / 2 + 1, **changes,
    }  # fmt: skip
    np.savez_compressed(path, **arrays)
    return images, classes


def check(dataset, images, factors):
    """Rows are what the file has at their number, in two splits that share none."""
    assert isinstance(dataset, Dataset)
    train, test = dataset.splits["train"], dataset.splits["test"]
    assert len(set(dataset.ids)) == len(dataset) == len(train) + len(test)
    for row in (0, len(train) - 1, len(train), len(dataset) - 1):
        place = int(dataset.ids[row])
        image = images[place] if images.ndim == 4 else np.repeat(images[place][:, :, None], 3, axis=2)
        np.testing.assert_array_equal(dataset.image(row), image)
        np.testing.assert_array_equal(dataset.pixels()[row], images[place])
        np.testing.assert_array_equal(dataset.targets["factors"].values[row], factors[place])
    assert dataset.identities() == dataset.image_digests()
    assert not dataset.card().named
    assert len(TrainingImages(dataset, 64).batch(np.arange(2), "cpu")) == 2


def test_dsprites(tmp_path):
    images, classes = dsprites_file(tmp_path / "d.npz")
    dataset = DSprites(str(tmp_path / "d.npz"), train=20, test=10, published=False)
    check(dataset, images * 255, classes[:, 1:])
    assert dataset.targets["factors"].names == ("shape", "scale", "orientation", "x", "y")
    place = int(dataset.ids[3])
    np.testing.assert_array_equal(dataset.targets["factor-values"].values[3], classes[place, 1:] / 2 + 1)
    assert not EXECUTED
    again = DSprites(str(tmp_path / "d.npz"), train=20, test=10, published=False)
    assert again.ids == dataset.ids
    assert again.identities() == dataset.identities()


def shapes3d_file(path, count=40, labels=None, **options):
    h5py = pytest.importorskip("h5py")
    images = RNG.integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)
    sizes = np.array([2, 3, 2, 2, 2, 2])
    factors = RNG.integers(0, sizes, (count, 6))
    factors[0], factors[1], factors[2] = 0, 1, sizes - 1  # all values are there
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=images, compression="gzip", chunks=(7, 16, 16, 3))
        file.create_dataset("labels", data=factors * 0.1 - 0.05 if labels is None else labels)
    return images, factors


def test_shapes3d(tmp_path):
    images, factors = shapes3d_file(tmp_path / "s.h5")
    dataset = Shapes3d(str(tmp_path / "s.h5"), train=20, test=15, published=False)
    check(dataset, images, factors)
    np.testing.assert_allclose(
        dataset.targets["factor-values"].values[0], factors[int(dataset.ids[0])] * 0.1 - 0.05, atol=1e-12
    )


def test_shapes3d_without_h5py_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "s.h5").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(MissingError, match=r"ghbench\[datasets\]"):
        Shapes3d(str(tmp_path / "s.h5"))


def test_shapes3d_whose_values_lie_elsewhere_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    shapes3d_file(tmp_path / "s.h5")
    for name in ("link", "virtual", "external"):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["labels"] = np.zeros((40, 6))
            if name == "link":
                file["images"] = h5py.ExternalLink(str(tmp_path / "s.h5"), "images")
            elif name == "virtual":
                layout = h5py.VirtualLayout((40, 64, 64, 3), np.uint8)
                layout[:] = h5py.VirtualSource(str(tmp_path / "s.h5"), "images", (40, 64, 64, 3))
                file.create_virtual_dataset("images", layout)
            else:
                shape = (40, 64, 64, 3)
                file.create_dataset("images", shape, np.uint8, external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)])
        with pytest.raises(DataError, match=r"of its own|another file"):
            Shapes3d(str(tmp_path / f"{name}.h5"), published=False)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_mpi3d(tmp_path, monkeypatch, save):
    monkeypatch.setattr(mpi3d, "SIZES", {48: (2, 2, 1, 1, 3, 2, 2)})
    images = RNG.integers(0, 256, (48, 64, 64, 3), dtype=np.uint8)
    save(tmp_path / "mpi3d_toy.npz", images=images)
    dataset = Mpi3d(str(tmp_path / "mpi3d_toy.npz"), train=30, test=18, published=False)
    check(dataset, images, np.stack(np.unravel_index(np.arange(48), (2, 2, 1, 1, 3, 2, 2)), axis=1))


@pytest.fixture
def cars(tmp_path, monkeypatch):
    """Two cars of a few pixels, in a folder and in an archive that has them in another order, among other files."""
    monkeypatch.setattr(cars3d, "SIDE", 8)
    monkeypatch.setattr(cars3d, "SHAPE", (8, 8, 3, 24, 4))
    folder, images = tmp_path / "cars", {}
    folder.mkdir()
    for name in ("car_001_mesh", "car_002_mesh"):
        images[name] = RNG.integers(0, 256, (8, 8, 3, 24, 4), dtype=np.uint8)
        savemat(folder / f"{name}.mat", {"im": images[name], "mask": images[name][:, :, 0]}, do_compression=True)
    with tarfile.open(tmp_path / "cars.tar.gz", "w:gz") as archive:
        archive.add(folder / "car_002_mesh.mat", "data/cars/car_002_mesh.mat")
        archive.add(folder / "car_001_mesh.mat", "data/cars/car_001_mesh.mat")
        archive.add(folder / "car_001_mesh.mat", "data/sprites/sprite_1.mat")
    return folder, tmp_path / "cars.tar.gz", np.stack(list(images.values()))


def test_cars3d_from_its_folder_and_from_its_archive(cars):
    folder, archive, images = cars
    flat = images.transpose(0, 4, 5, 1, 2, 3).reshape(-1, 8, 8, 3)
    factors = np.stack(np.unravel_index(np.arange(192), (2, 24, 4)), axis=1)[:, ::-1]
    found = [Cars3d(str(path), train=100, test=92, published=False) for path in (folder, archive)]
    for dataset in found:
        assert dataset.image(0).shape == (8, 8, 3)
        row = int(dataset.ids[5])
        np.testing.assert_array_equal(dataset.image(5), flat[row])
        np.testing.assert_array_equal(dataset.targets["factors"].values[5], factors[row])
    assert found[0].identities() == found[1].identities()


def test_damaged_cars_are_refused(cars, tmp_path):
    folder, archive, _ = cars
    content = archive.read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="whole archive"):
        Cars3d(str(tmp_path / "cut.tar.gz"), 1, 1, published=False)
    path = folder / "car_001_mesh.mat"
    cells = np.empty(2, object)
    cells[:] = "a", "b"
    for wrong in ({"im": cells}, {"im": np.zeros((8, 8, 3, 24, 4))}, {"other": np.zeros(3, np.uint8)}):
        savemat(path, wrong)
        with pytest.raises(DataError, match="is not a car"):
            Cars3d(str(folder), 10, 10, published=False).identities()
    for wrong in (b"", pickle.dumps(Hostile()), content[:2000]):
        path.write_bytes(wrong)
        with pytest.raises(DataError, match="is not a car"):
            Cars3d(str(folder), 10, 10, published=False).identities()
    assert not EXECUTED


def matrix(values, magic):
    sizes = [*values.shape, 1, 1][: max(3, values.ndim)]
    return struct.pack(f"<II{len(sizes)}i", magic, values.ndim, *sizes) + values.tobytes()


@pytest.fixture
def norb(tmp_path):
    """Both halves, the first gzipped."""
    images, tables = [], []
    for half, part in enumerate(smallnorb.PARTS):
        pairs = RNG.integers(0, 256, (12, 2, 96, 96), dtype=np.uint8)
        category = RNG.integers(0, 5, 12).astype("<i4")
        told = np.stack([RNG.integers(0, size, 12) for size in (10, 9, 18, 6)], axis=1).astype("<i4") * [1, 1, 2, 1]
        told = told.astype("<i4")
        byte, integer = 0x1E3D4C55, 0x1E3D4C54
        for kind, values, magic in (("dat", pairs, byte), ("cat", category, integer), ("info", told, integer)):
            content = matrix(values, magic)
            name = f"{part}-{kind}.mat"
            (tmp_path / (name if half else f"{name}.gz")).write_bytes(content if half else gzip.compress(content))
        images.append(pairs[:, 0])
        tables.append(np.stack([category, told[:, 1], told[:, 2] // 2, told[:, 3]], axis=1))
    return tmp_path, np.concatenate(images), np.concatenate(tables)


def test_smallnorb(norb):
    folder, images, factors = norb
    dataset = SmallNorb(str(folder), train=14, test=10, published=False)
    check(dataset, images, factors)
    assert dataset.targets["factor-values"].names[:2] == ("category", "instance")


def test_damaged_matrices_are_refused(norb):
    folder, *_ = norb
    path = folder / f"{smallnorb.PARTS[1]}-dat.mat"
    whole = path.read_bytes()
    for wrong in (
        b"",
        whole[:10],
        b"\0" + whole[1:],
        whole[:4] + struct.pack("<I", 99) + whole[8:],
        b"\x1f\x8b" + whole,
    ):
        path.write_bytes(wrong)
        with pytest.raises(DataError, match="NORB's format"):
            SmallNorb(str(folder), 4, 4, published=False)
    for wrong in (whole[:-1], whole + b"0"):
        path.write_bytes(wrong)
        with pytest.raises(DataError, match=r"ends in row 11|longer than"):
            SmallNorb(str(folder), 4, 4, published=False).identities()
    many = struct.pack("<II4i", 0x1E3D4C55, 4, 2**31 - 1, 2, 96, 96)
    path.write_bytes(many)
    with pytest.raises(DataError, match="declares 2,147,483,647 images"):
        SmallNorb(str(folder), 4, 4, published=False)
    path.unlink()
    with pytest.raises(MissingError, match="six files"):
        SmallNorb(str(folder), 4, 4, published=False)


def test_damaged_and_hostile_npz_files_are_refused(tmp_path):
    path = tmp_path / "d.npz"
    objects = np.empty((48, 64, 64), object)
    for changes, told in (
        ({"imgs": objects}, "not plain numbers"),
        ({"imgs": np.zeros((48, 32, 32), np.uint8)}, "expected uint8"),
        ({"imgs": np.zeros((48, 64, 64), np.float32)}, "expected uint8"),
        ({"latents_classes": np.zeros((47, 6), np.int64)}, "latents_classes"),
        ({"latents_classes": np.full((48, 6), -1)}, "no numbers of values"),
        ({"imgs": np.asfortranarray(np.zeros((48, 64, 64), np.uint8))}, "C order"),
    ):
        dsprites_file(path, **changes)
        with pytest.raises(DataError, match=told):
            DSprites(str(path), 10, 10, published=False)
    dsprites_file(path, imgs=np.full((48, 64, 64), 7, np.uint8))
    with pytest.raises(DataError, match="values above 1"):
        DSprites(str(path), 10, 10, published=False).identities()
    np.savez(path, imgs=np.zeros((48, 64, 64), np.uint8))
    with pytest.raises(DataError, match="no array 'latents_classes'"):
        DSprites(str(path), 10, 10, published=False)
    dsprites_file(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"not a \.npy or \.npz"):
        DSprites(str(path), 10, 10, published=False)
    assert not EXECUTED


def test_a_damaged_array_leaves_no_copy_behind(tmp_path):
    """A flipped byte in the middle is found by the archive's own checksum, after the header was read."""
    path = tmp_path / "mpi.npz"
    images = RNG.integers(0, 256, (48, 64, 64, 3), dtype=np.uint8)
    np.savez(path, images=images)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mpi3d, "SIZES", {48: (2, 2, 1, 1, 3, 2, 2)})
        dataset = Mpi3d(str(path), 24, 24, published=False)
        for _ in range(2):
            with pytest.raises(DataError, match="CRC"):
                dataset.image(0)


def test_damaged_hdf5_files_are_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "s.h5"
    shapes3d_file(path)
    content = path.read_bytes()
    for wrong in (b"", content[:3000], b"PK" + content[2:]):
        path.write_bytes(wrong)
        with pytest.raises(DataError, match="HDF5"):
            Shapes3d(str(path), 10, 10, published=False)
    shapes3d_file(path, labels=np.full((40, 6), np.nan))
    with pytest.raises(DataError, match="not finite"):
        Shapes3d(str(path), 10, 10, published=False)
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (2**40, 64, 64, 3), np.uint8, chunks=(1, 64, 64, 3))
        file.create_dataset("labels", (2**40, 6), np.float64, chunks=(1, 6))
    with pytest.raises(DataError, match="declares"):
        Shapes3d(str(path), 10, 10, published=False)


def test_only_the_published_file_goes_by_its_name(tmp_path, monkeypatch):
    path = tmp_path / "s.h5"
    shapes3d_file(path)
    with pytest.raises(DataError, match="has 40 images; shapes3d has 480,000"):
        Shapes3d(str(path))
    monkeypatch.setattr(Shapes3d, "total", 40)
    with pytest.raises(DataError, match="not the published file: its sha256 is"):
        Shapes3d(str(path), 20, 20).identities()
    monkeypatch.setattr(Shapes3d, "checksums", {Shapes3d.file: digest_file(path)})
    published = Shapes3d(str(path), 20, 20)
    assert len(published.identities()) == 40
    assert published.card().named


@pytest.mark.parametrize("kind", [DSprites, Shapes3d, Mpi3d, Cars3d, SmallNorb])
def test_a_missing_file_says_where_to_get_it(kind, tmp_path):
    for path in (None, str(tmp_path / "nothing")):
        with pytest.raises(MissingError) as error:
            kind(path)
        assert error.value.exit_code == 3
        assert kind.address in str(error.value)


def test_no_more_rows_than_there_are(tmp_path):
    dsprites_file(tmp_path / "d.npz")
    for train, test in ((48, 1), (-1, 4), (0, 0)):
        with pytest.raises(UsageError, match="of the 48 images"):
            DSprites(str(tmp_path / "d.npz"), train, test, published=False)


def test_the_task_on_a_file_that_moves(tmp_path, monkeypatch):
    """Two places, one result."""
    for name in ("factor_vae", "beta_vae"):
        monkeypatch.setattr(voting, name, partial(getattr(voting, name), train=300, test=150, batch=16))
    dsprites_file(tmp_path / "d.npz", sizes=(1, 3, 4, 4, 4, 4))
    digests = []
    for place in (tmp_path / "d.npz", tmp_path / "moved.npz"):
        own = "ghbench.data.factors.dsprites:DSprites,dataset.train=150,dataset.test=250,dataset.published=false"
        task = registry.build("task", f"disentanglement:dataset={own},dataset.path={place}")
        result = runner.run("thumbnail:size=4", task, RunOptions())
        assert 0 <= next(metric.value for metric in result.metrics if metric.metric == "mig") < 0.5
        digests.append(result.digest)
        place.rename(tmp_path / "moved.npz")
    assert digests[0] == digests[1]


def test_a_stream_of_zeros_is_read_in_parts(tmp_path):
    """What unpacks a thousandfold is no reason to refuse dSprites, whose images do."""
    from ghbench.store.arrays_from_files import array_parts, read_arrays

    content = io.BytesIO()
    np.savez_compressed(content, imgs=np.zeros((30_000, 64, 64), np.uint8))
    (tmp_path / "z.npz").write_bytes(content.getvalue())
    with pytest.raises(DataError, match="times its size"):
        read_arrays(tmp_path / "z.npz")
    assert sum(len(part) for part in array_parts(tmp_path / "z.npz", "imgs", 4_096)) == 30_000
