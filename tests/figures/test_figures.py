"""Figures show their rows and arrays, and are the same bytes every time."""

import io

import numpy as np
import pytest
from PIL import Image

from ghbench.errors import DataError, UsageError
from ghbench.figures import (
    CedCurve,
    IntervalRow,
    LevelCurve,
    LevelPoint,
    ced_figure,
    confusion_figure,
    interval_figure,
    level_figure,
    roc_curve,
    roc_figure,
    save_figure,
)

pytest.importorskip("matplotlib", reason="needs the extra report")

ROWS = [
    IntervalRow(1, "trained", 0.95, 0.93, 0.97, "better"),
    IntervalRow(2, "pixels", 0.83, 0.80, 0.87, "same"),
    IntervalRow(2, "random-trunk", 0.82, 0.79, 0.85, "floor"),
]


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def curve(name="trained", shift=2.0, floor=False):
    rng = np.random.default_rng(0)
    same = np.arange(3000) < 1000
    return roc_curve(name, rng.standard_normal(3000) + shift * same, same, couples=500, floor=floor)


def test_the_forest_plot_names_every_row_in_order_with_its_numbers():
    figure = interval_figure(ROWS, "accuracy", "orl", "40 people")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [row.name for row in ROWS]
    assert "[0.930, 0.970]" in texts(figure)
    assert "40 people" in figure.axes[0].get_xlabel()


def test_the_band_is_the_interval_of_the_best_row_to_beat():
    seeds = [*ROWS, IntervalRow(4, "random-trunk:seed=1", 0.78, 0.75, 0.81, "floor")]
    band = interval_figure(seeds, "accuracy", "orl").axes[0].patches[0]
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.79, 0.85))


def test_standing_shows_in_the_fill_and_not_in_the_colour_alone():
    axes = interval_figure(ROWS, "accuracy", "orl").axes[0]
    points = [line for line in axes.lines if line.get_marker() in {"o", "D"} and len(line.get_xdata())]
    signs = [(point.get_marker(), point.get_markerfacecolor() == "white") for point in points]
    assert signs == [("o", False), ("o", True), ("D", True)]


def test_roc_curves_start_at_one_impostor_and_shade_what_ten_couples_cannot_resolve():
    axes = roc_figure([curve(), curve("random-trunk", 0.5, floor=True)], "orl").axes[0]
    assert axes.get_xscale() == "log"
    assert axes.get_xlim() == pytest.approx((1 / 2000, 1))
    assert axes.patches[0].get_x() + axes.patches[0].get_width() == pytest.approx(10 / 500)


def test_a_pair_in_many_fold_assignments_counts_once_in_each():
    same = np.array([True, False, False, False])
    assert (
        roc_curve("a", np.array([3.0, 2.0, 1.0, 0.0]), same, np.array([20.0, 20.0, 10.0, 10.0]), couples=3).impostors
        == 2.0
    )


def test_levels_are_drawn_in_their_order_beside_rows_without_levels():
    levels = LevelCurve(
        "ghfeat",
        (LevelPoint("r4", 0.7, 0.6, 0.8), LevelPoint("r8", 0.9, 0.8, 0.95), LevelPoint("rgb", 0.6, 0.5, 0.7)),
    )
    axes = level_figure(levels, [("pixels", 0.65), ("best", 0.99)], "accuracy", "orl", "40 people").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["r4", "r8", "rgb"]
    assert axes.lines[0].get_ydata().tolist() == [0.7, 0.9, 0.6]
    assert [line.get_label() for line in axes.lines[1:]] == ["best  0.990", "pixels  0.650"]
    assert "40 people" in axes.get_ylabel()
    with pytest.raises(DataError, match="2"):
        level_figure(LevelCurve("a", levels.points[:2]), [], "accuracy", "orl")


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_equal_figures_are_equal_bytes(tmp_path, kind):
    paths = [save_figure(interval_figure(ROWS, "accuracy", "orl"), tmp_path / f"{n}.{kind}") for n in "ab"]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_saved_image_is_not_empty(tmp_path):
    path = save_figure(roc_figure([curve()], "orl"), tmp_path / "roc.png")
    image = np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("RGB"))
    assert image.shape[1] == 1140
    assert 0.02 < np.mean(image != 255) < 0.5


def test_nothing_to_draw_and_an_unknown_format_are_errors(tmp_path):
    with pytest.raises(DataError, match="rows"):
        interval_figure([], "accuracy", "orl")
    with pytest.raises(DataError, match="curves"):
        roc_figure([], "orl")
    with pytest.raises(UsageError, match=r"roc\.gif"):
        save_figure(roc_figure([curve()], "orl"), tmp_path / "roc.gif")


def test_the_share_of_faces_rises_with_the_error():
    curves = [CedCurve("trained", np.array([0.02, 0.04, 0.5])), CedCurve("pixels", np.array([0.1, 0.1]), floor=True)]
    axes = ced_figure(curves, "landmarks").axes[0]
    drawn = {line.get_label(): line for line in axes.lines}
    assert list(drawn) == ["pixels  10.00", "trained  18.67"], "by their mean error"
    assert list(drawn["trained  18.67"].get_xdata()) == pytest.approx([2, 4, 50])
    assert list(drawn["trained  18.67"].get_ydata()) == pytest.approx([1 / 3, 2 / 3, 1])
    with pytest.raises(DataError, match="no curves"):
        ced_figure([], "landmarks")


def test_a_confusion_matrix_holds_shares_of_the_true_class():
    figure = confusion_figure(np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1]), ["cat", "dog"], "which")
    assert figure.axes[0].images[0].get_array().tolist() == [[0.75, 0.25], [0, 1]]
    assert set(texts(figure)) == {".75", ".25", "1.00"}
