"""The leaderboards as a static site: a page for each task, system and result; no server, no network, no tracker."""

from ghbench.site.build import build_site

__all__ = ["build_site"]
