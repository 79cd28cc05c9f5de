"""Pure elements in structures of others: at their own volumes, atoms apart."""

import numpy as np
import pytest
from ase.data import reference_states
from pymatgen.core import Element

from xtalcodec.evaluation.generation.pure_elements import LARGEST, pure
from xtalcodec.geometry.room import room
from xtalcodec.geometry.symmetry import space_group_number


@pytest.mark.parametrize("z", [3, 28, 47, 78])
def test_a_metal_is_tried_on_its_own_lattice_at_its_own_volume(z):
    """Of the close-packed and centred metals, ASE's lattice constants and pymatgen's molar volumes agree to 4 %."""
    known, made = reference_states[z], pure(z)
    atoms = {"fcc": 4, "bcc": 2}[known["symmetry"]]
    group = {"fcc": 225, "bcc": 229}[known["symmetry"]]
    (own,) = [one for one in made if space_group_number(one) == group and len(one) == 1]
    assert own.volume == pytest.approx(known["a"] ** 3 / atoms, rel=0.04)
    assert own.name.startswith(f"{Element.from_Z(z).symbol} in A_c")


@pytest.mark.parametrize("z", [1, 9, 17, 92])
def test_all_are_of_the_element_small_and_apart(z):
    made = pure(z)
    assert len(made) > 10
    for one in made:
        assert (one.numbers == z).all()
        assert len(one) <= LARGEST
        assert not room(one).reasons
    assert np.ptp([one.volume / len(one) for one in made]) < 1e-6


def test_astatine_of_no_known_volume_has_none():
    assert pure(85) == []
