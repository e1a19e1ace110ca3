"""Errors in code that the user wrote: the line they come from, and what fixes the well-known ones."""

from __future__ import annotations

import linecache
import sysconfig
import traceback
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_LIBRARIES = tuple(
    {str(Path(sysconfig.get_path(kind)).resolve()) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {str(Path(__file__).parent)}
)


def is_library(file: str) -> bool:
    """Whether a source file belongs to Python, an installed package or ghbench, and not to the user."""
    path = Path(file).resolve()
    installed = {"site-packages", "dist-packages"} & set(path.parts)
    return file.startswith("<frozen") or bool(installed) or str(path).startswith(_LIBRARIES)


def user_frame(error: BaseException) -> str:
    """The last line of the user's own code on the way to an error, to stand below its message; empty without one."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        where, line = f"{error.filename}, line {error.lineno}", error.text or ""
    else:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not is_library(frame.filename)]
        if not frames:
            return ""
        last = frames[-1]
        where, line = f"{last.filename}, line {last.lineno}, in {last.name}", last.line or ""
        line = line or linecache.getline(last.filename, last.lineno or 0)
    return f"\n  {where}" + (f"\n    {line.strip()}" if line.strip() else "")


def known_fix(error: BaseException) -> str | None:
    """What fixes an error whose text does not say so, else None."""
    if "operator torchvision::" not in str(error):
        return None
    try:
        torch, torchvision = version("torch"), version("torchvision")
        minor = int(torch.split(".")[1])
    except (PackageNotFoundError, ValueError, IndexError):
        return None
    build = torch.partition("+")[2]
    index = f" --index-url https://download.pytorch.org/whl/{build}" if build else ""
    return (
        f"this torchvision ({torchvision}) was built for another torch than the one here ({torch}): "
        f"pip install --force-reinstall --no-deps 'torchvision==0.{minor + 15}.*'{index}"
    )
