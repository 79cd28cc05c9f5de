"""Names of the elements."""

import pytest
from pymatgen.core import Element

from xtalcodec.geometry.elements import atomic_number, cell_in_table, symbol


def test_every_element_is_known_by_its_name():
    assert all(atomic_number(symbol(z)) == z == Element.from_Z(z).number for z in range(1, 119))
    assert atomic_number(" Ti ") == 22


@pytest.mark.parametrize("text", ["X", "Xx", "", "ti", "22"])
def test_what_no_element_is_called_is_refused(text):
    with pytest.raises(ValueError, match=f"there is no element '{text}'"):
        atomic_number(text)


def test_every_element_has_a_place_of_its_own_in_the_table():
    places = {z: cell_in_table(z) for z in range(1, 119)}
    assert len(set(places.values())) == 118
    for z, (row, column) in places.items():
        element = Element.from_Z(z)
        if element.is_lanthanoid or element.is_actinoid:
            assert row == (8 if element.is_lanthanoid else 9)
        else:
            assert (row, column) == (element.row, element.group)
    assert all(places[z + 32] == (9, column) for z, (row, column) in places.items() if row == 8)
