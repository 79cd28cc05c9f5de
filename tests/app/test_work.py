"""What the pages have done in the background."""

import numpy as np
import pytest
from ase.build import bulk

from xtalcodec import Crystal
from xtalcodec.app.work import Between
from xtalcodec.codecs.decoding import DecodedCrystal
from xtalcodec.evaluation import along_path

ENDS = [Crystal.from_ase(bulk("NaCl", "rocksalt", a=a)) for a in (5.2, 6.2)]


@pytest.mark.parametrize("way", ["", "atoms", "line", "arc"])
def test_a_way_mixes_codes_or_moves_atoms_as_is_usual(mp, way):
    told = []
    found = Between(*ENDS, 3, way)(mp, lambda done, total: told.append((done, total)), lambda _: None)
    assert found["shares"] == [0.0, 0.5, 1.0]
    assert [row.crystal.formula for row in found["rows"]] == ["NaCl"] * 3
    assert told[-1][0] == told[-1][1] == (6 if way in ("", "atoms") else 5)
    codes, _ = Between(*ENDS, 3, way).decoded(mp, lambda _: None)
    mixed = np.allclose(codes[1].z, (codes[0].z + codes[2].z) / 2, atol=1e-6)
    assert mixed == (way == "line")


def test_a_disordered_crystal_has_no_energy(mp, monkeypatch):
    monkeypatch.setattr(along_path, "single_point", lambda *_: {"energy": -1.0})
    shared = Crystal.of_shares(ENDS[0].lattice, ENDS[0].frac_coords, [[(11, 0.6), (19, 0.4)], [(17, 1.0)]])
    codes = mp.encode(ENDS)
    found = [DecodedCrystal(shared, np.ones(2), 1.0)] * 2
    monkeypatch.setattr(Between, "decoded", lambda *_: (codes, found))
    told = Between(*ENDS, 2, energies=True)(mp, lambda *_: None, lambda _: None)
    assert told["energies"] == [None, None]
