import functools
import gzip
import json
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.io import write as ase_write
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifParser

from xtalcodec.crystal import Crystal
from xtalcodec.io import text
from xtalcodec.io.cif.read import crystal_of_block
from xtalcodec.io.files import find
from xtalcodec.io.read import Unusable, count, iterate, read, units
from xtalcodec.io.write import write, write_parquet
from xtalcodec.testing import mutate

ROCK_SALT = """data_NaCl
_symmetry_space_group_name_H-M 'F m -3 m'
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_chemical_formula_sum 'Na1 Cl1'
loop_
_symmetry_equiv_pos_as_xyz
{operations}
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Na1 Na+ 0 0 0 1
Cl1 Cl- 0.5 0.5 0.5 1
"""

PLAIN = """data_plain
_cell_length_a 4.0
_cell_length_b 5.0
_cell_length_c 30.0
_cell_angle_alpha 90
_cell_angle_beta 100
_cell_angle_gamma 90
loop_
_symmetry_equiv_pos_as_xyz
'x, y, z'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
"""


@functools.cache
def rock_salt() -> str:
    from pymatgen.symmetry.groups import SpaceGroup

    operations = sorted(f"'{op.as_xyz_str()}'" for op in SpaceGroup("Fm-3m").symmetry_ops)
    return ROCK_SALT.format(operations="\n".join(operations))


def read_one(folder, content: str | bytes, name: str = "x.cif", max_sites: int = 5000) -> Crystal | Unusable:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (found,) = read(path, max_sites)
    return found


def reason(*args, **kwargs) -> str:
    found = read_one(*args, **kwargs)
    assert isinstance(found, Unusable), found
    assert "\n" not in found.reason
    assert len(found.reason) <= 200
    assert "Traceback" not in found.reason
    return found.reason


def silicon(name: str = "Si", sites: int = 1) -> Crystal:
    frac = np.linspace(0, 1, sites, endpoint=False)[:, None] * np.array([[1.0, 0, 0]])
    return Crystal(np.diag([4.0 + sites, 4, 4]), frac, np.full(sites, 14), name)


# CIF


def test_a_cif_with_symmetry_is_pymatgens_crystal(tmp_path):
    crystal = read_one(tmp_path, rock_salt())
    want = CifParser.from_str(rock_salt())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        structure = want.parse_structures(primitive=False)[0]
    assert len(crystal) == len(structure) == 8
    assert crystal.formula == "NaCl"
    assert crystal.name == "x"
    assert sorted(map(tuple, crystal.frac_coords)) == sorted(map(tuple, structure.frac_coords))


@pytest.mark.parametrize("symprec", [None, 0.01])
@pytest.mark.parametrize("element", ["H", "N", "O", "F", "Cl", "Br"])
def test_molecules_of_one_element_are_counted_as_pymatgen_counts_them(tmp_path, element, symprec):
    """Its Z is that of N₂, its formula that of the cell."""
    structure = Structure.from_spacegroup("Pa-3", Lattice.cubic(5.65), [element], [[0.055] * 3])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        structure.to(str(tmp_path / "x.cif"), symprec=symprec)
    (found,) = read(tmp_path / "x.cif")
    assert len(found) == 8


def test_every_block_is_a_crystal_and_a_bad_one_costs_only_itself(tmp_path):
    bad = PLAIN.replace("data_plain", "data_bad") + "Si1 0 0 nan\n"
    text = "data_global\n_journal_name 'x'\n" + PLAIN + "Si1 0 0 0\n" + bad + PLAIN + "Ge1 0 0 0\n" + rock_salt()
    (tmp_path / "many.cif").write_text(text)
    found = list(read(tmp_path / "many.cif"))
    assert [item.name for item in found if isinstance(item, Crystal)] == ["many#plain", "many#plain", "many#NaCl"]
    assert [item.formula for item in found if isinstance(item, Crystal)] == ["Si", "Ge", "NaCl"]
    assert found[1] == Unusable(f"{tmp_path}/many.cif#bad", "a coordinate of site Si1 is 'nan', not a finite number")


def test_text_fields_do_not_start_blocks(tmp_path):
    text = PLAIN.replace("loop_", "_publ_section_comment\n;\ndata_fake\n_cell_length_a 1\n;\nloop_", 1) + "Si1 0 0 0\n"
    assert read_one(tmp_path, text).lattice[0, 0] == pytest.approx(4 * np.sin(np.radians(100)))


def test_sites_half_an_angstrom_apart_are_kept(tmp_path):
    crystal = read_one(tmp_path, PLAIN + "H1 0.1 0.1 0.1\nH2 0.1 0.22 0.1\nU3 0.1 0.1 0.12\n")
    assert sorted(crystal.numbers) == [1, 1, 92]
    distances = crystal.to_ase().get_all_distances(mic=True)
    assert np.sort(distances[np.triu_indices(3, 1)])[:2] == pytest.approx([0.6, 0.6])


def test_coordinates_are_what_they_say(tmp_path):
    crystal = read_one(tmp_path, PLAIN + "H1 0.999999999 0.333345 0.66660\n")
    np.testing.assert_array_equal(crystal.frac_coords, [[0.999999999, 0.333345, 0.6666]])
    crystal = read_one(tmp_path, PLAIN + "H1 0.3333 0.6667 0.25(3)\n")
    np.testing.assert_array_equal(crystal.frac_coords, [[1 / 3, 2 / 3, 0.25]])


def test_deuterium_is_hydrogen_in_every_format(tmp_path):
    structure = Structure(Lattice.cubic(4), ["D", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    poscar = "ice\n1\n4 0 0\n0 4 0\n0 0 4\nD O\n1 1\nDirect\n0 0 0\n.5 .5 .5\n"
    xyz = '2\nLattice="4 0 0 0 4 0 0 0 4"\nD 0 0 0\nO 2 2 2\n'
    contents = {"x.cif": PLAIN + "D1 0 0 0\nO1 0 0 0.5\n", "x.vasp": poscar, "x.extxyz": xyz}
    contents["x.json"] = json.dumps(structure.as_dict())
    contents["y.cif"] = (
        "_chemical_formula_sum 'H2 O'\n".join(PLAIN.split("loop_\n", 1)[:1]) + PLAIN[PLAIN.index("loop_") :]
    )
    contents["y.cif"] += "D1 0 0 0\nD2 0 0.5 0\nO1 0 0 0.5\n"
    for name, content in contents.items():
        assert set(read_one(tmp_path, content, name).numbers) == {1, 8}, name


@pytest.mark.parametrize(
    ("content", "want"),
    [
        ("", "it is empty"),
        (" \n\n", "it is empty"),
        (b"\x00\x01\x02data_\xff\xfe", "binary file"),
        (bytes(range(1, 256)) * 20, "no CIF"),
        ("hello world\n" * 10, "no CIF with a crystal"),
        ("data_x\n_cell_length_a 3\n", "no _atom_site_label"),
        (PLAIN, "a loop_ has no rows"),
        (PLAIN + "Si1 0 0\n", "without all of its values"),
        (PLAIN + "Si1 0 0 nan\n", "coordinate of site Si1 is 'nan'"),
        (PLAIN + "Si1 0 inf 0\n", "coordinate of site Si1 is 'inf'"),
        (PLAIN + "Si1 0 1e400 0\n", "coordinate of site Si1 is '1e400'"),
        (PLAIN + "Si1 0 ? 0\n", "coordinate of site Si1 is '\\?'"),
        (PLAIN + "Si1 0 . 0\n", "coordinate of site Si1 is '\\.'"),
        (PLAIN + "Si1 0 0.1\u00e95 0\n", "coordinate of site Si1 is '0.1\\?5'"),
        (PLAIN + "Si1 0 0 0\nSi2 0 0 0\n", "at the same place"),
        (PLAIN + "Qq1 0 0 0\n", "no element"),
        (PLAIN + "Si1 0 0 0\nHO1 0 0 0.5\n", "do not say clearly which elements"),
        (PLAIN + "O1 0 0 0\nOH2 0 0 0.5\n", "do not say clearly"),
        (PLAIN.replace("4.0", "nan") + "Si1 0 0 0\n", "cell length a is 'nan'"),
        (PLAIN.replace("4.0", "-4") + "Si1 0 0 0\n", "cell is impossible"),
        (PLAIN.replace("4.0", "1e300") + "Si1 0 0 0\n", "cell is impossible"),
        (PLAIN.replace("100", "200") + "Si1 0 0 0\n", "cell is impossible"),
        (PLAIN.replace("_alpha 90", "_alpha 10") + "Si1 0 0 0\n", "cell is impossible"),
        (PLAIN.replace("_cell_length_c 30.0\n", "") + "Si1 0 0 0\n", "it gives no cell length c"),
        (PLAIN.replace("x, y, z", "x, y") + "Si1 0 0 0\n", "symmetry operations is none"),
        (PLAIN.replace("x, y, z", "x, y, 2z") + "Si1 0 0 0\n", "symmetry operations"),
        (PLAIN.replace("'x, y, z'", "'x, y, z'\n'y, x, z'") + "Si1 0 0 0\n", "do not fit its cell"),
        (PLAIN.replace("'x, y, z'", "'x, y, z'\n'-x, y+1/4, -z'") + "Si1 0 0 0\n", "no group"),
        (PLAIN.replace("_symmetry_equiv_pos_as_xyz", "_symmetry_equiv_pos_as_xyzt") + "Si1 0 0 0\n", "cannot be read"),
    ],
)  # fmt: skip
def test_bad_cifs_are_told(tmp_path, content, want):
    import re

    assert re.search(want, reason(tmp_path, content))


def test_shared_and_partly_occupied_sites(tmp_path):
    text = rock_salt()
    partly = text.replace("0.5 1", "0.5 0.5")
    assert "its sites make NaCl0.5, its formula says Na1 Cl1" in reason(tmp_path, partly)
    assert read_one(tmp_path, partly.replace("Na1 Cl1'", "Na2 Cl1'")).sites_shares()[-1] == [(17, 0.5)]
    assert "site Cl1" in reason(tmp_path, text.replace("0.5 1", "0.5 nan"))
    assert "same place" in reason(tmp_path, text + "Br1 Br- 0.5 0.5 0.5 1\n")
    assert "same place" in reason(tmp_path, text + "Cl2 Cl- 0 0.5 0 1\n")  # a symmetry copy of Cl1
    disordered = Structure(Lattice.cubic(4), ["Na", {"Cl": 0.5, "Br": 0.5}], [[0, 0, 0], [0.5, 0.5, 0.5]])
    found = read_one(tmp_path, json.dumps(disordered.as_dict(), default=str), "x.json")
    assert found.sites_shares() == [[(11, 1.0)], [(17, 0.5), (35, 0.5)]]


def test_an_occupancy_is_rounded_to_full_only_where_a_row_is_alone(tmp_path):
    atoms = PLAIN + "_atom_site_occupancy\n"
    alone = read_one(tmp_path, atoms + "Na1 0 0 0 0.9(1)\nCl1 0.5 0.5 0.5 1\n")
    assert alone.is_ordered
    assert "occupancy full within its uncertainty: Na1 0.9" in alone.notes
    shared = read_one(tmp_path, atoms + "Na1 0 0 0 0.9(1)\nK1 0 0 0 0.1(1)\nCl1 0.5 0.5 0.5 1\n")
    assert shared.sites_shares() == [[(11, 0.9), (19, 0.1)], [(17, 1.0)]]


@pytest.mark.parametrize(
    ("formula", "density"), [("Li D", 0.895), ("Li1 D1", 0.895), ("Li H", 0.794), ("(Li D)2", 0.895)]
)
def test_the_density_of_a_deuteride_is_its_own(tmp_path, formula, density):
    """LiD is 13 % denser than LiH, which lies beyond what a density may differ."""
    said = f"_chemical_formula_sum '{formula}'\n_exptl_crystal_density_diffrn {density}\nloop_"
    text = PLAIN.replace("loop_", said, 1).replace("4.0", "4.07").replace("5.0", "4.07").replace("30.0", "4.07")
    text = text.replace("beta 100", "beta 90") + "".join(
        f"{x}{k} {a} {b} {c}\n"
        for x, s in (("Li", 0), ("D", 0.5))
        for k, (a, b, c) in enumerate([(s, s, s), (s, 0.5 - s, 0.5 - s), (0.5 - s, s, 0.5 - s), (0.5 - s, 0.5 - s, s)])
    )
    assert read_one(tmp_path, text).formula == "LiH"
    assert "density" in reason(tmp_path, text.replace(f"diffrn {density}", f"diffrn {density * 0.85}"))


def test_thousands_of_partly_occupied_sites_take_little_memory():
    import tracemalloc

    grid = np.stack(np.meshgrid(*[np.arange(10)] * 3), -1).reshape(-1, 3) / 10
    rows = "".join(f"Na{k} {x} {y} {z} 0.5\n" for k, (x, y, z) in enumerate(grid))
    text = PLAIN.replace("4.0", "40").replace("5.0", "50").replace("30.0", "60") + "_atom_site_occupancy\n" + rows
    tracemalloc.start()
    assert len(crystal_of_block(text, 5000)) == 1000
    assert tracemalloc.get_traced_memory()[1] < 2**25
    tracemalloc.stop()


def test_a_cut_symmetry_operation_is_noticed(tmp_path):
    lines = rock_salt().splitlines(keepends=True)
    for k in (11, 60, 200):
        assert "no group" in reason(tmp_path, "".join(lines[:k] + lines[k + 1 :]))


def test_a_space_group_without_operations_must_say_where_it_is(tmp_path):
    def with_group(symbol: str) -> str:
        text = rock_salt().replace("F m -3 m", symbol)
        return text[: text.index("loop_")] + text[text.index("loop_\n_atom_site_label") :]

    assert len(read_one(tmp_path, with_group("F m -3 m"))) == 8
    assert "two choices of origin" in reason(tmp_path, with_group("F d -3 m"))
    assert "is unknown" in reason(tmp_path, with_group("F q -3 q"))
    assert "do not fit its cell" in reason(tmp_path, with_group("R -3 m :H"))
    without = with_group("P 1").replace("_symmetry_space_group_name_H-M 'P 1'\n", "")
    assert len(read_one(tmp_path, without)) == 2


def test_a_truncated_cif_is_noticed_by_its_formula(tmp_path):
    text = PLAIN.replace("loop_", "_chemical_formula_sum 'C4'\nloop_", 1)
    rows = [f"C{k} 0 0 0.{k}\n" for k in range(1, 5)]
    assert len(read_one(tmp_path, text + "".join(rows))) == 4
    assert "no multiple of its formula" in reason(tmp_path, text + "".join(rows[:3]))
    salt = rock_salt()
    assert "its formula says Na1 Cl1" in reason(tmp_path, salt[: salt.index("Cl1 Cl-")])


@pytest.mark.parametrize("end", range(0, 700, 23))
def test_a_cif_cut_anywhere_never_raises(tmp_path, end):
    text = rock_salt()
    read_one(tmp_path, text[: len(text) * end // 700])


def test_blank_lines_cost_no_more_than_others(tmp_path):
    import time

    blank = "data_x\n" + "\n" * 60_000 + "_x 1\n"
    start = time.process_time()
    for name, want in (("x.cif", "no data block gives a cell or atoms"), ("x.unknown", "not recognised")):
        assert want in reason(tmp_path, blank, name)
    assert time.process_time() - start < 5


def test_ten_thousand_sites_are_refused_at_once(tmp_path):
    import time

    rng = np.random.default_rng(0)
    positions = rng.random((10_000, 3))
    rows = "".join(f"Si{k} {x:.6f} {y:.6f} {z:.6f}\n" for k, (x, y, z) in enumerate(positions))
    poscar = "x\n1\n40 0 0\n0 40 0\n0 0 40\nSi\n10000\nDirect\n" + "".join("0 0 0\n" for _ in range(10_000))
    start = time.perf_counter()
    for name, content in (("x.cif", PLAIN + rows), ("x.vasp", poscar), ("y.vasp", poscar.replace("10000", "9" * 15))):
        assert "sites; the limit is 5000" in reason(tmp_path, content, name)
    general = rock_salt().replace("Cl1 Cl- 0.5 0.5 0.5 1", "Cl1 Cl- 0.51 0.13 0.27 1")
    assert reason(tmp_path, general, max_sites=100) == "it has 196 sites; the limit is 100"
    assert time.perf_counter() - start < 5


# Other formats


@pytest.mark.parametrize("name", ["POSCAR", "CONTCAR", "x.vasp", "POSCAR_Si", "a.poscar", "Si.POSCAR"])
def test_poscar_is_known_by_its_name(tmp_path, name):
    write(silicon(), tmp_path / name, "poscar")
    (crystal,) = read(tmp_path / name)
    assert crystal.formula == "Si"


@pytest.mark.parametrize("scale", ["1.0", "2.0", "-128"])
def test_a_left_handed_poscar_survives(tmp_path, scale):
    sites = "Selective dynamics\nDirect\n0 0 0 T T T\n0.999999999 .5 -.5 F F T\n"
    text = f"x\n{scale}\n0 4 0\n4 0 0\n0 0 4\nSi O\n1 1\n{sites}"
    crystal = read_one(tmp_path, text, "x.vasp")
    edge = {"1.0": 4, "2.0": 8, "-128": 128 ** (1 / 3)}[scale]
    np.testing.assert_allclose(crystal.lattice, edge * np.eye(3)[[1, 0, 2]], atol=1e-9)
    np.testing.assert_array_equal(crystal.frac_coords[1], [0.999999999, 0.5, -0.5])


@pytest.mark.parametrize(("scale", "edge"), [("-64.0", 4), ("4", 4), ("-125", 5)])
def test_cartesian_sites_go_by_the_scale_of_the_cell(tmp_path, scale, edge):
    text = f"CsCl\n{scale}\n1 0 0\n0 1 0\n0 0 1\nCs Cl\n1 1\nCartesian\n0 0 0\n.5 .5 .5\n"
    crystal = read_one(tmp_path, text, "x.vasp")
    np.testing.assert_allclose(crystal.lattice, edge * np.eye(3), atol=1e-12)
    np.testing.assert_allclose(crystal.frac_coords[1], [0.5] * 3, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "want"),
    [
        (("Si O", "Si Qq"), "no element"),
        (("1 1\n", "1\n"), "one number of sites per element"),
        (("1 1\n", "1 -1\n"), "numbers of sites"),
        (("1 1\n", "1 5\n"), "ends too early"),
        (("Si O\n", ""), "does not name its elements"),
        ((".5 .5 .5", ".5 nan .5"), "not a finite number"),
        (("4 0 0", "inf 0 0"), "not finite"),
        (("1.0\n", "1 1 1\n"), "three scaling factors"),
        (("Direct\n", "\n"), "ends too early|cannot be read"),
    ],
)
def test_bad_poscars_are_told(tmp_path, change, want):
    import re

    good = "comment\n1.0\n4 0 0\n0 4 0\n0 0 4\nSi O\n1 1\nDirect\n0 0 0\n.5 .5 .5\n"
    assert isinstance(read_one(tmp_path, good, "POSCAR"), Crystal)
    assert re.search(want, reason(tmp_path, good.replace(*change), "POSCAR"))


def test_vasp_4_with_its_elements_in_the_comment(tmp_path):
    text = "Si O\n1.0\n4 0 0\n0 4 0\n0 0 4\n1 2\nCartesian\n0 0 0\n2 2 2\n1 1 1\n"
    crystal = read_one(tmp_path, text, "POSCAR")
    assert crystal.numbers.tolist() == [14, 8, 8]
    np.testing.assert_allclose(crystal.frac_coords[1:], [[0.5] * 3, [0.25] * 3])


def test_a_bad_frame_costs_only_itself(tmp_path):
    atoms = [Atoms("SiO", [[0, 0, 0], [1, 1, 1]], cell=[4, 4, 4 + k], pbc=True) for k in range(3)]
    ase_write(tmp_path / "x.extxyz", atoms)
    assert [c.name for c in read(tmp_path / "x.extxyz")] == ["x#1", "x#2", "x#3"]
    lines = (tmp_path / "x.extxyz").read_text().splitlines()
    lines[6] = lines[6].replace("0.00000000", "nan")
    (tmp_path / "x.extxyz").write_text("\n".join(lines[:-1]))
    first, second, third = read(tmp_path / "x.extxyz")
    assert first.volume == pytest.approx(64)
    assert (second.name, second.reason) == (f"{tmp_path}/x.extxyz#2", "a coordinate is not a finite number")
    assert third.reason == "it ends after 1 of 2 sites"
    assert "not a number of sites" in reason(tmp_path, "two\n\nH 0 0 0\n", "y.xyz")
    assert "no Lattice" in reason(tmp_path, "1\n\nH 0 0 0\n", "y.xyz")
    assert "not periodic" in reason(tmp_path, '1\nLattice="4 0 0 0 4 0 0 0 4" pbc="T T F"\nH 0 0 0\n', "y.xyz")
    assert "no element" in reason(tmp_path, '1\nLattice="4 0 0 0 4 0 0 0 4"\nQq 0 0 0\n', "y.xyz")


def test_json_of_pymatgen_and_of_ase(tmp_path):
    from pymatgen.entries.computed_entries import ComputedStructureEntry

    structure = Structure(Lattice.cubic(4), ["Si"], [[0.999999999, 0, 0]])
    entry = ComputedStructureEntry(structure, -1.0, entry_id="mp-1").as_dict()
    documents = {
        "one": structure.as_dict(),
        "several": [structure.as_dict(), structure.as_dict()],
        "entries": [entry, {"material_id": "mp-2", "structure": structure.as_dict()}],
        "map": {"a": structure.as_dict(), "b": structure.as_dict()},
    }
    names = {"one": ["one"], "several": ["several#1", "several#2"], "entries": ["entries#mp-1", "entries#mp-2"]}
    names["map"] = ["map#a", "map#b"]
    for name, document in documents.items():
        with gzip.open(tmp_path / f"{name}.json.gz", "wt") as file:
            json.dump(document, file)
        found = list(read(tmp_path / f"{name}.json.gz"))
        assert [crystal.name for crystal in found] == names[name], found
        assert all(crystal.frac_coords[0, 0] == 0.999999999 for crystal in found), found
    ase_write(tmp_path / "ase.json", structure.to_ase_atoms())
    (crystal,) = read(tmp_path / "ase.json")
    np.testing.assert_allclose(crystal.frac_coords, [[0.999999999, 0, 0]])


def test_bad_json_is_told(tmp_path):
    good = Structure(Lattice.cubic(4), ["Si"], [[0, 0, 0]]).as_dict()
    assert "cannot be read" in reason(tmp_path, json.dumps(good)[:-5], "x.json")
    assert "JSON without a crystal" in reason(tmp_path, '{"a": [1, 2]}', "x.json")
    assert "nested too deeply" in reason(tmp_path, "[" * 100_000, "x.json")
    for word in ("NaN", "Infinity"):
        text = json.dumps(good).replace('"abc": [0.0', f'"abc": [{word}')
        assert "not a finite number" in reason(tmp_path, text, "x.json")
    assert "not periodic" in reason(tmp_path, json.dumps(good).replace("[true, true", "[true, false"), "x.json")
    assert "no lattice" in reason(tmp_path, json.dumps({**good, "lattice": None}), "x.json")
    assert "no element" in reason(tmp_path, json.dumps(good).replace('"element": "Si"', '"element": "Qq"'), "x.json")


def test_json_decodes_no_objects(tmp_path, monkeypatch):
    """monty would import the module that a document names, and call what it finds there."""
    structure = Structure(Lattice.cubic(4), ["Si"], [[0, 0, 0]]).as_dict()
    structure["sites"][0]["properties"] = {"a": {"@module": "trap", "@class": "Trap"}}
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert isinstance(read_one(tmp_path, json.dumps(structure), "x.json"), Crystal)
    assert "trap" not in sys.modules


def test_ase_databases(tmp_path):
    import ase.db

    with ase.db.connect(tmp_path / "x.db") as database:
        database.write(Atoms("SiO", [[0, 0, 0], [1, 1, 1]], cell=[4, 4, 5], pbc=True), key="value", data={"a": [1]})
        database.write(Atoms("H2", [[0, 0, 0], [0, 0, 0.7]]))
        database.write(Atoms("U", positions=[[np.nan, 0, 0]], cell=[3, 3, 3], pbc=True))
        database.write(Atoms("Ge", cell=[3, 3, 3], pbc=True))
    before = (tmp_path / "x.db").read_bytes()
    first, molecule, broken, last = read(tmp_path / "x.db")
    assert (first.name, last.name) == ("x#1", "x#4")
    np.testing.assert_allclose(first.frac_coords[1], [0.25, 0.25, 0.2])
    assert "not periodic" in molecule.reason
    assert broken.name == f"{tmp_path}/x.db#3"
    assert "finite" in broken.reason
    assert (tmp_path / "x.db").read_bytes() == before
    assert reason(tmp_path, '{"1": {}}', "json.db") == "it is no ASE database (SQLite)"
    assert "cannot be read" in reason(tmp_path, before[:3000], "cut.db")


def test_a_database_of_something_else_is_not_written_to(tmp_path):
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute("CREATE TABLE people (name TEXT)")
    before = (tmp_path / "x.db").read_bytes()
    (found,) = read(tmp_path / "x.db")
    assert "no such table" in found.reason
    assert (tmp_path / "x.db").read_bytes() == before


def test_parquet_rows_and_what_is_wrong_with_them(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = {"numbers": [14], "frac_coords": [0.0, 0, 0], "lattice": [4.0, 0, 0, 0, 4, 0, 0, 0, 4]}
    bad = [
        ({"frac_coords": [float("nan"), 0, 0]}, "a coordinate is not a finite number"),
        ({"lattice": [float("inf"), *row["lattice"][1:]]}, "its lattice holds a number that is not finite"),
        ({"numbers": [14, 8]}, "3 coordinates and 9 of the cell for 2 sites"),
        ({"numbers": None}, "one of its columns is null"),
        ({"numbers": []}, "0 sites"),
        ({"numbers": [0]}, "atomic numbers run from 1 to 118"),
        ({"numbers": [1] * 5001}, "it has 5001 sites; the limit is 5000"),
    ]
    table = pa.Table.from_pylist([{**row, **change} for change, _ in bad] + [row])
    pq.write_table(table, tmp_path / "x.parquet")
    *unusable, last = read(tmp_path / "x.parquet")
    assert last.name == "x#8"
    for k, (item, (_, want)) in enumerate(zip(unusable, bad, strict=True)):
        assert want in item.reason
        assert item.name == f"{tmp_path}/x.parquet#{k + 1}"
    pq.write_table(table.drop(["lattice"]), tmp_path / "y.parquet")
    (found,) = read(tmp_path / "y.parquet")
    assert found.reason == "it has no column lattice"
    assert "cannot be read" in reason(tmp_path, (tmp_path / "x.parquet").read_bytes()[:-50], "z.parquet")


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_cdvae_csv(tmp_path, name):
    import csv
    import io

    buffer = io.StringIO()
    out = csv.writer(buffer)
    out.writerow(["", "material_id", "cif", "band_gap"])
    large = PLAIN + "".join(f"Si{k} {k % 10 / 10} 0 {k // 10 / 130:.6f}{' ' * 120}\n" for k in range(1200))
    for k, cif in enumerate([PLAIN + "Si1 0 0 0\n", PLAIN + "Si1 0 0 nan\n", "", rock_salt(), large]):
        out.writerow([k, f"mp-{k}", cif, 0.5])
    data = buffer.getvalue().encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    first, second, third, fourth, fifth = read(tmp_path / name)
    assert (first.name, fourth.name, len(fourth)) == ("mp-0", "mp-3", 8)
    assert (second.name, len(fifth)) == (f"{tmp_path}/{name}#mp-1", 1200)
    assert "nan" in second.reason
    assert "no CIF" in third.reason
    if name.endswith("gz"):
        assert "damaged or ends too early" in reason(tmp_path, gzip.compress(data)[:-30], "cut.csv.gz")
    assert (
        reason(tmp_path, "a,b\n1,2\n", "other.csv")
        == "it has no column of crystals (cif, structure, poscar, atoms, or arrays as of OPTIMADE or ASE)"
    )


@pytest.mark.parametrize(
    "kind", ["cfg", "cube", "gen", "magres", "traj", "xsd", "xsf", "struct", "vasp-xdatcar", "crystal", "aims"]
)
def test_ases_formats(tmp_path, kind):
    from xtalcodec.io.ase_formats import ASE_FORMATS

    atoms = Atoms("NaCl", [[0, 0, 0], [2, 2.1, 2.2]], cell=[[4, 0, 0], [1, 5, 0], [0, 0.5, 6]], pbc=True)
    name = {value: key for key, value in ASE_FORMATS.items()}[kind]
    path = tmp_path / (f"x{name}" if name.startswith(".") else name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ase_write(path, atoms, format=kind)
    (crystal,) = read(path)
    assert sorted(crystal.numbers) == [11, 17]
    assert crystal.volume == pytest.approx(atoms.get_volume(), rel=1e-3)
    distance = crystal.to_ase().get_distance(0, 1, mic=True)
    assert distance == pytest.approx(atoms.get_distance(0, 1, mic=True), abs=1e-3)
    path.write_bytes(path.read_bytes()[: len(path.read_bytes()) // 3])
    for item in read(path):
        assert isinstance(item, Crystal | Unusable)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize(
    "name", ["x.traj", "x.pckl", "x.pkl", "x.npy", "x.npz", "x.db", "x.json", "x.parquet", "x.bin", "x.gpw", "x"]
)
@pytest.mark.parametrize("header", [b"", b"PickleTrajectory", b"ASE-Trajectory"])
def test_no_pickle_is_ever_loaded(tmp_path, name, header):
    told = reason(tmp_path, header + pickle.dumps(Bomb()), name)
    assert name != "x.traj" or "so old that it holds pickled data" in told  # ASE is not even asked


# Files and folders


def test_bad_files_among_good_ones_lose_nothing(tmp_path):
    for k in range(3):
        write(silicon(f"good{k}"), tmp_path / "sub" / f"good{k}.cif", "cif")
    write(silicon("table"), tmp_path / "a.vasp", "poscar")
    (tmp_path / "sub" / "bad.cif").write_bytes(b"\x00" * 100)
    (tmp_path / "empty.cif").touch()
    (tmp_path / "notes.txt").write_text("not a crystal")
    (tmp_path / ".hidden.cif").write_text("not a crystal")
    (tmp_path / "nothing").mkdir()
    seen = []
    inputs = [tmp_path, tmp_path / "missing.cif", tmp_path / "nothing", tmp_path / "notes.txt"]
    items = list(iterate(inputs, progress=lambda done, count: seen.append((done, count))))
    crystals, unusable = ([item for item in items if isinstance(item, kind)] for kind in (Crystal, Unusable))
    assert [crystal.name for crystal in crystals] == ["a", "good0", "good1", "good2"]
    assert {item.name.rsplit("/", 1)[1]: item.reason for item in unusable} == {
        "empty.cif": "it is empty",
        "bad.cif": "it is a binary file, not text",
        "missing.cif": "there is no such file",
        "nothing": "it is a folder without a file of a known format",
        "notes.txt": unusable[-1].reason,
    }
    assert "not recognised; known are .cif" in unusable[-1].reason
    assert seen == [(k + 1, 9) for k in range(9)]


def test_find_expands_folders_in_order(tmp_path):
    for name in ("b.cif", "a/z.cif", "a/POSCAR", "c.json.gz", "d.txt", "e.parquet", "f.cif.gz", "g.db"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = list(find([tmp_path, "x.cif"]))
    names = ["a/POSCAR", "a/z.cif", "b.cif", "c.json.gz", "e.parquet", "f.cif.gz", "g.db"]
    assert [str(path.relative_to(tmp_path)) for path in found[:-1]] == names
    assert str(found[-1]) == "x.cif"


def test_a_file_without_permission_is_told(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(text, "open", refuse, raising=False)
    assert reason(tmp_path, PLAIN) == "no permission to read it"


def test_a_device_is_not_read():
    (found,) = read("/dev/zero")
    assert found.reason == "it is not a regular file"


def test_unnamed_formats_are_told_by_their_content(tmp_path):
    assert read_one(tmp_path, rock_salt(), "unknown").formula == "NaCl"
    assert read_one(tmp_path, rock_salt(), "salt.txt").name == "salt.txt"
    write(silicon(), tmp_path / "y", "json")
    (crystal,) = read(tmp_path / "y")
    assert crystal.formula == "Si"


def test_a_file_that_holds_nothing_is_told(tmp_path):
    from ase.db import connect

    with connect(tmp_path / "x.db") as database:
        del database[database.write(Atoms("Ge", cell=[4, 4, 4], pbc=True))]
    write_parquet([], tmp_path / "x.parquet")
    for path in find([tmp_path]):
        (found,) = read(path)
        assert found == Unusable(str(path), "it holds no crystal")
        assert count(path) == 1
        assert not list(units(path, start=1))


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])
def test_compressed_text(tmp_path, suffix):
    import bz2
    import lzma

    compress = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[suffix]
    data = compress(rock_salt().encode())
    assert read_one(tmp_path, data, f"salt.cif.{suffix}").name == "salt"
    assert reason(tmp_path, data[:-20], f"cut.cif.{suffix}")
    assert reason(tmp_path, b"\x01" * 50, f"no.cif.{suffix}")


def test_text_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "MAX_BYTES", 1 << 20)
    assert reason(tmp_path, gzip.compress(b" " * (1 << 22)), "x.cif.gz") == "it holds more than 1 MiB of text"


def test_reading_is_lazy_and_keeps_the_callers_warning_filters(tmp_path):
    write_parquet((silicon(str(k)) for k in range(5)), tmp_path / "x.parquet")
    before = list(warnings.filters)
    items = iterate([tmp_path])
    assert next(items).name == "0"
    assert warnings.filters == before
    items.close()


def test_frames_of_a_trajectory_are_read_as_they_are_asked_for(tmp_path, monkeypatch):
    import ase.io

    ase_write(tmp_path / "x.traj", [silicon().to_ase() for _ in range(5)])
    taken, iread = [], ase.io.iread
    monkeypatch.setattr(ase.io, "iread", lambda *words, **more: (taken.append(1) or x for x in iread(*words, **more)))
    assert isinstance(next(read(tmp_path / "x.traj")), Crystal)
    assert len(taken) == 2  # the second tells that the first is not alone


def test_importing_is_quick():
    heavy = {"pymatgen", "ase", "pyarrow", "pandas", "torch", "scipy"}
    code = f"import sys, xtalcodec.io.read; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# Damage


def valid_cifs(folder) -> list[bytes]:
    """CIFs of three writers: by hand, ours in P1, ours with symmetry, pymatgen's, ASE's."""
    from pymatgen.io.cif import CifWriter

    structure = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    )
    crystal = Crystal.from_pymatgen(structure)
    write(crystal, folder / "a.cif", "cif")
    write(crystal, folder / "b.cif", "cif", symprec=0.01)
    CifWriter(structure).write_file(folder / "c.cif")
    ase_write(folder / "d.cif", crystal.to_ase())
    return [rock_salt().encode(), *(path.read_bytes() for path in sorted(folder.glob("?.cif")))]


def damage(folder, count: int, seed: int) -> dict[str, int]:
    """Read `count` damaged CIFs and count what came of them; an exception fails the test."""
    sources = valid_cifs(folder)
    rng = np.random.default_rng(seed)
    outcomes: dict[str, int] = {"crystal": 0, "unusable": 0}
    for k in range(count):
        (folder / "m.cif").write_bytes(mutate(sources[k % len(sources)], rng))
        items = list(read(folder / "m.cif"))
        assert items
        for item in items:
            if isinstance(item, Unusable):
                assert 0 < len(item.reason) <= 200
                assert item.reason.isprintable()
            outcomes["crystal" if isinstance(item, Crystal) else "unusable"] += 1
    return outcomes


def test_damaged_cifs_give_a_crystal_or_a_reason(tmp_path, capfd):
    outcomes = damage(tmp_path, 200, seed=0)
    assert outcomes["crystal"] > 20
    assert outcomes["unusable"] > 60
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("fmt", ["poscar", "extxyz", "json", "parquet", "csv", "db"])
def test_damaged_files_of_other_formats_never_raise(tmp_path, fmt):
    import ase.db

    crystal = read_one(tmp_path, rock_salt())
    path = tmp_path / {"poscar": "x.vasp"}.get(fmt, f"x.{fmt}")
    if fmt == "parquet":
        write_parquet([crystal, crystal], path)
    elif fmt == "csv":
        cif = rock_salt().replace('"', "'")
        path.write_text(f'material_id,cif\na,"{cif}"\nb,"{cif}"\n')
    elif fmt == "db":
        with ase.db.connect(path) as database:
            database.write(crystal.to_ase())
    else:
        write(crystal, path, fmt)
    data = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(30):
        path.write_bytes(mutate(data, rng))
        assert all(isinstance(item, Crystal | Unusable) for item in read(path))
