"""What a crystal is beside its sites goes from format to format; pymatgen and ASE are the judges of each file."""

import json
import sqlite3
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect
from ase.io import read as ase_read
from ase.io import write as ase_write
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.niggli import niggli
from xtalcodec.geometry.symmetry import conventional, primitive, right_handed
from xtalcodec.io.carried import MOST_BYTES, carrying, cell_value
from xtalcodec.io.read import Unusable, read
from xtalcodec.io.write import write, write_parquet
from xtalcodec.testing import crystals

CELL = np.array([[0.2, 4.1, 0.0], [0.0, 0.1, 5.2], [6.3, 0.0, 0.3]])
"""Å; not in the orientation that a CIF's six numbers stand for."""
FRAC = np.array([[0.0, 0, 0], [0.25, 0.5, 0.5]])
CRYSTAL = Crystal(CELL, FRAC, np.array([26, 8]), "x")
ANGLES = ("alpha", "beta", "gamma")
HOLDING = ("cif", "extxyz", "json", "parquet")


def reread(path) -> Crystal:
    (found,) = read(path)
    assert not isinstance(found, Unusable), found
    return found


def through(crystal: Crystal, folder, fmt: str) -> Crystal:
    path = folder / f"x.{fmt}"
    if fmt == "parquet":
        write_parquet([crystal], path)
    else:
        write(crystal, path, fmt)
    return reread(path)


names = st.text(min_size=1, max_size=12).filter(
    lambda name: name[0] != "@" and name.lower() not in {"notes", "properties", "lattice", "pbc", "site_properties"}
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
columns = st.one_of(
    [st.lists(kind, min_size=2, max_size=2) for kind in (values, st.booleans(), st.integers(), st.text(max_size=3))]
    + [st.lists(st.lists(st.floats(-9, 9), min_size=3, max_size=3), min_size=2, max_size=2)]
)


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(names, values.filter(lambda value: value is not None), max_size=4),
    st.dictionaries(names, columns, max_size=4),
    st.sampled_from(HOLDING),
)
def test_what_a_format_holds_comes_back_as_it_was(tmp_path_factory, properties, site_properties, fmt):
    given_crystal = carrying(CRYSTAL, properties, site_properties)
    back = through(given_crystal, tmp_path_factory.mktemp("carried"), fmt)
    assert dict(back.properties) == dict(given_crystal.properties)
    assert dict(back.site_properties) == dict(given_crystal.site_properties)
    if properties or site_properties:  # vectors are Cartesian: the orientation has to come back with them
        np.testing.assert_allclose(back.lattice, CRYSTAL.lattice, atol=1e-9)


MOMENTS = [[0.5, 0.0, 4.1], [0.0, 0.25, 0.0]]
KNOWN = carrying(
    CRYSTAL,
    {"formation_energy_per_atom": -1.25, "source": "a table of mine", "stable": True},
    {"magmom": MOMENTS, "oxidation_state": [3, -2], "charge": [0.7, -0.7]},
)


def test_ase_reads_what_extended_xyz_carries(tmp_path):
    write(KNOWN, tmp_path / "x.extxyz", "extxyz")
    atoms = ase_read(tmp_path / "x.extxyz")
    np.testing.assert_array_equal(atoms.get_initial_magnetic_moments(), MOMENTS)
    np.testing.assert_array_equal(atoms.get_initial_charges(), [0.7, -0.7])
    assert atoms.info["formation_energy_per_atom"] == -1.25
    assert atoms.info["source"] == "a table of mine"
    assert atoms.info["stable"]


def test_pymatgen_reads_what_json_and_cif_carry(tmp_path):
    write(KNOWN, tmp_path / "x.json", "json")
    structure = Structure.from_file(tmp_path / "x.json")
    assert structure.properties == dict(KNOWN.properties)
    assert structure.site_properties["magmom"] == MOMENTS
    write(KNOWN, tmp_path / "x.cif", "cif")
    bare = (tmp_path / "x.cif").read_text().partition("_xtalcodec")[0]
    (tmp_path / "bare.cif").write_text(bare)
    in_our_frame = reread(tmp_path / "bare.cif")
    turn = np.linalg.inv(KNOWN.lattice) @ in_our_frame.lattice
    np.testing.assert_allclose(in_our_frame.site_properties["magmom"], np.array(MOMENTS) @ turn, atol=1e-8)
    for given_structure in (structure, Structure.from_file(tmp_path / "x.cif")):
        assert [site.specie.oxi_state for site in given_structure] == [3, -2]


def test_an_ase_database_and_its_frames(tmp_path):
    atoms = Atoms("FeO", cell=CELL, scaled_positions=FRAC, pbc=True, magmoms=[4.0, 0.5], charges=[1.5, -1.5])
    forces = [[0.1, 0, 0], [-0.1, 0, 0]]
    atoms.calc = SinglePointCalculator(atoms, energy=-3.5, forces=forces, stress=[1.0, 2, 3, 4, 5, 6])
    with connect(tmp_path / "x.db") as database:
        database.write(atoms, material_id="m-7", band_gap=1.5)
    with connect(tmp_path / "y.json") as database:
        database.write(atoms, material_id="m-7", band_gap=1.5)
    ase_write(tmp_path / "x.extxyz", atoms)
    ase_write(tmp_path / "x.traj", atoms)
    for name in ("x.db", "y.json", "x.extxyz", "x.traj"):
        crystal = reread(tmp_path / name)
        assert crystal.properties["energy"] == -3.5
        assert crystal.site_properties["forces"] == forces
        assert crystal.site_properties["magmom"] == [4.0, 0.5]
        assert crystal.site_properties["charge"] == [1.5, -1.5]
        if name in ("x.db", "y.json"):
            assert crystal.name in ("m-7", "y")
            assert crystal.properties["band_gap"] == 1.5
            assert crystal.properties["stress"] == [1.0, 2, 3, 4, 5, 6]


def test_records_of_tables_and_servers(tmp_path):
    structure = Structure(Lattice(CELL), ["Fe3+", "O2-"], FRAC, site_properties={"magmom": [4.0, None]}, charge=1)
    record = {"material_id": "m-7", "formation_energy_per_atom": -1.25, "structure": structure.as_dict(), "tags": ["a"]}
    (tmp_path / "mp.json").write_text(json.dumps(record))
    optimade = {"lattice_vectors": CELL.tolist(), "cartesian_site_positions": (FRAC @ CELL).tolist(), "nsites": 2}
    optimade |= {"species_at_sites": ["Fe", "O"], "_mp_band_gap": 1.5, "chemical_formula_reduced": "FeO"}
    entry = {"id": "m-7", "type": "structures", "attributes": optimade}
    (tmp_path / "server.json").write_text(json.dumps({"data": [entry]}))
    lemat = {**optimade, "immutable_id": "m-7", "magnetic_moments": [4.0, 0.5], "forces": MOMENTS, "energy": -3.5}
    pq.write_table(pa.Table.from_pylist([{**lemat, "band_gap": None, "blob": b"\x80"}]), tmp_path / "lemat.parquet")
    cif = structure.to(fmt="cif").replace('"', "'")
    (tmp_path / "x.csv").write_text(f'material_id,e_hull,spacegroup,cif,n\nm-7,0.05,P1,"{cif}",0012\n')

    mp = reread(tmp_path / "mp.json")
    want = {"material_id": "m-7", "formation_energy_per_atom": -1.25, "tags": ["a"], "charge": 1}
    assert dict(mp.properties) == want
    assert dict(mp.site_properties) == {"oxidation_state": [3, -2], "magmom": [4.0, None]}
    assert dict(reread(tmp_path / "server.json").properties) == {"id": "m-7", "_mp_band_gap": 1.5}
    table = reread(tmp_path / "lemat.parquet")
    assert dict(table.properties) == {"_mp_band_gap": 1.5, "energy": -3.5}
    assert dict(table.site_properties) == {"magnetic_moments": [4.0, 0.5], "forces": MOMENTS}
    assert table.notes == ("properties left out, too large or no plain values: blob",)
    row = reread(tmp_path / "x.csv")
    assert row.name == "m-7"
    assert dict(row.properties) == {"e_hull": 0.05, "spacegroup": "P1", "n": "0012"}
    assert row.site_properties["oxidation_state"] == [3, -2]


def test_moments_of_a_cif_turn_with_their_sites(tmp_path):
    """Along a 4₁ axis with time reversal: pymatgen's magnetic operations are the judge."""
    from pymatgen.core.operations import MagSymmOp
    from pymatgen.electronic_structure.core import Magmom

    operations = ["x,y,z,+1", "-y,x,z+1/4,-1", "-x,-y,z+1/2,+1", "y,-x,z+3/4,-1"]
    lines = ["data_x", "_database_code_ICSD 1234", "_cell_length_a 5", "_cell_length_b 5", "_cell_length_c 7"]
    lines += [f"_cell_angle_{x} 90" for x in ("alpha", "beta", "gamma")]
    lines += ["loop_", "_space_group_symop_magn_operation.xyz", *operations]
    lines += ["loop_", "_atom_site_label", *(f"_atom_site_fract_{x}" for x in "xyz"), "Mn1 0.11 0.23 0.05", "O1 0 0 0"]
    lines += ["loop_", "_atom_site_moment.label", *(f"_atom_site_moment.crystalaxis_{x}" for x in "xyz"), "Mn1 1 2 3"]
    (tmp_path / "x.mcif").write_text("\n".join(lines) + "\n")
    crystal = reread(tmp_path / "x.mcif")
    assert dict(crystal.properties) == {"database_code_icsd": "1234"}
    moments = np.array(crystal.site_properties["magmom"])
    np.testing.assert_array_equal(moments[crystal.numbers == 8], 0)
    for text in operations:
        operation = MagSymmOp.from_xyzt_str(text)
        image = operation.operate([0.11, 0.23, 0.05])
        away = crystal.frac_coords - image
        (site,) = np.flatnonzero(abs(away - np.round(away)).max(1) < 1e-6)
        want = operation.operate_magmom(Magmom([1.0, 2.0, 3.0])).get_moment()
        np.testing.assert_allclose(moments[site], want, atol=1e-9)
    np.testing.assert_allclose(through(crystal, tmp_path, "cif").site_properties["magmom"], moments, atol=1e-9)


def test_oxidation_states_are_of_rows_not_of_labels(tmp_path):
    """Two rows of one label; a site whose rows agree has their state, and one whose rows do not has none."""
    rows = ["Fe Fe3+ 0 0 0 1", "Fe Fe2+ .5 .5 .5 1", "O O2- .5 0 0 1", "M1 Mn3+ 0 .5 0 .4", "M1 Fe3+ 0 .5 0 .6"]
    rows += ["M2 Mn4+ 0 0 .5 .4", "M2 Fe3+ 0 0 .5 .6", "Na Na+ .5 0 .5 1", "Cl Cl- 0 .5 .5 1"]
    lines = ["data_x", *(f"_cell_length_{x} 4" for x in "abc"), *(f"_cell_angle_{x} 90" for x in ANGLES)]
    tags = ["label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy"]
    lines += ["_space_group_name_H-M_alt 'P 1'", "loop_", *(f"_atom_site_{tag}" for tag in tags), *rows]
    (tmp_path / "y.cif").write_text("\n".join(lines) + "\n")
    assert reread(tmp_path / "y.cif").site_properties["oxidation_state"] == [3, 2, -2, 3, None, 1, -1]


@pytest.mark.parametrize("fmt", HOLDING)
@pytest.mark.parametrize("name", ["stress", "notes"])
@pytest.mark.parametrize("value", [[[1.0, None, 3.0], [4, 5, 6], [7, 8, 9]], [[True] * 3] * 3, "measured twice"])
def test_matrices_with_gaps_and_notes_that_are_no_list_of_texts_stay(tmp_path, fmt, name, value):
    crystal = carrying(CRYSTAL, {name: value})
    assert through(crystal, tmp_path, fmt).properties[name] == value


@pytest.mark.parametrize("fmt", ["cif", "json", "parquet"])
def test_disordered_sites_keep_what_is_known_of_them(tmp_path, fmt):
    site_properties = {"oxidation_state": [3.0, -2.0], "magmom": [[0, 0, 3.0], [0, 0, 0.0]]}
    shares = [[(25, 0.3), (26, 0.7)], [(8, 1.0)]]
    crystal = Crystal.of_shares(4 * np.eye(3), FRAC, shares, "x")
    back = through(replace(crystal, site_properties=site_properties), tmp_path, fmt)
    assert not back.notes
    assert back.site_properties == site_properties
    if fmt == "json":
        assert {str(s) for s in Structure.from_file(tmp_path / "x.json")[0].species} == {"Mn3+", "Fe3+"}


def test_moments_that_the_operations_turn_are_left_out_and_said(tmp_path):
    """A moment along x on a twofold axis along z, which would turn it round; time reversal turns it back."""
    for reversal, kept in (("+1", False), ("-1", True)):
        lines = ["data_x", *(f"_cell_length_{x} {5 + k}" for k, x in enumerate("abc"))]
        lines += [f"_cell_angle_{x} 90" for x in ("alpha", "beta", "gamma")]
        lines += ["loop_", "_space_group_symop_magn_operation.xyz", "x,y,z,+1", f"-x,-y,z,{reversal}"]
        lines += ["loop_", "_atom_site_label", *(f"_atom_site_fract_{x}" for x in "xyz"), "Mn1 0 0 0.1", "O1 0.2 0 0"]
        lines += [
            "loop_",
            "_atom_site_moment.label",
            *(f"_atom_site_moment.crystalaxis_{x}" for x in "xyz"),
            "Mn1 1 0 0",
        ]
        (tmp_path / "x.mcif").write_text("\n".join(lines) + "\n")
        crystal = reread(tmp_path / "x.mcif")
        assert ("magmom" in crystal.site_properties) == kept
        assert any("moments are left out" in note for note in crystal.notes) != kept


@settings(deadline=None, max_examples=30)
@given(crystals(left_handed=True))
def test_operations_that_keep_the_sites_keep_what_is_known_of_them(crystal):
    known = carrying(crystal, {"energy": -1.0}, {"tag": list(range(len(crystal)))})
    for same in (niggli(known)[0], right_handed(known), known.translated(np.array([0.1, 0, 0]))):
        assert same.properties == known.properties
        assert same.site_properties == known.site_properties
    for other in (primitive(known), (conventional(known, 0.01) or (CRYSTAL,))[0]):
        if other is not known:
            assert not other.properties
            assert not other.site_properties


def test_values_for_other_sites_are_refused():
    with pytest.raises(CrystalError, match="3 values of tag for 2 sites"):
        Crystal(CELL, FRAC, np.array([26, 8]), site_properties={"tag": [1, 2, 3]})


def test_what_is_too_large_is_left_out_and_said():
    crystal = carrying(CRYSTAL, {"book": "x" * MOST_BYTES, "nan": float("nan"), "energy": 1.0})
    assert dict(crystal.properties) == {"energy": 1.0}
    assert crystal.notes == ("properties left out, too large or no plain values: book",)


def test_a_damaged_database_loses_the_array_not_the_crystal(tmp_path):
    atoms = Atoms("FeO", cell=CELL, scaled_positions=FRAC, pbc=True, magmoms=[4.0, 0.5])
    with connect(tmp_path / "x.db") as database:
        database.write(atoms)
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("UPDATE systems SET initial_magmoms = ?", (b"123",))
    connection.close()
    assert reread(tmp_path / "x.db").notes == ("properties left out, too large or no plain values: initial_magmoms",)


@pytest.mark.parametrize(
    ("text", "value"),
    [(".5", 0.5), ("3.", 3.0), ("+2", 2), ("-.5e-1", -0.05), ("1E5", 1e5), (" 7 ", 7), ("-0", 0), ("", None)]
    + [(text, text) for text in ("007", "00.5", ".", "+", "e5", "1e", "2020-01-01", "nan", "1_0", "٣", "9" * 5000)],
)
def test_a_cell_is_a_number_where_it_reads_as_one(text, value):
    assert cell_value(text) == value
    assert type(cell_value(text)) is type(value)
