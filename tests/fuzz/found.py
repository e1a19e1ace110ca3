"""Files and names that fuzzing found, by reader: each once raised something else than a `UserError`."""

import io
import zipfile

import numpy as np


def _zip_with_a_shifted_start() -> bytes:
    """A zip file without its first byte: the offset of its entry lies before the file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("pkg/a.bin", b"content")
    return b"\x80" + stream.getvalue()[3:]


def _zip_with_a_nameless_entry() -> bytes:
    """The entry's name is said to be something else, and an empty name has no last letter."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a", b"content")
    content = bytearray(stream.getvalue())
    listed = content.index(b"PK\x01\x02")
    content[listed + 28], content[listed + 30] = 0, 1
    return bytes(content)


def _npy_with_a_broken_header() -> bytes:
    """NumPy reads headers of version 1 as Python, and raises what its tokeniser raises."""
    stream = io.BytesIO()
    np.save(stream, np.zeros((2, 2), np.float32))
    return stream.getvalue()[:10] + b"cposix\nsystem\n(S'touch executed'\ntR." + stream.getvalue()[10:]


def _safetensors_with_deep_ids() -> bytes:
    header = b'{"__metadata__":{"ids":"' + b"[" * 5000 + b'"}}'
    return len(header).to_bytes(8, "little") + header


DEEP = b"[" * 5000 + b"]" * 5000
EXAMPLES: dict[str, tuple[bytes | str, ...]] = {
    "ljson": (DEEP,),
    "kept scales": (DEEP,),
    "index of shards": (DEEP,),
    "features safetensors": (_safetensors_with_deep_ids(),),
    "store features": (_npy_with_a_broken_header(),),
    "zip": (_zip_with_a_shifted_start(), _zip_with_a_nameless_entry()),
    "spec string": ("~canary_module:touch",),
}
