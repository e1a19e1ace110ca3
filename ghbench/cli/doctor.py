"""`ghbench doctor`: what this machine has, what is missing, and the command that fixes it; and how precise it is."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from ghbench.cli.terminal import print_columns, print_json, say
from ghbench.errors import UsageError

_EXTRAS = {
    "cpu": ["faiss"],
    "faces": ["dlib", "face_alignment", "skimage", "cv2"],
    "backbones": ["timm", "onnx", "onnxruntime"],
    "report": ["jinja2", "matplotlib"],
    "train": ["lightning_fabric"],
}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    precision: Annotated[
        str | None,
        typer.Option(metavar="EXTRACTOR", help="Compare its fast ways with float32, image by image, on ORL's faces."),
    ] = None,
    licences: Annotated[bool, typer.Option("--licences", help="List the licences of the packages in use.")] = False,
    images: Annotated[
        int | None, typer.Option(min=2, max=400, help="With --precision: on how many images; default: 32.")
    ] = None,
) -> None:
    """Check versions, extras, folders, assets and plugins; exit code 1 if something is broken, not just missing."""
    if images is not None and precision is None:
        raise UsageError("--images is about --precision", fix="add --precision EXTRACTOR")
    if licences and precision is not None:
        raise UsageError("--licences and --precision are two questions", fix="ask one at a time")
    if licences:
        sys.exit(_licences(as_json=as_json))
    if precision is not None:
        sys.exit(_precision(precision, images or 32, as_json=as_json))
    if as_json:
        sys.exit(_as_json())
    sys.exit(_check())


def _licences(*, as_json: bool) -> int:
    """Print them; 1 if a package states none."""
    from ghbench.cli.licences import licences

    found = licences()
    if as_json:
        print_json({name: {"version": version, "licence": licence} for name, (version, licence) in found.items()})
    else:
        print_columns(["package", "version", "licence"], [[name, *about] for name, about in found.items()])
    return 1 if any(licence == "not stated" for _, licence in found.values()) else 0


def _precision(extractor: str, images: int, *, as_json: bool) -> int:
    """Print how features differ between fast ways and the reference; 1 if a way that ghbench uses changes them."""
    from dataclasses import asdict

    from ghbench import registry
    from ghbench.data.subset import first_rows
    from ghbench.running.fast_paths import ENOUGH, compare_fast_paths
    from ghbench.running.request import subject_request, without_similarity

    request = without_similarity(subject_request(extractor))
    request.check_options()
    dataset = first_rows(registry.build("dataset", "orl"), images)
    found = compare_fast_paths(request.build(), dataset)
    if as_json:
        print_json([{**asdict(one), "same": one.same} for one in found])
    else:
        rows = [
            [
                one.way,
                f"{one.cosine:.7f}",
                f"{one.error:.1e}",
                ("same" if one.same else "differs") + ("" if one.used else ", not used"),
            ]
            for one in found
        ]
        print_columns(["way", "smallest cosine", "largest error", f"at {ENOUGH}"], rows)
    return 0 if all(one.same for one in found if one.used) else 1


def _as_json() -> int:
    """Print what `_check` says, a list of texts by the word that its lines begin with."""
    with redirect_stdout(io.StringIO()) as printed:
        code = _check()
    found: dict[str, list[str]] = {"broken": []}
    for line in printed.getvalue().splitlines():
        word, _, text = line.partition(" ")
        found.setdefault(word, []).append(text.strip())
    print_json(found)
    return code


def _check() -> int:
    from ghbench.assets.manifest import unreadable

    broken = [*_folders(), *_plugins(), *unreadable()]
    _versions()
    _extras()
    _assets()
    _leftovers()
    for line in broken:
        say(f"broken   {line}")
    return 1 if broken else 0


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


def _leftovers() -> None:
    from ghbench import atomic, locations
    from ghbench.assets.store import unfinished
    from ghbench.store import default_store

    home, cache, data = locations.home(), locations.cache(), locations.data()
    found = [*default_store().removed_folders(), *unfinished()]
    for top in {home, cache}:
        for parent, folders, _ in os.walk(top):
            # Datasets are the user's, and may have millions of files.
            folders[:] = [name for name in folders if Path(parent, name) != data and not name.startswith(".")]
            found += atomic.abandoned_files(Path(parent)) + atomic.unfinished_folders(Path(parent))
    for path in sorted(found):
        say(f"left     {path}: of a process that was killed, or is at work; the next one to write there tidies up")


def _folders() -> list[str]:
    from ghbench import locations

    problems = []
    for name, folder in (("home", locations.home()), ("cache", locations.cache()), ("data", locations.data())):
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(existing).free / 2**30
        say(f"folder   {name}: {folder}, {free:.1f} GB free")
        try:  # permission bits say little of read-only disks, quotas and root
            with tempfile.TemporaryFile(dir=existing) as trial:
                trial.write(b"ghbench")
        except OSError as error:
            reason = error.strerror or error
            problems.append(
                f"{folder} cannot be written to ({reason}); "
                f"fix: set GHBENCH_{name.upper()} to a folder that you may write to"
            )
    return problems


def _plugins() -> list[str]:
    from ghbench.plugin_summary import summary
    from ghbench.registry import KINDS, plugins

    problems = []
    for kind in KINDS:
        for plugin in plugins(kind):
            about = summary(plugin)
            if about.error is not None:
                problems.append(f"{kind} {plugin.qualified_name}: {about.error}")
    return problems
