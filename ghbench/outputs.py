"""Files that the user names as outputs: never one of the inputs, and none that ghbench did not make unless asked to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ghbench.errors import UsageError

MADE_BY = "ghbench"
"""What our PNG files name as their software and our SVG files as their creator, and the key of our metadata in
safetensors files."""
_MARKS = (
    b"tEXtSoftware\0" + MADE_BY.encode(), f'{{"__metadata__":{{"{MADE_BY}":'.encode(),
    f"<dc:title>{MADE_BY}</dc:title>".encode(),
)  # fmt: skip


def check_output(path: Path, inputs: Iterable[str | Path] = (), *, force: bool = False) -> None:
    """Check a file before the work that writes it.

    Args:
        path: The file to write.
        inputs: What is read: paths, or spec strings with a path before the first colon; what is no file is left out.
        force: Replace a file that ghbench did not make. An input is not replaced even so.

    Raises:
        UsageError: The file is an input (also by a link or another spelling), or exists and ghbench did not make it.
    """
    if not path.exists():
        return
    for text in map(str, inputs):
        for name in {text, text.partition(":")[0]}:
            read = Path(name).expanduser()
            if read.is_file() and read.samefile(path):
                raise UsageError(f"{path} is an input, and would be lost", fix="choose another name: --out OTHER")
    if not force and not made_by_ghbench(path):
        raise UsageError(
            f"{path} exists, and ghbench did not make it", fix="choose another name, or replace the file: --force"
        )


def made_by_ghbench(path: Path) -> bool:
    """Whether a PNG, SVG or safetensors file says that ghbench wrote it."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        start = stream.read(4096)
    return any(mark in start for mark in _MARKS)
