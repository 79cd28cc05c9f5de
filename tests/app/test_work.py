"""What the pages have done in the background."""

import numpy as np
import pytest
from ase.build import bulk

from xtalcodec import Crystal
from xtalcodec.app.work import Between

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
