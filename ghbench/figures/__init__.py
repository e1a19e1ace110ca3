"""All plots, in one style: intervals of a table, values by level, ROC and error curves, confusions. Extra `report`."""

from ghbench.figures.ced import CedCurve, ced_figure
from ghbench.figures.confusion import confusion_figure
from ghbench.figures.intervals import IntervalRow, interval_figure
from ghbench.figures.levels import LevelCurve, LevelPoint, level_figure
from ghbench.figures.roc import RocCurve, roc_curve, roc_figure
from ghbench.figures.style import save_figure

__all__ = [
    "CedCurve",
    "IntervalRow",
    "LevelCurve",
    "LevelPoint",
    "RocCurve",
    "ced_figure",
    "confusion_figure",
    "interval_figure",
    "level_figure",
    "roc_curve",
    "roc_figure",
    "save_figure",
]
