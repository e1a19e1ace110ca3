"""Progress bars below a line that says what they are for."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from rich.progress import Progress
from rich.text import Text


class Bars(Progress):
    """rich's bars, with a line above them."""

    _line = ""

    def head(self, line: str) -> None:
        """Show this line above the bars from now on; it is cut where the terminal ends."""
        self._line = line
        self.refresh()

    def get_renderables(self) -> Iterable[RenderableType]:
        """The line, then the bars."""
        if self._line:
            yield Text(self._line, no_wrap=True, overflow="ellipsis")
        yield from super().get_renderables()
