"""Finds the weights that ghbench trained: its own, and those with non-commercial terms, a package of their own."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ghbench.errors import MissingError
from ghbench.files import read_text

NONCOMMERCIAL = frozenset({
    "contrafeat-binary", "contrafeat-binary-pca", "contrafeat-binary-sefa", "contrafeat-prototype", "ghfeat-faces64",
    "ghfeat-faces128", "mobile-stylegan-heads",
})  # fmt: skip
"""Weights taught by generators whose terms, or whose data's, exclude commercial use."""

PACKAGE = "ghbench-weights-nc"
_FILE = "model.safetensors"


def shipped_file(name: str) -> Path:
    """Path of shipped weights, `NAME/model.safetensors`; the file may be absent.

    Non-commercial ones lie in a checkout of ghbench's repository or in the installed package `ghbench-weights-nc`.
    """
    weights = Path(__file__).parents[1] / "weights"
    if name not in NONCOMMERCIAL:
        return weights / name / _FILE
    checkout = weights / "noncommercial" / name / _FILE
    if checkout.is_file():
        return checkout
    found = importlib.util.find_spec(PACKAGE.replace("-", "_"))  # the package holds files, and no code to import
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        if (Path(folder) / name / _FILE).is_file():
            return Path(folder) / name / _FILE
    return checkout


def installed_file(name: str, train: str) -> Path:
    """Path of shipped weights that are there.

    Args:
        name: Their name.
        train: The command that trains them.

    Raises:
        MissingError: This installation lacks them.
    """
    path = shipped_file(name)
    if not path.is_file():
        raise missing_weights(name, train)
    return path


def card_beside(file: Path) -> str:
    """The text of `card.md` in the folder of weights; empty where there is none.

    Raises:
        DataError: It cannot be read.
    """
    card = file.with_name("card.md")
    return read_text(card) if card.is_file() else ""


def missing_weights(name: str, train: str) -> MissingError:
    """What to say where shipped weights are not in this installation.

    Args:
        name: Their name.
        train: The command that trains them.
    """
    if name not in NONCOMMERCIAL:
        return MissingError(f"the weights {name} are not in this installation", fix=train)
    return MissingError(
        f"the weights {name}, for research only, are not in this installation",
        fix=f"pip install {PACKAGE}   or train them: {train}",
    )
