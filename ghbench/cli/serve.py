"""`ghbench serve`: the site of all leaderboards, with one's own results, in the browser."""

from __future__ import annotations

import functools
import tempfile
import threading
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer

from ghbench.cli.terminal import complain, say

HERE = "127.0.0.1"


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it.")] = True,
    own_only: Annotated[bool, typer.Option("--own", help="Leave published rows out.")] = False,
) -> None:
    """Build the site of all leaderboards into a temporary folder and show it, on this machine only; Ctrl-C ends it.

    ghbench serve
    """
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    from ghbench.errors import UsageError
    from ghbench.site import build_site
    from ghbench.tables.select import Choice

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Requests are not listed."""

    with tempfile.TemporaryDirectory() as folder:
        handler = functools.partial(Quiet, directory=str(Path(folder) / "site"))
        try:
            server = ThreadingHTTPServer((HERE, port), handler)
        except OSError as error:
            raise UsageError(f"port {port} cannot be used: {error.strerror or error}", fix="--port 0") from error
        with server:
            complain("building the site: a minute or two where many rows are published")
            build_site(Path(folder) / "site", Choice(own=own_only))
            address = f"http://{HERE}:{server.server_port}/"
            say(address)
            if browser:  # some browsers return only when they are closed
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
            server.serve_forever()
