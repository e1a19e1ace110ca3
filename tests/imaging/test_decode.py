"""Every kind of image file has one stated outcome; every kind of damage is an error that names the file."""

from __future__ import annotations

import io
import os
import socket
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from ghbench.errors import DataError
from ghbench.imaging import damage, decode, pixel_digest

RNG = np.random.default_rng(7)
GREY = RNG.integers(0, 256, (6, 9), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)


def saved(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.ppm", "a.tiff"])
def test_colour_comes_back_as_it_was_saved(tmp_path, name):
    assert np.array_equal(decode(saved(tmp_path / name, COLOUR)), COLOUR)


@pytest.mark.parametrize("name", ["a.png", "a.pgm", "a.gif", "a.bmp"])
def test_grey_is_replicated(tmp_path, name):
    image = decode(saved(tmp_path / name, GREY))
    assert image.dtype == np.uint8
    assert np.array_equal(image, np.repeat(GREY[..., None], 3, axis=-1))


def test_jpeg_and_webp_are_read(tmp_path):
    smooth = np.full((16, 16, 3), 128, np.uint8)
    for name in ("a.jpg", "a.webp"):
        assert np.abs(decode(saved(tmp_path / name, smooth)).astype(int) - 128).max() <= 2


def test_palette_is_looked_up(tmp_path):
    picture = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), mode="P")
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png").tolist() == [[[10, 20, 30], [200, 100, 50]], [[200, 100, 50], [10, 20, 30]]]


def test_palette_with_a_transparent_colour_is_laid_over_white(tmp_path):
    picture = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.save(tmp_path / "a.png", transparency=0)
    assert decode(tmp_path / "a.png").tolist() == [[[255, 255, 255], [200, 100, 50]]]


def test_transparency_is_laid_over_white(tmp_path):
    pixels = np.array([[[9, 8, 7, 255], [9, 8, 7, 0], [0, 0, 0, 128]]], np.uint8)
    image = decode(saved(tmp_path / "a.png", pixels))
    assert image[0, :2].tolist() == [[9, 8, 7], [255, 255, 255]]
    assert np.abs(image[0, 2].astype(int) - 127).max() <= 1


def test_grey_with_transparency_is_laid_over_white(tmp_path):
    picture = Image.merge("LA", (Image.new("L", (1, 1), 40), Image.new("L", (1, 1), 0)))
    picture.save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png").tolist() == [[[255, 255, 255]]]


@pytest.mark.parametrize("name", ["a.png", "a.pgm", "a.tiff"])
def test_of_sixteen_bits_the_upper_eight_are_kept(tmp_path, name):
    wide = np.array([[0, 255, 256, 0x7FFF, 0xFFFF]], np.uint16)
    assert decode(saved(tmp_path / name, wide))[0, :, 0].tolist() == [0, 0, 1, 0x7F, 0xFF]


def test_float_pixels_have_no_range_and_are_refused(tmp_path):
    path = saved(tmp_path / "a.tiff", np.array([[0.5, 2.0]], np.float32))
    with pytest.raises(DataError, match=r"a\.tiff has 32-bit pixels of unknown range; expected 8 or 16"):
        decode(path)


def test_cmyk_becomes_rgb(tmp_path):
    Image.new("CMYK", (2, 2), (0, 0, 0, 255)).save(tmp_path / "a.tiff")
    assert decode(tmp_path / "a.tiff").tolist() == [[[0, 0, 0]] * 2] * 2


def test_bilevel_becomes_black_and_white(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png")[..., 0].tolist() == [[255, 0]]


@pytest.mark.parametrize("name", ["a.png", "a.tiff"])
@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, COLOUR),
        (2, COLOUR[:, ::-1]),
        (3, COLOUR[::-1, ::-1]),
        (4, COLOUR[::-1]),
        (5, COLOUR.transpose(1, 0, 2)),
        (6, np.rot90(COLOUR, -1)),
        (7, COLOUR[::-1, ::-1].transpose(1, 0, 2)),
        (8, np.rot90(COLOUR, 1)),
        (9, COLOUR),
    ],
)
def test_exif_orientation_is_applied_once(tmp_path, name, orientation, upright):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(decode(saved(tmp_path / name, COLOUR, exif=exif)), upright)


def test_of_several_frames_the_first_counts(tmp_path):
    first, second = Image.new("L", (2, 2), 5), Image.new("L", (2, 2), 200)
    first.save(tmp_path / "a.tiff", save_all=True, append_images=[second])
    assert decode(tmp_path / "a.tiff").max() == 5


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.ppm", "a.tiff", "a.bmp"])
def test_a_truncated_file_is_an_error_that_names_it(tmp_path, name):
    noise = RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    path = saved(tmp_path / name, noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=f"{name} cannot be decoded; expected a whole image file"):
        decode(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_a_file_that_is_no_picture_is_an_error(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.jpg is not an image; expected one of BMP"):
        decode(tmp_path / "a.jpg")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.ppm", "a.gif", "a.bmp", "a.webp", "a.tiff"])
def test_whatever_bytes_are_broken_the_error_is_ours(tmp_path, name):
    exif = {} if name.endswith(("ppm", "gif", "bmp")) else {"exif": Image.Exif()}
    whole = saved(tmp_path / name, COLOUR, **exif).read_bytes()
    rng = np.random.default_rng(11)
    refused = 0
    for _ in range(150):
        broken = bytearray(whole)
        for _ in range(3):
            broken[rng.integers(len(broken))] = rng.integers(256)
        (tmp_path / name).write_bytes(broken)
        try:
            decode(tmp_path / name)
        except DataError as error:
            refused += name in error.message
    assert refused


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"gone\.png'? cannot be read: No such file"):
        decode(tmp_path / "gone.png")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [8193, 12_000, 60_000])
def test_a_decompression_bomb_is_refused_before_it_is_unpacked(tmp_path, side):
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    file = io.BytesIO(b"\x89PNG\r\n\x1a\n")
    file.seek(8)
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 64)), (b"IEND", b"")):
        file.write(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
    (tmp_path / "bomb.png").write_bytes(file.getvalue())
    with pytest.raises(DataError, match=r"bomb\.png .*67108864"):
        decode(tmp_path / "bomb.png")


def test_equal_pixels_have_equal_digests_whatever_the_file_format(tmp_path):
    png, pgm = saved(tmp_path / "a.png", GREY), saved(tmp_path / "a.pgm", GREY)
    assert png.read_bytes() != pgm.read_bytes()
    assert pixel_digest(decode(png)) == pixel_digest(decode(pgm))


def test_equal_bytes_in_another_shape_have_another_digest():
    assert pixel_digest(COLOUR) != pixel_digest(COLOUR.reshape(9, 6, 3))
    assert pixel_digest(COLOUR) != pixel_digest(COLOUR.reshape(3, 18, 3))


def test_the_digest_does_not_depend_on_memory_layout():
    assert pixel_digest(np.asfortranarray(COLOUR)) == pixel_digest(COLOUR)


SMOOTH = np.clip(np.cumsum(RNG.normal(size=(96, 80, 3)), axis=0) * 9 + 120, 0, 255).astype(np.uint8)
JPEGS = {
    "baseline": {"quality": 90},
    "progressive": {"progressive": True},
    "restart markers": {"restart_marker_rows": 1},
    "full colour": {"subsampling": 0, "quality": 100},
}


@pytest.mark.parametrize("share", [0.4, 0.8, 0.97])
@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_that_was_cut_short_and_given_an_end_marker_is_refused(tmp_path, kind, share):
    whole = saved(tmp_path / "a.jpg", SMOOTH, **JPEGS[kind]).read_bytes()
    for content in (whole, whole + b"what some cameras append", whole.replace(b"\xff\xd9", b"\xff\xff\xff\xd9")):
        (tmp_path / "a.jpg").write_bytes(content)
        assert decode(tmp_path / "a.jpg").shape == SMOOTH.shape
    (tmp_path / "a.jpg").write_bytes(whole[: int(share * len(whole))] + b"\xff\xd9")
    with pytest.raises(DataError, match=r"a\.jpg is cut short"):
        decode(tmp_path / "a.jpg")


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_large_jpeg_is_decoded_twice_only_where_its_end_looks_cut(tmp_path, mode, monkeypatch):
    pixels = RNG.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    pixels[-16:] = 20
    Image.fromarray(pixels).convert(mode).save(tmp_path / "a.jpg", quality=98)
    content = (tmp_path / "a.jpg").read_bytes()
    assert len(content) > 2**16 or mode == "L"
    if mode == "RGB":
        with monkeypatch.context() as broken:
            broken.setattr(damage, "_MORE", None)  # what the second decoding needs
            decode(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(content[: int(0.9 * len(content))] + b"\xff\xd9")
    with pytest.raises(DataError, match="cut short"):
        decode(tmp_path / "a.jpg")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.ppm", "a.webp", "a.tiff", "a.gif"])
def test_cut_files_are_refused_whatever_the_user_told_pillow(tmp_path, name, monkeypatch):
    path = saved(tmp_path / name, SMOOTH)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(DataError, match=r"cannot be decoded|cut short|not an image"):
        decode(path)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True  # the user's setting is left as it was


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(tmp_path / "b.png"))  # relative, for names of sockets are short
        with pytest.raises(DataError, match="is a socket, not a file"):
            decode(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"a\.png is a named pipe, not a file"):
        decode(tmp_path / "a.png")
    with pytest.raises(DataError, match="is a device, not a file"):
        decode(Path("/dev/zero"))


def test_a_small_file_that_claims_many_pixels_is_refused_by_its_header(tmp_path):
    header = struct.pack(">IIBBBBB", 8192, 8000, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(9))), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    with pytest.raises(DataError, match=r"8192 x 8000 pixels in \d+ bytes; expected at most 8388608"):
        decode(tmp_path / "a.png")


def test_decoders_take_turns_where_memory_is_short():
    memory, most, inside, lock = damage._Memory(10), [], [], threading.Lock()

    def work(size):
        with memory.reserve(size):
            with lock:
                inside.append(size)
                most.append(sum(inside))
            time.sleep(0.002)
            with lock:
                inside.remove(size)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [4, 4, 25, 4, 4, 6, 25, 4] * 3))
    assert max(size for size in most if size < 25) <= 10
    assert all(size == 25 for size in most if size > 10)  # more than the budget: alone


def test_a_large_image_is_converted_in_bands_without_a_seam(tmp_path, monkeypatch):
    pixels = RNG.integers(0, 256, (50, 7, 4), dtype=np.uint8)
    whole = decode(saved(tmp_path / "a.png", pixels))
    monkeypatch.setitem(decode.__globals__, "_BAND_PIXELS", 7 * 11)
    assert np.array_equal(decode(tmp_path / "a.png"), whole)
