"""Extended XYZ: the line of key=value, and what ASE writes of disordered crystals."""

import numpy as np
import pytest
from ase import Atoms
from ase.io import write as ase_write

from xtalcodec.crystal import Crystal
from xtalcodec.io.read import Unusable, read

LATTICE = 'Lattice="4 0 0 0 4 0 0 0 4"'
ROWS = "Na 0 0 0\nCl 2 2 2\n"


def read_one(folder, comment: str) -> Crystal | Unusable:
    (folder / "x.extxyz").write_bytes(f"2\n{comment}\n{ROWS}".encode())
    (found,) = read(folder / "x.extxyz")
    return found


@pytest.mark.parametrize(
    "title",
    [
        "was pbc=F and more",
        "was Lattice=9 and more",
        'was Lattice=\\"9 0 0 0 9 0 0 0 9\\" once',
        "was Properties=pos:R:3:species:S:1 once",
    ],
)
def test_keys_within_quotes_are_text(tmp_path, title):
    crystal = read_one(tmp_path, f'title="{title}" {LATTICE}')
    assert isinstance(crystal, Crystal), crystal
    assert crystal.volume == pytest.approx(64)
    assert crystal.symbols == ["Na", "Cl"]
    assert crystal.properties == {"title": title.replace("\\", "")}


@pytest.mark.parametrize("pbc", ["pbc=F", 'PBC="T T F"', "'pbc'=[1,1,0]"])
def test_keys_of_their_own_count(tmp_path, pbc):
    assert "not periodic" in read_one(tmp_path, f"title=x {LATTICE} {pbc}").reason


@pytest.mark.parametrize("mark", ["\x85", "\x0c", "\u2028", "\x1c"])
def test_only_ends_of_lines_end_lines(tmp_path, mark):
    crystal = read_one(tmp_path, f'{LATTICE} title="a{mark}b"')
    assert isinstance(crystal, Crystal), crystal
    assert crystal.properties == {"title": f"a{mark}b"}


@pytest.mark.parametrize("fmt", ["extxyz", "traj"])
def test_disordered_crystals_of_ase_stay_disordered(tmp_path, fmt):
    """A trajectory keeps no kinds of sites: those of this one are in their order."""
    atoms = Atoms("NaCl", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], cell=[4, 4, 4], pbc=True)
    atoms.info["occupancy"] = {"0": {"Na": 0.75, "K": 0.25}, "1": {"Cl": 1.0}}
    atoms.set_array("spacegroup_kinds", np.arange(2))
    ase_write(tmp_path / f"x.{fmt}", atoms)
    (crystal,) = read(tmp_path / f"x.{fmt}")
    assert crystal.sites_shares() == [[(11, 0.75), (19, 0.25)], [(17, 1.0)]]
    assert not crystal.properties
    assert not crystal.site_properties


def test_occupancies_that_fit_no_site_are_told(tmp_path):
    for occupancy in ("0.5", r'"_JSON {\"7\": {\"Na\": 1.0}}"'):
        found = read_one(tmp_path, f"{LATTICE} occupancy={occupancy}")
        assert "its occupancy does not map every kind of site" in found.reason
