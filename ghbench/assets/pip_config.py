"""The user's package index, read from pip's environment variables and files without running pip."""

from __future__ import annotations

import configparser
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True, slots=True)
class IndexChoice:
    """A package index.

    Args:
        url: Address of its simple API, None for the default index.
        certificates: File or folder of trusted certificate authorities, None for the default.
        origin: Where it is configured, for messages.
    """

    url: str | None
    certificates: str | None
    origin: str


def configured_index() -> IndexChoice:
    """The user's index: `PIP_INDEX_URL`, else pip's configuration files, else none.

    Files are read in pip's order, and the first whose `[global]` section sets the option wins: `PIP_CONFIG_FILE`, the
    virtual environment's, the user's, the machine's.
    """
    settings = _settings()
    certificates = os.environ.get("PIP_CERT") or settings.get("cert", ("", ""))[0] or None
    if url := os.environ.get("PIP_INDEX_URL", "").strip():
        return IndexChoice(url, certificates, "PIP_INDEX_URL")
    url, origin = settings.get("index-url", ("", "the default index"))
    return IndexChoice(url or None, certificates, origin)


def configuration_files() -> list[Path]:
    """Configuration files of pip, highest priority first; not all need exist.

    As in pip, `PIP_CONFIG_FILE` set to the null device disables them all.
    """
    named = os.environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    file = "pip.ini" if os.name == "nt" else "pip.conf"
    legacy = Path.home() / ("pip" if os.name == "nt" else ".pip") / file
    user = platformdirs.user_config_path("pip", appauthor=False, roaming=True) / file
    if sys.platform == "darwin" and not user.parent.is_dir():
        user = Path("~/.config/pip").expanduser() / file
    if named and Path(named).expanduser().exists():
        # As in pip, it replaces the user's own file.
        return [Path(named).expanduser(), Path(sys.prefix) / file, *_machine_files(file)]
    return [Path(sys.prefix) / file, user, legacy, *_machine_files(file)]


def without_credentials(text: str) -> str:
    """`text` with user names and passwords in addresses masked."""
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", text)


def _machine_files(file: str) -> list[Path]:
    """Files for all users, in reverse of pip's reading order, in which later ones win."""
    folders = platformdirs.site_config_dir(None, appauthor=False, multipath=True).split(os.pathsep)
    files = [Path(folder) / "pip" / file for folder in folders]
    if sys.platform.startswith("linux"):
        files.append(Path("/etc") / file)
    return files[::-1]


def _settings() -> dict[str, tuple[str, str]]:
    """Value and file of each option; unreadable files are ignored, as in pip."""
    found: dict[str, tuple[str, str]] = {}
    for path in configuration_files():
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for key, value in parser.items("global") if parser.has_section("global") else ():
            found.setdefault(key.replace("_", "-"), (value.strip(), str(path)))
    return found
