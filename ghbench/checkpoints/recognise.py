"""Reads a checkpoint in any known format, recognised by its content, never by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ghbench.checkpoints import (
    genforce,
    native,
    openvino_ir,
    psp,
    rosinality,
    state_dicts,
    stylegan2_ada,
    tensorflow_pickle,
)
from ghbench.checkpoints.checkpoint import Checkpoint, Content
from ghbench.checkpoints.pickled_arrays import NUMPY
from ghbench.checkpoints.plain_globals import CONTAINERS, EASY_DICT
from ghbench.checkpoints.records import Budget
from ghbench.checkpoints.torch_files import LEGACY_HEAD, ZIP_HEAD, load_torch_file
from ghbench.checkpoints.unpickler import DAMAGE, load_pickle
from ghbench.digests import digest_file
from ghbench.errors import DataError
from ghbench.files import open_regular, user_path

_PICKLED = {**CONTAINERS, **EASY_DICT, **NUMPY, **stylegan2_ada.ALLOWED, **tensorflow_pickle.ALLOWED}
_FORMATS = (
    "stylegan2-ada .pkl, TensorFlow StyleGAN .pkl, rosinality .pt, genforce .pth, pSp .pt, OpenVINO .xml, safetensors"
)


def container(path: Path) -> str:
    """Container of a file: `torch`, `pickle`, `openvino` or `safetensors`.

    Raises:
        DataError: The file is unreadable or something else.
    """
    with open_regular(path) as stream:
        head = stream.read(64)
    if head.startswith((LEGACY_HEAD, ZIP_HEAD)):
        return "torch"
    # Before pickles: a safetensors file starts with the length of its header, whose first byte may be 0x80.
    if head[5:8] == b"\0\0\0" and head[8:9] == b"{":
        return "safetensors"
    if head.startswith(b"\x80"):
        return "pickle"
    if head.startswith(b"version https://git-lfs.github.com/"):
        raise DataError(
            f"{path} is a Git LFS pointer, which only says where the file is", fix="in its repository: git lfs pull"
        )
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.lower().startswith((b"<!doctype html", b"<html")):
        raise DataError(
            f"{path} is a web page, not a checkpoint",
            fix="download the file in a browser; the site may ask for a login or limit downloads",
        )
    if text.startswith(b"<"):
        return "openvino"
    raise DataError(f"{path} is not a checkpoint that ghbench can read", fix=f"use one of: {_FORMATS}")


def read(path: Path | str) -> Checkpoint:
    """Read a checkpoint as plain arrays; nothing in the file is executed.

    Args:
        path: A file in any known format; its name does not matter.

    Returns:
        Arrays by the file's own names, with configuration, digest and notes.

    Raises:
        DataError: The file is damaged, hostile or of an unknown format.
        MissingError: An OpenVINO `.xml` has no `.bin` beside it.
    """
    path = user_path(path)
    try:
        match container(path):
            case "safetensors":
                return native.read(path)
            case "openvino":
                return openvino_ir.read(path)
            case "torch":
                kind, content = _torch_content(load_torch_file(path))
            case _:
                kind, content = _pickle_content(load_pickle(path, _PICKLED))
    except DataError as error:
        if "the file asks for" not in error.message:
            raise
        raise DataError(
            f"{path} holds a Python object, such as a model saved whole, which could execute anything: {error.message}",
            fix="in the program that made it, save the weights alone: torch.save(model.state_dict(), 'weights.pt')",
        ) from error
    except (*DAMAGE, OSError) as error:
        # Damage that the readers did not foresee.
        raise DataError(f"{path} is damaged: {type(error).__name__}", fix="get the file again") from error
    # One tensor under thousands of names is one array here, but thousands for whoever writes or loads them.
    Budget.for_file(path.stat().st_size).spend_bytes(sum(array.nbytes for array in content.tensors.values()))
    return Checkpoint(kind, content.tensors, content.config, digest_file(path), content.notes)


def _torch_content(value: Any) -> tuple[str, Content]:
    whole = state_dicts.whole_module(value) or value
    for reader in (psp, stylegan2_ada):
        if reader.fits(whole):
            return reader.FORMAT, reader.extract(whole)
    own = next((module for module in (rosinality, genforce) if module.fits(value)), None)
    bare = state_dicts.bare_content(value)
    if bare is not None and (own is None or bare[0] != own.FORMAT or state_dicts.is_parallel(value)):
        return bare
    if own is None:
        raise _unknown_content(value)
    return own.FORMAT, own.extract(value)


def _pickle_content(value: Any) -> tuple[str, Content]:
    value = state_dicts.whole_module(value) or value
    if stylegan2_ada.fits(value):
        return stylegan2_ada.FORMAT, stylegan2_ada.extract(value)
    if tensorflow_pickle.fits(value):
        return tensorflow_pickle.extract(value)
    raise _unknown_content(value)


def _unknown_content(value: Any) -> DataError:
    keys = [key[:40] for key in value if isinstance(key, str)][:8] if isinstance(value, dict) else []
    found = f"a dictionary with the keys {', '.join(map(repr, keys))}" if keys else f"a {type(value).__name__}"
    return DataError(
        f"not a known checkpoint: the file holds {found}; expected a dictionary with g_ema, G_ema, generator_smooth, "
        "models or state_dict, or a tuple of three or four TensorFlow networks",
        fix=f"use one of: {_FORMATS}",
    )
