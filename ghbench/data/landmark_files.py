"""Files of hand-labelled points: iBUG's `.pts` and menpo's `.ljson`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError
from ghbench.files import read_text


def read_pts(path: Path) -> NDArray[np.float64]:
    """Read a `.pts` file.

    Args:
        path: The file; its points are counted from 1.

    Returns:
        float64 [N, 2] x and y in pixels counted from 0.

    Raises:
        DataError: The file does not follow the format, or holds another number of points than it declares.
    """
    text = read_text(path, encoding="latin-1")
    match = re.search(r"n_points:\s*(\d+)\s*\{([^}]*)\}", text)
    if match is None:
        raise DataError(f"{path} is not a .pts file; expected `n_points: N` and points in braces")
    try:
        points = np.array([[float(number) for number in line.split()] for line in match[2].strip().splitlines()])
    except ValueError as error:
        raise DataError(f"{path} holds a line that is no point; expected two numbers a line") from error
    if points.shape != (int(match[1]), 2):
        raise DataError(f"{path} holds points of shape {points.shape}; expected ({match[1]}, 2) as it declares")
    return points - 1


def read_ljson(path: Path) -> NDArray[np.float64]:
    """Read the first group of points of an `.ljson` file.

    Args:
        path: The file of version 2 or 3.

    Returns:
        float64 [N, 2] x and y in pixels counted from 0.

    Raises:
        DataError: The file does not follow the format.
    """
    try:
        content = json.loads(read_text(path))
        groups = content.get("groups")
        group = next(iter(groups.values())) if groups else content
        points = np.array(group["landmarks"]["points"], dtype=np.float64)
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError) as error:
        raise DataError(f"{path} is not an .ljson file of version 2 or 3: {error}") from error
    if points.ndim != 2 or points.shape[1] != 2:
        raise DataError(f"{path} holds points of shape {points.shape}; expected (N, 2)")
    # The file has rows before columns.
    return np.ascontiguousarray(points[:, ::-1])
