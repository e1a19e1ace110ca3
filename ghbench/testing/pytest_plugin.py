"""For pytest: `pytest --ghbench my-features` runs the kit of a plugin as a test of its own.

The ini option `ghbench_plugins` lists plugins that every run checks, a line each. What cannot be checked because data
or weights are not on this machine is skipped, with the reason.
"""

from __future__ import annotations

from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the plugin."""
    text = "check a ghbench plugin against the contract of its kind; repeatable: NAME, my_pkg.my_module:MyNet"
    parser.getgroup("ghbench").addoption("--ghbench", action="append", default=[], metavar="SPEC", help=text)
    parser.addini("ghbench_plugins", "spec strings of ghbench plugins to check", type="linelist", default=[])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add a test for each plugin."""
    specs = dict.fromkeys([*config.getini("ghbench_plugins"), *config.getoption("--ghbench")])
    items.extend(ConformanceItem.from_parent(session, name=f"ghbench[{spec}]", spec=spec) for spec in specs)


class ConformanceItem(pytest.Item):
    """The kit of one plugin."""

    def __init__(self, *, spec: str, **about: Any) -> None:
        super().__init__(**about)
        self.spec = spec

    def runtest(self) -> None:
        """Check it, or skip where this machine lacks something."""
        from ghbench.errors import MissingError
        from ghbench.testing import check_plugin

        try:
            check_plugin(self.spec)
        except MissingError as error:
            pytest.skip(str(error))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The sentence of the contract that does not hold; other errors with their traceback."""
        from ghbench.errors import UserError
        from ghbench.testing import ConformanceError

        broken = isinstance(excinfo.value, ConformanceError | UserError)
        return str(excinfo.value) if broken else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """What pytest calls the test."""
        return self.path, None, self.name
