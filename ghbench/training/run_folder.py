"""The folder of a run: description, log, checkpoints and grids, written atomically."""

from __future__ import annotations

import json
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from PIL import Image

from ghbench import locations
from ghbench.atomic import atomic_file, write_text
from ghbench.checkpoints.torch_files import check_torch_file
from ghbench.errors import DataError, UsageError
from ghbench.files import read_text, regular_file, user_path

KEPT = 2
"""Checkpoints to keep, all of them healthy: the newest, and the one before in case the newest is damaged."""

LARGEST_LOG = 2**30
_RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def trained_file(name: str) -> Path | None:
    """A file, or what the run of that name has exported; None where there is neither."""
    for path in (user_path(name), RunFolder(name).path / "model.safetensors"):
        if path.is_file():
            return path
    return None


class RunFolder:
    """Files of one run.

    Args:
        name: Name of the run, a folder in the cache's `runs`, or a path.

    Raises:
        UsageError: The name is not a valid folder name.
    """

    def __init__(self, name: str | Path) -> None:
        if isinstance(name, str) and "/" not in name:
            if not _RUN_NAME.fullmatch(name):
                raise UsageError(f"invalid run name {name!r}", fix="use letters, digits, `.`, `_` and `-`, or a path")
            self.path = locations.cache() / "runs" / name
        else:
            self.path = user_path(name).absolute()
        self.log_path = self.path / "log.jsonl"
        self._passed_over: set[Path] = set()

    def lock(self) -> FileLock:
        """Acquire the run's lock.

        Raises:
            UsageError: Another process is training this run.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(
                f"another process is training in {self.path}", fix="wait for it, or choose another name: --run OTHER"
            ) from None
        return lock

    def settle(self, description: Mapping[str, Any]) -> None:
        """Write the run's description, or check that it has not changed since its first checkpoint.

        Raises:
            UsageError: The run was started with other settings; the message lists them. Or the folder has a model of
                no run.
        """
        path = self.path / "run.json"
        for found in (path, self.log_path):
            if found.exists():
                regular_file(found)  # a pipe would be waited for
        text = json.dumps(description, indent=1, sort_keys=True)
        exported = next((name for name in ("model.safetensors", "card.md") if (self.path / name).exists()), None)
        if not path.exists() and exported:
            raise UsageError(
                f"{self.path / exported} is of no run, and would be replaced", fix="choose another folder: --run OTHER"
            )
        if not path.exists() or not (exported or self.checkpoints()):  # nothing is learned yet
            write_text(path, text + "\n")
            return
        try:
            before = dict(json.loads(read_text(path)).items())
        except (ValueError, AttributeError, RecursionError) as error:
            raise DataError(f"{path} is damaged: {error}", fix=f"rm -r {self.path}") from error
        now = json.loads(text)
        names = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
        if names:
            lines = [f"{name}: was {before.get(name)!r}, now {now.get(name)!r}" for name in names]
            raise UsageError(
                f"{self.path} was started with other settings\n  " + "\n  ".join(lines),
                fix="restore the settings, or start a new run: --run OTHER",
            )

    def save(self, shown: int, state: Mapping[str, Any]) -> Path:
        """Write a checkpoint and delete old ones.

        Args:
            shown: Images shown so far.
            state: Tensors, numbers and text in dicts and lists.
        """
        path = self.path / f"state-{shown:010d}.pt"
        with atomic_file(path) as stream:
            torch.save(dict(state), stream)
        self._passed_over.discard(path)
        for old in [found for found in self.checkpoints() if found not in self._passed_over][:-KEPT]:
            old.unlink(missing_ok=True)
        return path

    def checkpoints(self) -> list[Path]:
        """Checkpoints, oldest first."""
        return sorted(self.path.glob("state-*.pt"))

    def load(self) -> dict[str, Any] | None:
        """The newest healthy checkpoint, None if there are no checkpoints. Nothing in it is executed.

        Raises:
            DataError: There are checkpoints, but none is readable and finite.
        """
        found = self.checkpoints()
        for path in reversed(found):
            try:
                check_torch_file(path)
                with zipfile.ZipFile(path) as archive:
                    if damaged := archive.testzip():  # torch reads on
                        raise DataError(f"the checksum of {damaged} differs")
                state: dict[str, Any] = dict(torch.load(path, map_location="cpu", weights_only=True))
                broken = not_finite(state)
            except Exception as error:  # noqa: BLE001 - a damaged file raises whatever its bytes lead to
                problem = f"cannot read {path.name} ({type(error).__name__})"
            else:
                if not broken:
                    return state
                problem = f"{path.name} has weights that are not finite ({', '.join(broken)})"
            self._passed_over.add(path)
            warnings.warn(f"{problem}; using the checkpoint before it", stacklevel=2)
        if found:
            raise DataError(
                f"no checkpoint in {self.path} can be read and is finite", fix=f"start over: rm -r {self.path}"
            )
        return None

    def log(self, line: Mapping[str, Any]) -> None:
        """Append one line to the log."""
        with self.log_path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")

    def history(self) -> list[dict[str, Any]]:
        """All lines of the log, except those truncated by an interruption or otherwise damaged."""
        lines = []
        if self.log_path.exists():
            for text in read_text(self.log_path, largest=LARGEST_LOG).splitlines():
                try:
                    line = json.loads(text)
                except (ValueError, RecursionError):
                    continue
                if isinstance(line, dict) and isinstance(line.get("shown", 0), (int, float)):
                    lines.append(line)
        return lines

    def rewind(self, shown: int) -> None:
        """Delete the log's lines after `shown` images; a resumed run writes them again."""
        kept = [line for line in self.history() if line.get("shown", 0) <= shown]
        write_text(self.log_path, "".join(json.dumps(line) + "\n" for line in kept))

    def save_grid(self, shown: int, image: NDArray[np.uint8]) -> None:
        """Save a grid uint8 [H, W, 3] as `pictures/SHOWN.png`."""
        with atomic_file(self.path / "pictures" / f"{shown:010d}.png") as stream:
            Image.fromarray(image).save(stream, format="PNG")


def not_finite(state: Mapping[str, Any]) -> list[str]:
    """Names of the networks and averages of a checkpoint that hold NaN or infinity."""
    return [
        name if part == "networks" else f"the average of {name}"
        for part in ("networks", "averages")
        for name, tensors in state[part].items()
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())
    ]
