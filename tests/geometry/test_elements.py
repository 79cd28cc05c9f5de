"""Names of the elements."""

import pytest
from pymatgen.core import Element

from xtalcodec.geometry.elements import atomic_number, symbol


def test_every_element_is_known_by_its_name():
    assert all(atomic_number(symbol(z)) == z == Element.from_Z(z).number for z in range(1, 119))
    assert atomic_number(" Ti ") == 22


@pytest.mark.parametrize("text", ["X", "Xx", "", "ti", "22"])
def test_what_no_element_is_called_is_refused(text):
    with pytest.raises(ValueError, match=f"there is no element '{text}'"):
        atomic_number(text)
