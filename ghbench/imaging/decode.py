"""From an image file to uint8 RGB pixels: one rule for each kind of file, and an error for each kind of damage.

Grey is replicated; palettes are looked up; transparency is laid over white, but for the single transparent colour that
RGB and 16-bit PNG may name, which is shown; of 16 bits the upper 8 are kept; colour profiles are not applied; the EXIF
orientation is; of several frames the first counts.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from ghbench.digests import digest_array
from ghbench.errors import DataError
from ghbench.files import open_regular, regular_file
from ghbench.imaging.damage import MEMORY, WHOLE_FILES_ONLY, bands, check_whole_jpeg

DECODE_VERSION = 1
"""Grows whenever the same file may give other pixels."""

MAX_PIXELS = 2**26
"""Pixels in the largest image that is decoded, 8192 x 8192; a few kilobytes can claim to be far larger."""
SMALL_FILE_PIXELS = 2**23
PIXELS_A_BYTE = 32
"""Images of more than 8 megapixels need a file of a byte for so many pixels; photographs have a byte for 2 to 10."""
_BAND_PIXELS = 2**18

# Only formats that Pillow decodes itself: others may start external programs on files that nobody has vouched for.
# The last two are named by their plugins, which Pillow does not load by itself.
_PLUGINS = (TiffImagePlugin.TiffImageFile, WebPImagePlugin.WebPImageFile)
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", *(plugin.format for plugin in _PLUGINS))
SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""File name endings, in lower case, of the formats above."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings each EXIF orientation upright."""


def decode(path: Path, *, background: str = "white") -> NDArray[np.uint8]:
    """Decode an image file.

    Args:
        path: A BMP, GIF, JPEG, PNG, PGM/PPM, TIFF or WebP file.
        background: What transparent pixels are laid over; black for masks.

    Returns:
        uint8 [H, W, 3] RGB, as a viewer would show it upright.

    Raises:
        DataError: The file is missing, no regular file, no image, damaged, cut short, too large, or has pixels without
            a defined range.
    """
    regular_file(path)
    try:
        with open_regular(path) as stream, Image.open(stream, formats=FORMATS) as picture:
            _check_size(picture, path)
            with MEMORY.reserve(_decoded_bytes(picture)), WHOLE_FILES_ONLY:
                picture.load()
                if picture.format in {"JPEG", "MPO"}:
                    stream.seek(0)
                    check_whole_jpeg(stream.read(), picture, path)
                return _rgb_array(_upright(picture), picture.format, path, background)
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is not an image; expected one of {', '.join(FORMATS)}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path} claims more pixels than the {MAX_PIXELS} that are decoded: {error}") from error
    except DataError:
        raise
    # Pillow's decoders report damage by whatever their parsing of the broken bytes runs into.
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, ArithmeticError, EOFError, struct.error) as error:
        raise DataError(f"{path} cannot be decoded; expected a whole image file: {error}") from error


def pixel_digest(image: NDArray[np.uint8]) -> str:
    """Digest of decoded pixels: the same for every file format that holds them without loss.

    Args:
        image: uint8 [H, W, 3].

    Returns:
        Hexadecimal sha256 of shape and values.
    """
    return digest_array(image)


def _check_size(picture: Image.Image, path: Path) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise DataError(f"{path} is {width} x {height} pixels; expected at most {MAX_PIXELS} pixels")
    size = path.stat().st_size
    if width * height > max(SMALL_FILE_PIXELS, PIXELS_A_BYTE * size):
        raise DataError(
            f"{path} claims {width} x {height} pixels in {size} bytes; "
            f"expected at most {SMALL_FILE_PIXELS} pixels in a small file",
            fix="if the image is good, save it with fewer pixels",
        )


def _decoded_bytes(picture: Image.Image) -> int:
    """Memory that decoding takes at most: Pillow's pixels, what its decoder keeps beside them, a turned copy, ours."""
    a_pixel = 1 if picture.mode in {"1", "L", "P"} else 2 if picture.mode.startswith("I;16") else 4
    kept = 16 if picture.format == "WEBP" else 6 if picture.info.get("progressive") else 0
    return picture.width * picture.height * (2 * a_pixel + kept + 3)


def _upright(picture: Image.Image) -> Image.Image:
    # Pillow's own function also writes the EXIF block anew, and fails on blocks that are odd but readable.
    turn = _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    return picture if turn is None else picture.transpose(turn)


def _rgb_array(picture: Image.Image, file_format: str | None, path: Path, background: str) -> NDArray[np.uint8]:
    """uint8 [H, W, 3], converted a band of rows at a time, for each conversion makes copies."""
    image = np.empty((picture.height, picture.width, 3), dtype=np.uint8)
    for top, band in bands(picture, _BAND_PIXELS):
        image[top : top + band.height] = np.asarray(_to_rgb(band, file_format, path, background))
    return image


def _to_rgb(picture: Image.Image, file_format: str | None, path: Path, background: str) -> Image.Image:
    """An RGB image from one of any of Pillow's modes."""
    if picture.mode == "RGB":
        return picture
    if picture.mode.startswith("I;16") or (picture.mode == "I" and file_format in {"PNG", "PPM"}):
        # Pillow scales 16-bit PGM and PNG to 0..65535, and of 16-bit RGB it keeps the upper byte: the same for grey.
        upper: NDArray[Any] = np.asarray(picture).astype(np.int64) >> 8
        return Image.fromarray(upper.clip(0, 255).astype(np.uint8)).convert("RGB")
    if picture.mode in {"I", "F"}:
        raise DataError(f"{path} has 32-bit pixels of unknown range; expected 8 or 16 bits a channel")
    if picture.has_transparency_data:
        opaque = Image.new("RGBA", picture.size, background)
        return Image.alpha_composite(opaque, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")
