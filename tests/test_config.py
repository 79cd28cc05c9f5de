import math
from dataclasses import FrozenInstanceError, field
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import Field

from xtalcodec.config import (
    Count,
    Kinds,
    NotNegative,
    Positive,
    SettingsError,
    Share,
    build,
    override,
    renamed,
    settings,
    unknown,
)


@settings
class Inner:
    RENAMED: ClassVar[dict[str, str]] = {"speed": "rate"}
    rate: float = 0.1
    layers: int = 2


@settings
class Middle:
    inner: Inner = field(default_factory=Inner)


@settings
class Outer:
    RENAMED: ClassVar[dict[str, str]] = {"title": "name", "centre": "middle"}
    name: str = "x"
    fast: bool = False
    elements: tuple[int, ...] = (1,)
    inner: Inner = field(default_factory=Inner)
    middle: Middle = field(default_factory=Middle)


@settings
class Ranges:
    positive: Positive = 1.0
    not_negative: NotNegative = 0.0
    share: Share = 0.5
    plain: float = 0.0
    count: Count = 1
    way: Literal["up", "down"] = "up"
    seed: Annotated[int, Field(ge=0)] = 0


class Shape(Kinds):
    """A family of settings."""


@settings
class Ball(Shape):
    RENAMED: ClassVar[dict[str, str]] = {"r": "radius"}
    kind: Literal["ball"] = "ball"
    radius: Positive = 1.0


class Boxes(Shape):
    """A branch of the family, none of its members itself."""


@settings
class Box(Boxes):
    kind: Literal["box"] = "box"
    edge: float = 2.0


@settings
class Scene:
    shape: Shape = field(default_factory=Ball)


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
        ({"name": 3}, "^name: input should be a valid string, not 3$"),
        ({"fast": 1}, "^fast: input should be a valid boolean, not 1$"),
        ({"inner": 3}, "inner is a group of settings, not 3"),
        ({"inner": None}, "inner is a group of settings, not None"),
        ({"inner": {"rate": "much"}}, r"^inner\.rate: input should be a valid number, not 'much'$"),
        ({"inner": {"rate": "1"}}, r"^inner\.rate: input should be a valid number, not '1'$"),
        ({"inner": {"rate": True}}, r"^inner\.rate: input should be a valid number, not True$"),
        ({"inner": {"layers": 2.5}}, r"^inner\.layers: input should be a valid integer, not 2\.5$"),
        ({"inner": {"layers": 2.0}}, r"^inner\.layers: input should be a valid integer, not 2\.0$"),
        ({"middle": {"inner": {"layers": True}}}, r"^middle\.inner\.layers: .*valid integer, not True$"),
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
    from xtalcodec.codecs.settings import CodecConfig

    assert build(CodecConfig, {"elements": [1, 8]}).elements == (1, 8)
    for wrong, message in ((5, "valid tuple, not 5"), (["O"], r"valid integer, not \('O',\)"), ("HO", "not 'HO'")):
        with pytest.raises(SettingsError, match=rf"^elements: input should be a .*{message}$"):
            build(CodecConfig, {"elements": wrong})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"positive": 0}, "positive: input should be greater than 0, not 0"),
        ({"not_negative": -0.1}, "not_negative: input should be greater than or equal to 0, not -0.1"),
        ({"positive": math.inf}, "positive: input should be a finite number, not inf"),
        ({"not_negative": math.inf}, "not_negative: input should be a finite number, not inf"),
        ({"not_negative": math.nan}, "not_negative: input should be a finite number, not nan"),
        ({"share": math.nan}, "share: input should be a finite number, not nan"),
        ({"plain": -math.inf}, "plain: input should be a finite number, not -inf"),
        ({"share": 1.5}, "share: input should be less than or equal to 1, not 1.5"),
        ({"share": -0.5}, "share: input should be greater than or equal to 0, not -0.5"),
        ({"count": 0}, "count: input should be greater than or equal to 1, not 0"),
        ({"seed": -1}, "seed: input should be greater than or equal to 0, not -1"),
        ({"way": "left"}, "way: input should be 'up' or 'down', not 'left'"),
    ],
)
def test_ranges_are_checked_however_settings_are_made(values, message):
    with pytest.raises(SettingsError) as caught:
        build(Ranges, values)
    assert str(caught.value) == message
    with pytest.raises(ValueError, match=message.split(":")[0]):
        Ranges(**values)
    ends = {"positive": 1e-9, "not_negative": 0, "share": 1, "count": 1, "seed": 0, "way": "down"}
    assert build(Ranges, ends) == Ranges(**ends)


def test_settings_cannot_be_written_into():
    with pytest.raises(FrozenInstanceError):
        Inner().rate = 1.0


def test_the_kind_says_which_of_a_family():
    assert Shape.members() == {"ball": Ball, "box": Box}
    assert Boxes.members() == {"box": Box}
    assert build(Scene, {}).shape == Ball()
    assert build(Scene, {"shape": {"radius": 3.0}}).shape == Ball(radius=3.0)
    assert build(Scene, {"shape": {"kind": "box", "edge": 3.0}}).shape == Box(edge=3.0)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"kind": "bal"}, r"no shape\.kind 'bal'; have ball, box\. Did you mean 'ball'\?"),
        ({"kind": 3}, r"shape\.kind is the name of a kind, not 3"),
        ({"kind": "box", "radius": 1.0}, r"no setting 'shape\.radius'; have shape\.edge, shape\.kind"),
        ({"edge": 1.0}, r"no setting 'shape\.edge'; have shape\.kind, shape\.radius"),
        ({"kind": "ball", "radius": 0.0}, r"shape\.radius: input should be greater than 0, not 0\.0"),
        ("ball", "shape is a group of settings, not 'ball'"),
    ],
)
def test_a_wrong_member_of_a_family_is_named(shape, message):
    with pytest.raises(SettingsError, match=message):
        build(Scene, {"shape": shape})


def test_old_keys_are_understood_with_a_note_wherever_they_stand():
    notes = []
    old = {"title": "y", "inner": {"speed": 0.5}, "centre": {"inner": {"speed": 0.25, "layers": 3}}}
    assert build(Outer, old, "codec.", notes.append) == Outer("y", inner=Inner(0.5), middle=Middle(Inner(0.25, 3)))
    assert sorted(notes) == [
        "codec.centre is called codec.middle now",
        "codec.inner.speed is called codec.inner.rate now",
        "codec.middle.inner.speed is called codec.middle.inner.rate now",
        "codec.title is called codec.name now",
    ]
    assert renamed(Outer, old) == {
        "name": "y",
        "inner": {"rate": 0.5},
        "middle": {"inner": {"rate": 0.25, "layers": 3}},
    }
    assert (
        build(Scene, {"shape": {"r": 3.0}})
        == build(Scene, {"shape": {"kind": "ball", "r": 3.0}})
        == Scene(Ball(radius=3.0))
    )
    assert old["centre"]["inner"]["speed"] == 0.25  # what was given is not written into


def test_new_keys_give_no_note():
    notes = []
    build(Outer, {"name": "y", "inner": {"rate": 0.5}}, note=notes.append)
    assert notes == []


@pytest.mark.parametrize("values", [{"title": "y", "name": "z"}, {"name": "z", "title": "y"}])
def test_an_old_key_beside_the_new_one_is_refused(values):
    with pytest.raises(SettingsError, match="title is the old name of name: give one of them"):
        build(Outer, values)
