"""What an asset is: files from outside, declared with digests and sources."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ghbench.digests import digest_lines

MARKER = "verified.json"
"""File written last into an asset's folder; no member may have its name."""


def safe_relative(path: str) -> str:
    """Return `path` unchanged if it is safe to join to a folder.

    Raises:
        ValueError: It is empty, absolute, or has a `..`, a backslash, a drive or a NUL.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or re.search(r"[\\\0]|^[A-Za-z]:", path):
        raise ValueError(f"{path!r} is not a plain relative path")
    return path


Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
RelativePath = Annotated[str, AfterValidator(safe_relative)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9@][A-Za-z0-9._+~/-]*$")]
"""Package names and versions, which must not look like command-line options."""


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Member(_Declared):
    """One file of an asset.

    Args:
        path: Path inside the container.
        sha256: Digest of the file.
        size: Bytes, None if not published.
    """

    path: RelativePath
    sha256: Sha256
    size: int | None = Field(default=None, gt=0)


class Tree(_Declared):
    """A folder with too many files to declare each.

    Args:
        root: Folder inside the container, ending in `/`; member names are relative to it.
        include: Glob of the members below `root`; `*` never crosses a `/`.
        count: Number of files.
        size: Total bytes, None if not published.
        sha256: Digest of the sorted lines `NAME SHA256`; None if only the container's digest is published.
    """

    root: str = Field(pattern=r"^([^/]+/)*$")
    include: RelativePath
    count: int = Field(gt=0)
    size: int | None = None
    sha256: Sha256 | None = None


class _Container(_Declared):
    filename: Word
    sha256: Sha256
    size: int | None = Field(default=None, gt=0)
    paths: dict[str, RelativePath] = {}
    """Paths by member name, where they differ from the declared ones."""


class Wheel(_Container):
    """A wheel on the configured package index."""

    kind: Literal["wheel"] = "wheel"
    project: Word
    version: Word


class Sdist(_Container):
    """A source distribution on the configured package index."""

    kind: Literal["sdist"] = "sdist"
    project: Word
    version: Word


class Npm(_Container):
    """A package from `npm pack`."""

    kind: Literal["npm"] = "npm"
    package: Word
    version: Word


class Debian(_Container):
    """A binary package from `apt-get download`."""

    kind: Literal["debian"] = "debian"
    package: Word
    version: Word


class Url(_Container):
    """A file on one or more servers."""

    kind: Literal["url"] = "url"
    mirrors: tuple[Annotated[str, StringConstraints(pattern=r"^https?://")], ...] = Field(min_length=1)


class System(_Declared):
    """Folders where another program may have put the members."""

    kind: Literal["system"] = "system"
    folders: tuple[str, ...] = Field(min_length=1)
    paths: dict[str, RelativePath] = {}


class Packaged(_Declared):
    """A folder inside an installed Python package, found without importing the package.

    Args:
        module: The folder as a dotted name.
        extra: The extra of ghbench that installs the package.
        paths: Paths by member name, where they differ from the declared ones.
    """

    kind: Literal["packaged"] = "packaged"
    module: str = Field(pattern=r"^\w+(\.\w+)*$")
    extra: str | None = None
    paths: dict[str, RelativePath] = {}


class User(_Declared):
    """A file that only the user can provide, with `ghbench assets import`.

    Args:
        filename: The publisher's name of the file or archive.
        sha256: Its digest, None if not published.
        hint: Where to find it.
    """

    kind: Literal["user"] = "user"
    filename: str
    hint: str
    sha256: Sha256 | None = None
    size: int | None = Field(default=None, gt=0)


Source = Wheel | Sdist | Npm | Debian | Url | System | Packaged | User
NETWORK = (Wheel, Sdist, Npm, Debian, Url)


class Asset(_Declared):
    """Files from outside under one name.

    Exactly one of `members` and `tree` says which files belong to it.

    Args:
        name: Name in the manifest.
        version: Version of the content; part of the cache folder's name.
        title: What it is, in one line.
        licence: Licence of the content, not of the container.
        citation: What to cite.
        members: Files by name, for assets of a few files.
        tree: Pattern and one digest, for assets of many files.
        sources: Where to get it, in the order they are tried.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+~-]*$")
    title: str
    licence: str
    citation: str
    members: dict[RelativePath, Member] = {}
    tree: Tree | None = None
    sources: tuple[Annotated[Source, Field(discriminator="kind")], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_kind_of_members(self) -> Asset:
        if bool(self.members) == bool(self.tree):
            raise ValueError(f"asset {self.name!r} must declare either members or a tree")
        if MARKER in self.members:
            raise ValueError(f"asset {self.name!r}: {MARKER} is reserved for the cache")
        return self

    @property
    def size(self) -> int | None:
        """Bytes of the download, or of the members if nothing is downloaded; None if not published."""
        sizes = [source.size for source in self.sources if not isinstance(source, System | Packaged)]
        return sizes[0] if sizes else sum(member.size or 0 for member in self.members.values())

    @property
    def digest(self) -> str | None:
        """Digest of all members, or else of the container; None if neither is declared."""
        if self.members:
            return tree_digest({name: member.sha256 for name, member in self.members.items()})
        assert self.tree is not None
        return self.tree.sha256 or next(iter(self.container_digests), None)

    @property
    def members_are_unpinned(self) -> bool:
        """Whether no digest of the files themselves is declared."""
        return self.tree is not None and self.tree.sha256 is None

    @property
    def container_digests(self) -> dict[str, str]:
        """File names of the asset's containers by sha256."""
        containers = (source for source in self.sources if not isinstance(source, System | Packaged))
        return {source.sha256: source.filename for source in containers if source.sha256 is not None}


def tree_digest(files: dict[str, str]) -> str:
    """Digest of files by name and content.

    Args:
        files: sha256 by name.

    Returns:
        sha256 of the lines `NAME SHA256`, sorted by name.
    """
    return digest_lines(f"{name} {sha}" for name, sha in sorted(files.items()))
