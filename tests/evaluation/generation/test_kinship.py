"""Who is the same as whom: crystals moved and enlarged, and StructureMatcher without the short cuts."""

from sqlite3 import connect

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation.judging import silent
from xtalcodec.evaluation.generation.memo import Memo, crystal_hash
from xtalcodec.evaluation.generation.novelty import kinship
from xtalcodec.parallel import open_pool


def rock_salt(a="Na", b="Cl", edge=5.64):
    return Crystal.from_pymatgen(
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(edge), [a, b], [[0, 0, 0], [0.5, 0.5, 0.5]])
    )


def caesium_chloride(a="Na", b="Cl"):
    return Crystal.from_pymatgen(Structure(Lattice.cubic(3.5), [a, b], [[0, 0, 0], [0.5, 0.5, 0.5]]))


def compared(crystals, training=()):
    mine, theirs = ({crystal_hash(c): c for c in part} for part in (crystals, training))
    with open_pool() as pool:
        kin = kinship(mine, theirs, Memo(), pool, silent)
    own, other = list(mine), list(theirs)
    return (
        [own.index(kin.first[k]) for k in own],
        [None if kin.twin[k] is None else other.index(kin.twin[k]) for k in own],
    )


def test_a_moved_enlarged_or_primitive_crystal_is_the_same():
    salt = rock_salt()
    moved = salt.translated(np.array([0.1, 0.2, 0.3]))
    primitive = Crystal.from_pymatgen(salt.to_pymatgen().get_primitive_structure())
    crystals = [salt, caesium_chloride(), moved, rock_salt(edge=6.5), rock_salt("K"), primitive]
    first, twin = compared(crystals, [rock_salt("Mg", "O"), moved.translated(np.array([0.3, 0, 0])), rock_salt("K")])
    assert first == [0, 1, 0, 0, 4, 0]
    assert twin == [1, None, 1, 1, 2, 1]


def test_the_short_cuts_change_nothing(prototypes):
    matcher = StructureMatcher(stol=0.5, angle_tol=10, ltol=0.3)
    carbon = [c for c in prototypes if set(c.numbers) == {6} and len(c) <= 12]
    several = [*carbon, rock_salt(), caesium_chloride(), rock_salt(edge=5)]
    structures = [c.to_pymatgen() for c in several]
    expected: list[int] = []
    for k, structure in enumerate(structures):
        expected.append(next((j for j in sorted(set(expected)) if matcher.fit(structures[j], structure)), k))
    assert compared(several)[0] == expected
    assert len(carbon) > 3
    assert len(set(expected)) < len(several)


def test_what_is_kept_names_the_libraries_that_shape_it(tmp_path):
    salt = rock_salt()
    with open_pool() as pool, Memo(tmp_path / "memo") as memo:
        kinship({crystal_hash(salt): salt}, {crystal_hash(salt): salt}, memo, pool, silent)
    with connect(tmp_path / "memo") as database:
        names = [name for (name,) in database.execute("SELECT DISTINCT what FROM results")]
    assert len(names) == 3
    assert all("pymatgen=" in name and "moyopy=" in name for name in names)


def test_what_cannot_be_reduced_is_told():
    flat = Crystal(np.array([[4.0, 0, 0], [0, 4, 0], [3.9999, 0, 1e-4]]), np.zeros((1, 3)), np.array([6]))
    with open_pool() as pool:
        kin = kinship({"a": flat}, {}, Memo(), pool, silent)
    assert kin.failures["a"].startswith("its cell cannot be reduced: its cell is impossible: the volume is")
    assert kin.first == {}
    with pytest.raises(KeyError):
        kin.twin["a"]
