"""Progress bars below a headline."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from rich.progress import Progress
from rich.text import Text


class Bars(Progress):
    """rich's progress bars below a headline."""

    _line = ""

    def head(self, line: str) -> None:
        """Set the line above the bars; it is cut at the terminal's width."""
        self._line = line
        self.refresh()

    def get_renderables(self) -> Iterable[RenderableType]:
        """The line, then the bars."""
        if self._line:
            yield Text(self._line, no_wrap=True, overflow="ellipsis")
        yield from super().get_renderables()
