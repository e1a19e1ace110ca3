"""A cache of its own for each test, a manifest written by the test, and a local web server that can misbehave."""

import hashlib
import http.server
import io
import tarfile
import threading
import zipfile

import pytest

from ghbench.assets import manifest, store


def sha(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch, request):
    """An empty cache, no index but those that a test sets up, and no waiting between attempts."""
    if request.node.get_closest_marker("network"):
        return None  # real assets are shared by all tests
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GHBENCH_OFFLINE", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for variable in ("PIP_INDEX_URL", "PIP_CERT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("ghbench.assets.download.PAUSE", 0.0)
    monkeypatch.setattr(store, "_verified", {})
    return tmp_path / "cache" / "assets"


@pytest.fixture
def declare(tmp_path, monkeypatch):
    """Write a manifest with one asset; returns nothing, the asset is then known under its name."""

    def write(text):
        path = tmp_path / f"manifest-{sha(text.encode())[:8]}.toml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setattr(manifest, "MANIFEST", path)

    return write


@pytest.fixture
def toy(declare):
    """Declare the asset `toy`: one member, `a.bin`, and the sources given as TOML text."""

    def write(content, *sources, path="pkg/a.bin", size=None):
        blocks = "".join(f"[[toy.sources]]\n{source}\n" for source in sources)
        declare(
            f'[toy]\nversion = "1"\ntitle = "Toy"\nlicence = "ours"\ncitation = ""\n[toy.members]\n'
            f'"a.bin" = {{ path = "{path}", sha256 = "{sha(content)}", size = {size or len(content)} }}\n{blocks}'
        )

    return write


@pytest.fixture
def archives():
    """Builders of archives in memory: `zip(entries)`, `tar(entries, mode)`, `deb(entries, compression)`."""

    class Archives:
        @staticmethod
        def zip(entries):
            stream = io.BytesIO()
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in entries:
                    archive.writestr(name, content)
            return stream.getvalue()

        @staticmethod
        def tar(entries, mode="gz"):
            stream = io.BytesIO()
            with tarfile.open(fileobj=stream, mode=f"w:{mode}") as archive:
                for info, content in entries:
                    info = tarfile.TarInfo(info) if isinstance(info, str) else info
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
            return stream.getvalue()

        @classmethod
        def deb(cls, entries, compression="xz"):
            parts = [
                ("debian-binary", b"2.0\n"),
                ("control.tar.gz", cls.tar([("./control", b"Package: toy")])),
                (f"data.tar.{compression}", cls.tar(entries, compression)),
            ]
            body = b"!<arch>\n"
            for name, content in parts:
                body += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
                body += content + b"\n" * (len(content) % 2)
            return body

    return Archives


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` (path -> bytes) and notes `requests`; `cut` bytes are sent before the line drops, once a path."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.requests, self.cut, self.headers, self.ranges = {}, [], {}, [], True

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_):
        """A client that hangs up is part of the tests."""

    def index(self, project, filename, content, digest=None):
        """Offer a package file through the simple API and return the index's address."""
        link = f'<a href="/files/{filename}#sha256={digest or sha(content)}">{filename}</a>'
        self.files[f"/simple/{project}/"] = f"<!DOCTYPE html><html><body>{link}</body></html>".encode()
        self.files[f"/files/{filename}"] = content
        return f"{self.url}/simple/"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, server = self.path, self.server
        wanted = self.headers.get("Range", "")
        server.requests.append((path, wanted))
        server.headers.append(dict(self.headers))
        if path not in server.files:
            self.send_error(404)
            return
        content = server.files[path]
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Type", "text/html" if path.startswith("/simple") else "application/octet-stream")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : server.cut.pop(path, len(content))])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
