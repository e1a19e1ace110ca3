"""The paper numbers levels from the finest; its numbers are aliases of our places."""

import pytest

from ghbench.errors import UsageError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord
from ghbench.generators.tiny import tiny_generator
from ghbench.ghfeat.network.layout import adain_layout, layout_of
from ghbench.levels import select_levels

LAYOUT = adain_layout({4: 512, 8: 512, 16: 512, 32: 512, 64: 256, 128: 128, 256: 64})


def spec_of(layout):
    return ExtractorSpec(
        name="ghfeat",
        version="1",
        levels=tuple(Level(level.name, level.width) for level in layout.levels),
        default_levels=(layout.levels[0].name,),
        preprocessing=Preprocessing(size=(256, 256)),
        weights_digest="0" * 64,
        training=TrainingRecord(),
        licence="none",
        aliases=layout.aliases,
    )


def test_level_number_and_layer_are_mirror_images():
    assert {number: LAYOUT.levels[14 - int(number)].name for number in LAYOUT.aliases} == {
        number: name for number, (name,) in LAYOUT.aliases.items()
    }
    assert LAYOUT.aliases["14"] == ("r4.const",)
    assert LAYOUT.aliases["1"] == ("r256.conv",)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("14", ("r4.const",)),
        ("5-9", ("r16.conv", "r32.up", "r32.conv", "r64.up", "r64.conv")),
        ("9-5", ("r16.conv", "r32.up", "r32.conv", "r64.up", "r64.conv")),
        ("1+14", ("r4.const", "r256.conv")),
        ("r16.conv-5", ("r16.conv", "r32.up", "r32.conv", "r64.up", "r64.conv")),
        ("r4-r8", ("r4.const", "r4.conv", "r8.up", "r8.conv")),
    ],
)
def test_numbers_choose_levels(expression, expected):
    assert select_levels(spec_of(LAYOUT), expression) == expected


def test_a_number_selects_both_levels_of_a_row_with_a_conversion_to_rgb():
    layout = layout_of(tiny_generator())
    assert layout.aliases["7"] == ("r4.rgb", "r8.up")
    assert layout.aliases["1"] == ("rgb",)
    assert select_levels(spec_of(layout), "7") == ("r4.rgb", "r8.up")


def test_w_is_one_code_and_has_no_number():
    assert layout_of(tiny_generator(), "w").aliases == {}


def test_an_unknown_number_lists_names_and_numbers():
    with pytest.raises(UsageError, match=r"15.*14, 13"):
        select_levels(spec_of(LAYOUT), "15")


def test_a_range_of_places_must_still_run_from_coarse_to_fine():
    with pytest.raises(UsageError, match="r16-r8"):
        select_levels(spec_of(LAYOUT), "r16-r8")
