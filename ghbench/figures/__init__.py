"""All plots, in one style: intervals of a ranked table, values by level, ROC curves. Needs the extra `report`."""

from ghbench.figures.intervals import IntervalRow, interval_figure
from ghbench.figures.levels import LevelCurve, LevelPoint, level_figure
from ghbench.figures.roc import RocCurve, roc_curve, roc_figure
from ghbench.figures.style import save_figure

__all__ = [
    "IntervalRow",
    "LevelCurve",
    "LevelPoint",
    "RocCurve",
    "interval_figure",
    "level_figure",
    "roc_curve",
    "roc_figure",
    "save_figure",
]
