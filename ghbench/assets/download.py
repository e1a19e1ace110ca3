"""Downloads one file over HTTP: streamed, resumed, checked by sha256."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth

from ghbench.assets.containers import CHUNK, LARGEST_CONTAINER
from ghbench.assets.pip_config import without_credentials
from ghbench.assets.source_error import SourceError
from ghbench.digests import digest_file
from ghbench.errors import DataError
from ghbench.progress import Progress
from ghbench.version import __version__

ATTEMPTS = 4
PAUSE = 0.5
"""Seconds before the second attempt; doubled for each one after."""
TIMEOUT = (15.0, 60.0)
"""Seconds to connect, and between two chunks of a response."""
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class _BrokenError(Exception):
    """A transfer worth retrying."""


class _OneHostAuth(AuthBase):
    """Credentials that never leave the host they belong to."""

    def __init__(self, host: str, username: str, password: str) -> None:
        self._host, self._basic = host, HTTPBasicAuth(username, password)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if urlsplit(request.url or "").hostname == self._host:
            self._basic(request)
        return request


def session(certificates: str | None = None, index: str | None = None) -> requests.Session:
    """A session with the user's certificates and the credentials in the index's address."""
    opened = requests.Session()
    opened.headers["User-Agent"] = f"ghbench/{__version__}"
    if certificates:
        opened.verify = certificates
    parts = urlsplit(index or "")
    if parts.hostname and parts.username:
        opened.auth = _OneHostAuth(parts.hostname, unquote(parts.username), unquote(parts.password or ""))
    # urllib3 retries the small pages of an index; files are retried here, because they resume.
    for scheme in ("http://", "https://"):
        opened.mount(scheme, HTTPAdapter(max_retries=urllib3.Retry(2, backoff_factor=PAUSE, status_forcelist=_PASSING)))
    return opened


def download(
    web: requests.Session, url: str, part: Path, *, sha256: str, size: int | None, label: str, progress: Progress
) -> None:
    """Download `url` into `part`, resuming an earlier attempt.

    Args:
        web: Session to use.
        url: Address of the file.
        part: File to fill; an existing one is the start of the content. It is kept on network failures, so that the
            next call can resume, and removed if its content is wrong.
        sha256: Digest of the whole file.
        size: Its size in bytes, None if unknown.
        label: What to call it in progress reports.
        progress: Called for every chunk.

    Raises:
        SourceError: The file cannot be downloaded.
        DataError: The server sends another file.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    if part.exists() and digest_file(part) == sha256:
        return
    address = without_credentials(url)
    for attempt in range(ATTEMPTS):
        resumed = part.exists() and part.stat().st_size > 0
        try:
            _transfer(web, url, part, size, lambda done, total: progress(done, total, label))
        except (_BrokenError, requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            if attempt == ATTEMPTS - 1:
                raise SourceError(f"{address}: {reason(error)}") from error
            time.sleep(PAUSE * 2**attempt)
            continue
        except requests.RequestException as error:
            raise SourceError(f"{address}: {reason(error)}") from error
        found = digest_file(part)
        if found == sha256:
            return
        part.unlink()
        if not resumed:
            raise DataError(f"{address}: sha256 is {found}, expected {sha256}")
        # The part from the earlier attempt may have been wrong: start over.
    raise SourceError(f"{address}: wrong content in each of {ATTEMPTS} attempts")


def reason(error: Exception) -> str:
    """The innermost cause in a few words, without class names and passwords."""
    inner = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    cause = getattr(inner, "reason", None) or inner
    return without_credentials(re.sub(r"^\w+\([^)]*\): ", "", str(cause)))


def _transfer(
    web: requests.Session, url: str, part: Path, size: int | None, report: Callable[[int, int | None], None]
) -> None:
    have, limit = part.stat().st_size if part.exists() else 0, size or LARGEST_CONTAINER
    if size is not None and have >= size:
        if have == size:
            return
        part.unlink()
        have = 0
    # "identity": the file's own bytes, not compressed for the transfer.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with web.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 416:
            part.unlink(missing_ok=True)
            raise _BrokenError("the server cannot resume the download")
        if answer.status_code in _PASSING:
            raise _BrokenError(f"HTTP {answer.status_code} {answer.reason}")
        answer.raise_for_status()
        continues = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        done = have if continues else 0
        length = answer.headers.get("Content-Length", "")
        total = size or (done + int(length) if length.isdigit() else None)
        report(done, total)
        with part.open("ab" if continues else "wb") as sink:
            for chunk in answer.raw.stream(CHUNK, decode_content=False):
                done += len(chunk)
                if done > limit:
                    part.unlink()
                    raise DataError(f"{without_credentials(url)} is larger than the declared {limit} bytes")
                sink.write(chunk)
                report(done, total)
        if total is not None and done < total:
            raise _BrokenError(f"the transfer ended after {done} of {total} bytes")
