"""Every plot, in one look: intervals of a ranked table, and ROC curves. Needs the extra `report`."""

from ghbench.figures.intervals import IntervalRow, interval_figure
from ghbench.figures.roc import RocCurve, roc_curve, roc_figure
from ghbench.figures.style import save_figure

__all__ = ["IntervalRow", "RocCurve", "interval_figure", "roc_curve", "roc_figure", "save_figure"]
