"""`ghbench doctor`: what this machine has, what is missing, and the command that fixes it."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from ghbench.cli.terminal import say

_EXTRAS = {
    "cpu": ["faiss"],
    "faces": ["dlib", "face_alignment", "skimage", "cv2"],
    "backbones": ["timm", "onnx", "onnxruntime"],
    "report": ["jinja2", "matplotlib"],
    "train": ["lightning_fabric"],
}


def doctor() -> None:
    """Check versions, extras, folders, assets and plugins; exit code 1 if something is broken, not just missing."""
    broken = [*_folders(), *_plugins()]
    _versions()
    _extras()
    _assets()
    for line in broken:
        say(f"broken   {line}")
    sys.exit(1 if broken else 0)


def _versions() -> None:
    from ghbench import locations
    from ghbench.results.provenance import provenance

    found = provenance("ghbench doctor", 0)
    say(f"ghbench  {found.ghbench}, Python {found.python}, commit {found.git_commit or 'of a release'}")
    say("packages " + ", ".join(f"{name} {version}" for name, version in found.packages.items()))
    say("machine  " + ", ".join(f"{name} {value}" for name, value in found.hardware.items() if value))
    say(f"network  {'forbidden by GHBENCH_OFFLINE' if locations.offline() else 'allowed'}")


def _extras() -> None:
    for extra, modules in _EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        state = "installed" if not missing else f"lacks {', '.join(missing)}: pip install 'ghbench[{extra}]'"
        say(f"extra    {extra}: {state}")


def _assets() -> None:
    from ghbench import assets

    here = [name for name in assets.names() if assets.available(name)]
    absent = [name for name in assets.names() if name not in here]
    say(f"assets   available: {', '.join(here) or 'none'}")
    say(f"assets   fetched when needed, or with `ghbench assets fetch NAME`: {', '.join(absent) or 'none'}")


def _folders() -> list[str]:
    from ghbench import locations

    problems = []
    for name, folder in (("home", locations.home()), ("cache", locations.cache()), ("data", locations.data())):
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(existing).free / 2**30
        say(f"folder   {name}: {folder}, {free:.1f} GB free")
        if not os.access(existing, os.W_OK) or not Path(existing).is_dir():
            problems.append(f"{existing} is not writable; fix: set GHBENCH_{name.upper()}")
    return problems


def _plugins() -> list[str]:
    from ghbench.registry import KINDS, plugins, summary

    problems = []
    for kind in KINDS:
        for plugin in plugins(kind):
            about = summary(plugin)
            if about.error is not None:
                problems.append(f"{kind} {plugin.qualified_name}: {about.error}")
    return problems
