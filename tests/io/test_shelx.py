"""SHELX files: what is no row of an atom is told, whatever it was meant to be."""

import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.io.read import Unusable, read

HEAD = "TITL of two =\nCELL 0.71 4 4 4 90 90 90\nLATT -1\nSFAC Cs Cl\nUNIT 1 1\nCs1 1 0 0 -1.2e-17 11.0 0.05\n"


def read_one(folder, text: str) -> Crystal | Unusable:
    path = folder / "x.res"
    path.write_text(text)
    (found,) = read(path)
    return found


@pytest.mark.parametrize("row", ["Cl1 2 .5 .5 5.0E-1 1.0", "Cl1 2 0.5(1) .5 10.5 11(2) 0.05", "CL1 2 0.5 0.5 0.5"])
def test_numbers_are_read_in_every_way_they_are_written(tmp_path, row):
    crystal = read_one(tmp_path, f"{HEAD}{row}\nQ1 1 .1 .1 .1 11 .05\nHKLF 4\nEND\nno atom\n")
    assert isinstance(crystal, Crystal), crystal
    assert crystal.formula == "CsCl"
    np.testing.assert_allclose(crystal.frac_coords, [[0, 0, 0], [0.5, 0.5, 0.5]], atol=1e-12)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Cl1 -2 0.5 0.5 0.5 11.0", "'CL1 -2 0.5 0.5 0.5 11.0' is no instruction"),
        ("Cl1 2 0.5 0.5", "'CL1 2 0.5 0.5' is no instruction"),
        ("Cl1 2 0.5 0.5 o.5 11.0", "is no instruction"),
        ("Cl1 2 0.5 0.5 0.5 11.o", "is no instruction"),
        ("1Cl 2 0.5 0.5 0.5 11.0", "is no instruction"),
        ("+atoms.txt", "is no instruction"),
        ("Cl1 3 0.5 0.5 0.5 11.0", "element 3 of SFAC, which has 2"),
    ],
)
def test_no_row_of_an_atom_is_dropped_in_silence(tmp_path, row, reason):
    assert reason in read_one(tmp_path, f"{HEAD}{row}\nEND\n").reason


def test_a_file_that_is_cut_off_is_noticed(tmp_path):
    whole = f"{HEAD}Cl1 2 0.5 0.5 0.5 11.0\nHKLF 4\n"
    assert isinstance(read_one(tmp_path, whole), Crystal)
    for end in (len(HEAD), len(whole) - len("HKLF 4\n"), len(whole) - len(".0\nHKLF 4\n")):
        assert "it ends before END" in read_one(tmp_path, whole[:end]).reason
