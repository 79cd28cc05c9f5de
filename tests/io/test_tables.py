"""Tables as others write them: LeMat-Bulk's OPTIMADE columns, ASE's arrays, pymatgen's structures, CIF text."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymatgen.core import Lattice, Structure

from xtalcodec.crystal import Crystal
from xtalcodec.io.read import Unusable, read
from xtalcodec.io.write import write, write_parquet

CELL = [[4.1, 0.0, 0.0], [0.0, 5.2, 0.0], [0.0, 0.3, 6.3]]
FRAC = np.array([[0.0, 0, 0], [0.25, 0.5, 0.5]])
CARTESIAN = (FRAC @ np.array(CELL)).tolist()
STRUCTURE = Structure(Lattice(CELL), ["Ge", "O"], FRAC)
PLAIN = {
    "lattice": {"matrix": CELL},
    "sites": [
        {"species": [{"element": x, "occu": 1}], "abc": y} for x, y in zip(["Ge", "O"], FRAC.tolist(), strict=True)
    ],
}


def rows(table: str) -> list[dict]:
    optimade = {"immutable_id": "agm-1", "lattice_vectors": CELL, "cartesian_site_positions": CARTESIAN}
    optimade |= {"species_at_sites": ["Ge", "O"], "elements": ["Ge", "O"], "dimension_types": [1, 1, 1], "energy": -1.0}
    ase = {"id": 7, "positions": CARTESIAN, "cell": CELL, "pbc": [True] * 3, "forces": CARTESIAN}
    return {
        "optimade": [optimade],
        "ase": [{**ase, "numbers": [32, 8]}],
        "omat": [{**ase, "atomic_numbers": [32, 8], "pos": CARTESIAN}],
        "flat": [{"numbers": [32, 8], "positions": np.ravel(CARTESIAN).tolist(), "cell": np.ravel(CELL).tolist()}],
        "pymatgen": [{"material_id": "mp-1", "structure": PLAIN}],
        "pymatgen text": [{"material_id": "mp-1", "structure": json.dumps(STRUCTURE.as_dict())}],
        "cif": [{"material_id": "mp-1", "cif": STRUCTURE.to(fmt="cif"), "cif_note": "x"}],
        "fractional": [{"atomic_numbers": [32, 8], "frac_coords": FRAC.tolist(), "lattice": CELL}],
    }[table]


@pytest.mark.parametrize("name", ["optimade", "ase", "omat", "flat", "pymatgen", "pymatgen text", "cif", "fractional"])
def test_parquet_of_many_writers(tmp_path, name):
    pq.write_table(pa.Table.from_pylist(rows(name) * 2), tmp_path / "x.parquet")
    for crystal in read(tmp_path / "x.parquet"):
        assert not isinstance(crystal, Unusable), crystal
        assert crystal.numbers.tolist() == [32, 8]
        assert crystal.volume == pytest.approx(STRUCTURE.volume)
        away = crystal.frac_coords[1] - crystal.frac_coords[0] - FRAC[1]
        np.testing.assert_allclose(away - np.round(away), 0, atol=1e-7)
        ids = [str(rows(name)[0][key]) for key in ("immutable_id", "id", "material_id") if key in rows(name)[0]]
        assert crystal.name in (ids or ["x#1", "x#2"])


def test_a_table_without_crystals_says_which_columns_it_would_need(tmp_path):
    pq.write_table(pa.table({"energy": [1.0]}), tmp_path / "x.parquet")
    (found,) = read(tmp_path / "x.parquet")
    assert "no column of crystals" in found.reason


@pytest.mark.parametrize("suffix", ["json", "parquet"])
def test_notes_are_kept(tmp_path, suffix):
    crystal = Crystal(np.array(CELL), FRAC, np.array([32, 8]), "x", ("isotopes are read as their element: D1",))
    path = tmp_path / f"x.{suffix}"
    if suffix == "json":
        write(crystal, path, "json")
        assert Structure.from_file(path).properties["notes"] == list(crystal.notes)
    else:
        write_parquet([crystal], path)
    (back,) = read(path)
    assert back.notes == crystal.notes
