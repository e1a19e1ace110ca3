"""The files of a model: in a folder of the user's, in the hub's cache, or fetched from the hub."""

from __future__ import annotations

import json
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ghbench.errors import DataError, MissingError, UsageError
from ghbench.extras import require
from ghbench.locations import forbidden, offline

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_DEADLINE = 5.0
"""Seconds that the hub has to answer at all. Its client would try again for a minute."""

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Weights files, the preferred one first; either may be split into shards that FILE.index.json lists."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model's folder.

    Args:
        folder: Where its files lie.
        weights: Its weights files.
        commit: The hub's commit hash, None for a folder of the user's.
    """

    folder: Path
    weights: tuple[Path, ...]
    commit: str | None


def find_model(model: str, revision: str | None, extra: str) -> ModelFiles:
    """The files of a model, fetched if they are not here.

    Args:
        model: A folder, or the name of a repository on the hub.
        revision: Branch, tag or commit hash on the hub; None for `main`, or whatever of it is cached.
        extra: The extra of ghbench that brings the hub's client.

    Raises:
        UsageError: It is neither a folder nor a possible name.
        MissingError: It is neither here nor on the hub, or the hub cannot be reached.
        DataError: The folder holds no weights.
    """
    folder = Path(model)
    if folder.is_dir():
        if revision is not None:
            raise UsageError(f"revision={revision} is of a model on the hub, but {model} is a folder")
        return ModelFiles(folder, _weights_in(folder), None)
    if model.startswith(("/", ".", "~")):
        raise MissingError(f"there is no folder {model}", fix="name a folder that save_pretrained made")
    if not _REPOSITORY.fullmatch(model):
        raise UsageError(f"{model!r} is neither a folder nor the name of a model on the hub, such as google/vit-base")
    cached = _repository_files(model, revision, extra, local=True)
    if cached is not None:
        return cached
    check_online(model, f"hf download {model}" + (f" --revision {revision}" if revision else ""))
    fetched = _repository_files(model, revision, extra, local=False)
    if fetched is None:
        raise DataError(f"{model} on the hub has no {' or '.join(WEIGHTS)}")
    return fetched


def fetch_first(repository: str, filenames: tuple[str, ...], extra: str) -> Path:
    """The first of several files that a repository on the hub has, from the hub's cache if it is there.

    Raises:
        MissingError: None is cached or can be fetched.
    """
    for local in (True, False):
        for filename in filenames:
            path = _fetch(repository, filename, None, extra, local=local)
            if path is not None:
                return path
        if local:
            check_online(repository, f"hf download {repository}")
    raise MissingError(f"{repository} on the hub has no {' or '.join(filenames)}", fix="name a file of yours")


def check_online(what: str, command: str) -> None:
    """See that the hub may be asked, and that it answers within seconds.

    Args:
        what: What is wanted from it.
        command: What brings it on a machine with a network.

    Raises:
        MissingError: It may not, or it does not.
    """
    hub_setting = os.environ.get("HF_HUB_OFFLINE", "").strip().upper() in {"1", "ON", "YES", "TRUE"}
    if offline() and not forbidden():  # only what is here was asked for, as `ghbench list --ready` does
        raise MissingError(f"{what} is not on this machine yet", fix=command)
    variable = "GHBENCH_OFFLINE" if offline() else "HF_HUB_OFFLINE" if hub_setting else None
    if variable:
        raise MissingError(
            f"{what} is not on this machine, and {variable} forbids the network", fix=f"unset {variable} or {command}"
        )
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    reason = unreachable(endpoint)
    if reason:
        raise MissingError(
            f"{what} is not on this machine, and {endpoint} cannot be reached: {reason}",
            fix=f"where there is a network: {command}, then copy the folder here and name it",
        )


def unreachable(url: str) -> str | None:
    """Why a server gives no answer of any kind within seconds, None where it does.

    It is asked in a thread, because looking up its name keeps no deadline.
    """
    import requests

    outcome = [f"no answer in {_DEADLINE:.0f} s"]

    def ask() -> None:
        try:
            requests.head(url, timeout=_DEADLINE)
            outcome[0] = ""
        except (requests.RequestException, OSError, ValueError) as error:
            outcome[0] = type(error).__name__

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_DEADLINE)
    return outcome[0] or None


def _weights_in(folder: Path) -> tuple[Path, ...]:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return (folder / name,)
        index = folder / f"{name}.index.json"
        if index.is_file():
            return tuple(folder / shard for shard in shards(index))
    raise DataError(
        f"{folder} holds no {' or '.join(WEIGHTS)}", fix="model.save_pretrained(FOLDER) and processor.save_pretrained"
    )


def shards(index: Path) -> list[str]:
    """The file names that an index of shards lists; each must be a plain name.

    Raises:
        DataError: It is no such index.
    """
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise DataError(f"{index} is no index of weights: {type(error).__name__}") from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise DataError(f"{index} lists {str(name)[:80]!r}, which is not a file beside it")
    return names


def _repository_files(model: str, revision: str | None, extra: str, *, local: bool) -> ModelFiles | None:
    config = _fetch(model, "config.json", revision, extra, local=local)
    if config is None:
        return None
    commit = config.parent.name  # the cache names a snapshot's folder by its commit
    for name in ("preprocessor_config.json", "processor_config.json"):
        _fetch(model, name, commit, extra, local=local)
    for name in WEIGHTS:
        for entry in (name, f"{name}.index.json"):
            path = _fetch(model, entry, commit, extra, local=local)
            if path is None:
                continue
            names = [name] if entry == name else shards(path)
            found = [_fetch(model, shard, commit, extra, local=local) for shard in names]
            files = tuple(file for file in found if file is not None)
            return ModelFiles(config.parent, files, commit) if len(files) == len(names) else None
    return None


def _fetch(repository: str, filename: str, revision: str | None, extra: str, *, local: bool) -> Path | None:
    """A file of a repository; None where the repository, or with `local` the cache, does not have it."""
    hub: Any = require("huggingface_hub", extra)
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(hub.hf_hub_download(repository, filename, revision=revision, local_files_only=local))
    except (EntryNotFoundError, LocalEntryNotFoundError) as error:
        if local or not isinstance(error, LocalEntryNotFoundError):
            return None
        reason: Exception = error
    # The hub's client raises errors of half a dozen libraries.
    except Exception as error:  # noqa: BLE001
        reason = error
    said = " ".join(str(reason).split())[:200]
    raise MissingError(
        f"{filename} of {repository} cannot be fetched from the hub ({type(reason).__name__}: {said})",
        fix=f"check the name, and whether it needs a login: hf download {repository}",
    ) from reason
