"""What samples are asked to be, in words."""

import moyopy
import pytest

from xtalcodec.priors.about import PriorError
from xtalcodec.priors.asked import asked
from xtalcodec.priors.conditions import Conditions, Limits


def test_words_are_conditions():
    assert asked() == Conditions()
    assert asked(elements="Ti, O", sites="6-20", crystal_system="Cubic") == Conditions(
        elements=(8, 22), sites=(6, 20), system="cubic"
    )
    assert asked(composition="TiO2", sites="6").composition == {22: 1, 8: 2}
    assert asked(composition="Ti O 2").composition == {22: 1, 8: 2}
    assert asked(sites="6").sites == (6, 6)
    assert asked(space_group="Fm-3m").space_group == asked(space_group="225").space_group == 225
    assert asked(space_group="P6_3/mmc").space_group == 194
    assert asked(properties=["band_gap=1.5"]).properties == {"band_gap": 1.5}


@pytest.mark.parametrize(
    ("symbol", "number"),
    [("P21/c", 14), ("P 1 21/c 1", 14), ("P2_1/n", 14), ("Pbnm", 62), ("Cmca", 64), ("fm-3m", 225), ("R-3m:H", 166)],
)
def test_a_space_group_may_be_spelled_as_files_have_it(symbol, number):
    assert asked(space_group=symbol).space_group == number


def test_every_short_symbol_is_its_own_group():
    symbols = [moyopy.SpaceGroupType(number).hm_short for number in range(1, 231)]
    assert [asked(space_group=symbol).space_group for symbol in symbols] == [*range(1, 231)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"elements": "Ti,Xx"}, "elements Ti,Xx: there is no element 'Xx'"),
        ({"composition": "TiO2.5"}, r"TiO2\.5: no formula of whole numbers"),
        ({"composition": "??"}, r"\?\?: no formula"),
        ({"sites": "six"}, "sites six: write a number, or a range as 6-20"),
        ({"space_group": "Fm3m3"}, "space group Fm3m3: no number"),
        ({"space_group": "B2"}, "space group B2: no number from 1 to 230, and the symbol of 3 and 5"),
        ({"space_group": "0"}, "space group 0: no number from 1 to 230"),
        ({"space_group": "²"}, "space group ²: no number from 1 to 230"),
        ({"sites": "²"}, "sites ²: write a number"),
        ({"properties": ["band_gap"]}, "property band_gap: write name=number"),
        ({"properties": ["band_gap=nan"]}, "property band_gap=nan: write name=number"),
        ({"properties": ["band_gap=1", "band_gap=2"]}, "band_gap cannot be both 1 and 2"),
        ({"elements": " , "}, "elements ' , ': there is none"),
        ({"elements": ""}, "elements: nothing is given"),
        ({"composition": " "}, "composition: nothing is given"),
        ({"sites": ""}, "sites: nothing is given"),
        ({"space_group": ""}, "space group: nothing is given"),
        ({"crystal_system": ""}, "crystal system: nothing is given"),
    ],
)
def test_words_that_mean_nothing_are_told(words, message):
    with pytest.raises(PriorError, match=message):
        asked(**words)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (Conditions(sites=(0, 0)), "a cell has at least one site, not 0"),
        (Conditions(sites=(6, 5)), "from 6 to 5 sites: the first is the larger one"),
        (Conditions(properties={"band_gap": float("nan")}), "band_gap is asked to be nan, which is no number"),
        (Conditions(properties={"band_gap": -1.0}), "band_gap is asked to be -1, and is never negative"),
        (Conditions(elements=(11, 17), holding={8: 1}), "O is to be there, and is none of the elements"),
        (Conditions(space_group=225, system="trigonal"), "space group 225 is cubic, not trigonal"),
        (Conditions(space_group=230, sites=(1, 7)), r"makes at least 8 sites of one.* at most 7 on 7 sites"),
        (Conditions((11, 17), space_group=230), r"makes at least 8 sites of one.* at most 4 on 8 sites"),
        (
            Conditions(composition={11: 1, 17: 3}, space_group=19),
            r"makes at least 4 sites of one.* at most 2 on 8 sites",
        ),
    ],
)
def test_conditions_that_contradict_themselves_are_told(conditions, message):
    with pytest.raises(PriorError, match=message):
        conditions.check(Limits((11, 17), 2, 8, ("band_gap",)))


def test_groups_that_there_is_room_for_are_not():
    limits = Limits((11, 17), 2, 8, ())
    Conditions(space_group=230, sites=(1, 8)).check(limits)
    Conditions((11, 17), space_group=19).check(limits)
    Conditions(composition={11: 1, 17: 3}, space_group=194).check(limits)


def test_elements_in_words_are_told():
    conditions = Conditions()
    object.__setattr__(conditions, "elements", ("Na", "Cl"))
    with pytest.raises(PriorError, match="elements are given by their atomic numbers, not as Cl, Na"):
        conditions.check(Limits((11, 17), 2, 8, ()))
