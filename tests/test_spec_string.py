"""The grammar of spec strings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghbench.errors import UsageError
from ghbench.spec_string import SpecString, parse

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="/.~"), max_size=12)


@given(name=NAMES, package=st.none() | NAMES, options=st.dictionaries(NAMES, VALUES, max_size=4))
def test_canonical_form_parses_back_to_the_same_spec(name, package, options):
    spec = SpecString(name, package, None, options)
    assert parse(str(spec)) == spec


def test_options_attribute_and_package_are_told_apart():
    assert parse("mobilenet-v2:level=all,policy=each").options == {"level": "all", "policy": "each"}
    assert parse("my_pkg.my_module:MyNet,width=2") == SpecString("my_pkg.my_module", None, "MyNet", {"width": "2"})
    assert parse("acme/resnet").package == "acme"


def test_escaped_comma_stays_in_the_value():
    assert parse(r"a:text=one\,two,b=1").options == {"text": "one,two", "b": "1"}


def test_dotted_options_become_a_nested_spec():
    grouped = parse("linear:dataset=imagefolder,dataset.path=./x").grouped()
    assert isinstance(grouped["dataset"], SpecString)
    assert grouped["dataset"].name == "imagefolder"
    assert grouped["dataset"].options["path"].endswith("/x")


def test_paths_become_absolute():
    assert parse("imagefolder:path=./photos").options["path"].startswith("/")


@pytest.mark.parametrize("text", ["", "a:", "a:b=1,b=2", "a:b=1,c", "a b", "a/b/c", "a:1x=2", ":b=1"])
def test_text_outside_the_grammar_is_refused(text):
    with pytest.raises(UsageError):
        parse(text)


def test_a_spec_as_options_of_another_one_comes_back():
    for text in ("digits", "imagefolder:path=/x,size=3", "package/name:a=b", "my.module:Data:size=2"):
        spec = parse(text) if text.count(":") < 2 else SpecString("my.module", None, "Data", {"size": "2"})
        assert str(SpecString("linear", options=spec.nested("dataset")).grouped()["dataset"]) == str(spec)
