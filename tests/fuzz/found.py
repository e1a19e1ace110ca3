"""Files and names that fuzzing found, by reader: each once raised something else than a `UserError`."""

import io
import zipfile

import numpy as np
import pyarrow as pa
from pyarrow import parquet


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


def _parquet_whose_texts_are_numbers() -> bytes:
    """The lengths of texts are counted for a column of whole numbers: asked for that column, Arrow ends the process."""
    stream = io.BytesIO()
    table = pa.table({"id": ["x", "y"], "f": pa.array([1.0, 2.0], pa.float32())})
    parquet.write_table(table, stream, compression="none", store_schema=False)
    return stream.getvalue().replace(b"\x15\x0c", b"\x15\x04")


DEEP = b"[" * 5000 + b"]" * 5000
EXAMPLES: dict[str, tuple[bytes | str, ...]] = {
    "ljson": (DEEP,),
    "kept scales": (DEEP,),
    "index of shards": (DEEP,),
    "features parquet": (_parquet_whose_texts_are_numbers(),),
    "records": (_parquet_whose_texts_are_numbers(),),
    "features safetensors": (_safetensors_with_deep_ids(),),
    "store features": (_npy_with_a_broken_header(),),
    "zip": (_zip_with_a_shifted_start(), _zip_with_a_nameless_entry()),
    "spec string": ("~canary_module:touch",),
}
