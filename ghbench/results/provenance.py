"""Where a number was made: versions, commit, machine. No name of a person, host or folder is recorded."""

from __future__ import annotations

import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ghbench.cores import usable_cores
from ghbench.results.schema import Provenance
from ghbench.version import __version__

_PACKAGES = (
    "dlib-bin", "face-alignment", "faiss-cpu", "faiss-gpu", "numpy", "onnxruntime", "pandas", "pillow", "scikit-image",
    "scikit-learn", "scipy", "timm", "torch", "torchvision",
)  # fmt: skip


def provenance(command: str, seed: int) -> Provenance:
    """Describe this run.

    Args:
        command: The command that makes the result again.
        seed: The run's seed.
    """
    commit, dirty = _git_state()
    return Provenance(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        ghbench=__version__,
        git_commit=commit,
        git_dirty=dirty,
        command=command,
        seed=seed,
        python=platform.python_version(),
        packages={name: found for name in _PACKAGES if (found := package_version(name))},
        hardware=_hardware(),
    )


def package_version(name: str) -> str | None:
    """Version of an installed distribution, None where there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def _git_state() -> tuple[str | None, bool | None]:
    """Commit of the checkout that ghbench runs from, and whether it differs from it; None for an installed package."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None, None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        # Only what computes numbers counts: tests, pages and the results themselves do not change them.
        changes = _git(root, "status", "--porcelain", "--", "ghbench", "tasks", "baselines", "pyproject.toml")
    except (OSError, subprocess.SubprocessError):
        return None, None
    return commit, bool(changes)


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


@cache
def _hardware() -> dict[str, str | int | float | None]:
    import psutil

    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "processor": _processor(),
        "cores": usable_cores(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "gpu": _gpu(),
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _gpu() -> str | None:
    """Name of the GPU in use. Only asked of a torch that is already loaded: loading it takes longer than scoring."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name())
