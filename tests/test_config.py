from dataclasses import dataclass, field

import pytest

from xtalcodec.config import SettingsError, build, override, unknown


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1
    layers: int = 2


@dataclass(frozen=True)
class Middle:
    inner: Inner = field(default_factory=Inner)


@dataclass(frozen=True)
class Outer:
    name: str = "x"
    fast: bool = False
    elements: tuple[int, ...] = (1,)
    inner: Inner = field(default_factory=Inner)
    middle: Middle = field(default_factory=Middle)


def test_what_is_not_said_stays_at_its_default():
    assert build(Outer, {}) == Outer()
    assert build(Outer, {"inner": {"layers": 3}}) == Outer(inner=Inner(layers=3))


def test_groups_nest():
    built = build(Outer, {"name": "y", "fast": True, "elements": [1, 8], "middle": {"inner": {"rate": 0.5}}})
    assert built == Outer("y", True, (1, 8), Inner(), Middle(Inner(0.5)))


def test_whole_numbers_pass_for_real_ones():
    rate = build(Inner, {"rate": 1}).rate
    assert rate == 1
    assert isinstance(rate, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"naem": "y"}, r"no setting 'naem'; have elements, fast, inner, middle, name\. Did you mean 'name'\?"),
        ({"inner": {"layer": 3}}, r"no setting 'inner\.layer'; have .*Did you mean 'inner\.layers'\?"),
        ({"middle": {"inner": {"rates": 3}}}, r"no setting 'middle\.inner\.rates'.*'middle\.inner\.rate'\?"),
        ({"qqqqq": 1}, r"no setting 'qqqqq'; have [^?]*\.$"),
        ({"name": 3}, "name takes a str, not 3"),
        ({"fast": 1}, "fast takes a bool, not 1"),
        ({"inner": 3}, "inner is a group of settings, not 3"),
        ({"inner": None}, "inner is a group of settings, not None"),
        ({"inner": {"rate": "much"}}, r"inner\.rate takes a float, not 'much'"),
        ({"inner": {"rate": True}}, r"inner\.rate takes a float, not True"),
        ({"inner": {"layers": 2.5}}, r"inner\.layers takes a int, not 2\.5"),
        ({"inner": {"layers": True}}, r"inner\.layers takes a int, not True"),
    ],
)
def test_a_wrong_setting_is_named(values, message):
    with pytest.raises(SettingsError, match=message):
        build(Outer, values)


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("name=y", {"name": "y"}),
        ("name=", {"name": None}),
        ("name=a=b", {"name": "a=b"}),
        ("inner.rate=1e-3", {"inner": {"layers": 4, "rate": 0.001}}),
        ("inner.rate=-2E+5", {"inner": {"layers": 4, "rate": -2e5}}),
        ("inner.rate=0.5", {"inner": {"layers": 4, "rate": 0.5}}),
        ("inner.layers=3", {"inner": {"layers": 3}}),
        ("fast=true", {"fast": True}),
        ("elements=[1, 8]", {"elements": [1, 8]}),
        ("middle.inner.layers=3", {"middle": {"inner": {"layers": 3}}}),
    ],
)
def test_words_lie_on_top(word, result):
    below = {"inner": {"layers": 4}}
    assert override(below, [word]) == {"inner": {"layers": 4}} | result
    assert below == {"inner": {"layers": 4}}


def test_the_last_word_counts():
    assert override({}, ["inner.layers=3", "name=y", "inner.layers=5"]) == {"inner": {"layers": 5}, "name": "y"}


def test_what_lies_below_is_not_written_into():
    below = {"middle": {"inner": {"layers": 4}}}
    assert override(below, ["middle.inner.layers=5"]) == {"middle": {"inner": {"layers": 5}}}
    assert below == {"middle": {"inner": {"layers": 4}}}


@pytest.mark.parametrize("word", ["name", "", "=3", "--rate"])
def test_a_word_without_key_or_value_is_refused(word):
    with pytest.raises(SettingsError, match="is not key=value"):
        override({}, [word])


def test_a_setting_is_no_group():
    with pytest.raises(SettingsError, match=r"name\.x: name is no group of settings"):
        override({"name": "y"}, ["name.x=3"])


def test_a_value_that_is_not_yaml_is_refused():
    with pytest.raises(SettingsError, match=r"elements: '\[1, 8' is no value that YAML can read"):
        override({}, ["elements=[1, 8"])


def test_unknown_names_get_the_list_and_a_guess():
    assert unknown("codec", "map", ["perov-5", "mp"]) == "no codec 'map'; have mp, perov-5. Did you mean 'mp'?"
    assert unknown("codec", "zzz", ["mp"]) == "no codec 'zzz'; have mp."


def test_lists_are_checked_too():
    from xtalcodec.codecs.base import CodecConfig

    assert build(CodecConfig, {"elements": [1, 8]}).elements == (1, 8)
    for wrong in (5, ["O"], "HO"):
        with pytest.raises(SettingsError, match="elements takes a list of int"):
            build(CodecConfig, {"elements": wrong})
