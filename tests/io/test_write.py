import json

import ase.io
import moyopy
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from xtalcodec.crystal import Crystal
from xtalcodec.geometry.symmetry import right_handed, symmetrised
from xtalcodec.io.read import Unusable, read
from xtalcodec.io.write import SUFFIXES, write, write_many, write_parquet
from xtalcodec.testing import crystals


def reread(path) -> Crystal:
    (found,) = read(path)
    assert not isinstance(found, Unusable), found
    return found


def space_group(crystal: Crystal, symprec: float = 1e-3) -> int:
    cell = moyopy.Cell(crystal.lattice.tolist(), crystal.frac_coords.tolist(), crystal.numbers.tolist())
    return moyopy.MoyoDataset(cell, symprec=symprec).number


def assert_same_sites(got: Crystal, want: Crystal, atol: float = 1e-8) -> None:
    """Every site is there, modulo the lattice and the order of sites."""
    assert sorted(got.numbers) == sorted(want.numbers)
    away = got.frac_coords[:, None] - want.frac_coords
    near = (abs(away - np.round(away)).max(-1) < atol) & (got.numbers[:, None] == want.numbers)
    assert near.any(1).all()
    assert near.any(0).all()


def parameters(crystal: Crystal) -> np.ndarray:
    return np.array(Lattice(crystal.lattice).parameters)


def triple_product(crystal: Crystal) -> float:
    """Chirality: the handedness of three bonds from site 0, in Å³; mirror images differ in sign."""
    cartesian = crystal.frac_coords @ crystal.lattice
    return float(np.linalg.det(cartesian[1:4] - cartesian[0]))


@settings(deadline=None, max_examples=50)
@given(crystals(left_handed=True), st.sampled_from(sorted(SUFFIXES)))
def test_what_is_written_is_read(tmp_path_factory, crystal, fmt):
    path = tmp_path_factory.mktemp("written") / f"x{SUFFIXES[fmt]}"
    write(crystal, path, fmt)
    back = reread(path)
    want = right_handed(crystal)
    np.testing.assert_allclose(parameters(back), parameters(want), atol=1e-6)
    assert_same_sites(back, want)
    if fmt in ("extxyz", "json"):  # pymatgen's CIF parser sorts the sites, and POSCAR has them element by element
        np.testing.assert_array_equal(back.numbers, want.numbers)
        np.testing.assert_allclose(back.lattice, want.lattice, atol=1e-10)
        np.testing.assert_allclose(back.frac_coords, want.frac_coords, atol=1e-8)


@pytest.mark.parametrize("fmt", sorted(SUFFIXES))
def test_a_left_handed_cell_does_not_become_its_mirror_image(tmp_path, fmt):
    lattice = np.diag([4.0, 5, 6])[[1, 0, 2]]
    chiral = Crystal(lattice, np.array([[0, 0, 0], [0.3, 0, 0], [0, 0.3, 0.1], [0.1, 0, 0.3]]), np.array([6, 1, 9, 17]))
    write(chiral, tmp_path / "x", fmt)
    (tmp_path / "x").rename(tmp_path / f"x{SUFFIXES[fmt]}")
    back = reread(tmp_path / f"x{SUFFIXES[fmt]}")
    order = [back.numbers.tolist().index(z) for z in (6, 1, 9, 17)]
    frac = back.frac_coords[order] - back.frac_coords[order[0]]
    inside = Crystal(back.lattice, frac - np.round(frac), back.numbers[order])
    assert triple_product(inside) == pytest.approx(triple_product(chiral), rel=1e-6)


@pytest.mark.parametrize("reader", ["pymatgen", "ase"])
@pytest.mark.parametrize("fmt", ["cif", "poscar"])
def test_other_programs_read_the_same_crystal(tmp_path, fmt, reader):
    from ase.io import read as ase_read

    crystal = Crystal(
        np.array([[4.1, 0, 0], [0.5, 5, 0], [-1, 0.3, 6]]),
        np.array([[0.1, 0.2, 0.3], [0.6, 0.7, 0.999999999]]),
        np.array([92, 1]),
    )
    path = tmp_path / f"x{SUFFIXES[fmt]}"
    write(crystal, path, fmt)
    if reader == "pymatgen":
        got = Crystal.from_pymatgen(Structure.from_file(path))
    else:
        got = Crystal.from_ase(ase_read(path, format="vasp" if fmt == "poscar" else "cif"))
    assert_same_sites(got, crystal)
    np.testing.assert_allclose(parameters(got), parameters(crystal), atol=1e-6)


def spinel() -> Crystal:
    structure = Structure.from_spacegroup(
        "Fd-3m", Lattice.cubic(8.08), ["Mg", "Al", "O"], [[1 / 8] * 3, [1 / 2] * 3, [0.2625] * 3]
    )
    return Crystal.from_pymatgen(structure.get_primitive_structure(), "spinel")


@pytest.mark.parametrize("fmt", sorted(SUFFIXES))
def test_a_noisy_spinel_is_one_again(tmp_path, fmt):
    crystal = spinel()
    noise = np.random.default_rng(0).normal(0, 1e-4, crystal.frac_coords.shape)
    noisy = Crystal(crystal.lattice, crystal.frac_coords + noise, crystal.numbers)
    path = tmp_path / f"x{SUFFIXES[fmt]}"
    assert space_group(noisy, 1e-5) == 1
    write(noisy, path, fmt, symprec=0.05)
    back = reread(path)
    assert space_group(back, 1e-6) == 227
    assert len(back) == 56
    assert StructureMatcher(primitive_cell=True).fit(back.to_pymatgen(), crystal.to_pymatgen())
    if fmt == "cif":
        assert "_symmetry_Int_Tables_number 227" in path.read_text()
        assert path.read_text().count(" 1\n") < 10  # one row per orbit
    write(noisy, path, fmt)
    assert space_group(reread(path), 1e-5) == 1


@pytest.mark.parametrize("symbol", ["P3_121", "P3_221", "P4_12_12", "P4_32_12", "P2_1/c", "R-3m", "I4_1/amd", "Ia-3d"])
def test_symmetry_is_written_in_a_setting_that_reads_the_same(tmp_path, symbol):
    from pymatgen.symmetry.groups import SpaceGroup

    cells = {
        "P3_121": Lattice.hexagonal(4.9, 5.4), "P3_221": Lattice.hexagonal(4.9, 5.4), "R-3m": Lattice.hexagonal(4, 20),
        "P2_1/c": Lattice.monoclinic(5, 6, 7, 100), "Ia-3d": Lattice.cubic(12),
    }  # fmt: skip
    lattice = cells.get(symbol, Lattice.tetragonal(5, 7))
    structure = Structure.from_spacegroup(symbol, lattice, ["Si", "O"], [[0.11, 0.29, 0.37], [0.31, 0.07, 0.19]])
    crystal = Crystal.from_pymatgen(structure.get_primitive_structure())
    write(crystal, tmp_path / "x.cif", "cif", symprec=1e-3)
    back = reread(tmp_path / "x.cif")
    assert space_group(back) == SpaceGroup(symbol).int_number
    assert StructureMatcher().get_rms_dist(back.to_pymatgen(), crystal.to_pymatgen())[0] < 1e-6


def test_overlapping_sites_are_written_as_given(tmp_path):
    crystal = Crystal(np.eye(3) * 4, np.array([[0, 0, 0], [0.03, 0, 0]]), np.array([6, 6]))
    write(crystal, tmp_path / "x.cif", "cif", symprec=0.5)
    assert_same_sites(reread(tmp_path / "x.cif"), crystal)


@settings(deadline=None, max_examples=50)
@given(crystals())
def test_symmetrising_is_done_once(crystal):
    once = symmetrised(crystal, 1e-3)
    assert space_group(symmetrised(once, 1e-3)) == space_group(once)


@settings(deadline=None, max_examples=50)
@given(st.lists(crystals(max_sites=4, left_handed=True), min_size=1, max_size=5))
def test_parquet_keeps_every_number(tmp_path_factory, drawn):
    path = tmp_path_factory.mktemp("table") / "x.parquet"
    assert write_parquet(iter(drawn), path) == len(drawn)
    back = list(read(path))
    for got, want in zip(back, drawn, strict=True):
        np.testing.assert_array_equal(got.lattice, want.lattice)
        np.testing.assert_array_equal(got.frac_coords, want.frac_coords)
        np.testing.assert_array_equal(got.numbers, want.numbers)


def test_parquet_has_the_schema_of_the_data_sets(tmp_path):
    crystal = Crystal(np.eye(3) * 4, np.array([[-1e-20, 1, -0.25], [0.999999999, 7.5, 0]]), np.array([6, 100]), "a")
    write_parquet([crystal, crystal], tmp_path / "x.parquet")
    with pq.ParquetFile(tmp_path / "x.parquet") as file:
        assert file.metadata.row_group(0).column(0).compression == "ZSTD"
        types = {field.name: str(field.type) for field in file.schema_arrow}
        rows = file.read().to_pylist()
    assert types["numbers"] == "list<element: uint8>"
    assert types["frac_coords"] == types["lattice"] == "list<element: double>"
    assert [row["material_id"] for row in rows] == ["a", "a-2"]
    assert all(0 <= x < 1 for x in rows[0]["frac_coords"])
    assert rows[0]["frac_coords"][3] == 0.999999999


def test_names_are_safe_and_their_own(tmp_path):
    names = [
        "a",
        "A",
        "a",
        "a-2",
        "../../etc/passwd",
        ".hidden",
        "",
        "x/y:z*?",
        "CON",
        "é" * 400,
        "two\nlines",
        "a" * 400,
    ]
    cell = np.eye(3) * 4
    given_crystals = [Crystal(cell, np.zeros((1, 3)), np.array([k + 1]), name) for k, name in enumerate(names)]
    paths = write_many(given_crystals, tmp_path / "out", "cif")
    assert len({path.name.casefold() for path in paths}) == len(names)
    assert sorted(paths) == sorted((tmp_path / "out").iterdir())
    assert [reread(path).numbers.tolist() for path in paths] == [[k + 1] for k in range(len(names))]
    assert [path.name for path in paths[:4]] == ["a.cif", "A-2.cif", "a-3.cif", "a-2-2.cif"]


def test_namesakes_are_told_apart_in_linear_time(tmp_path):
    tried = []

    class Name(str):
        __slots__ = ()

        def __format__(self, kind):
            tried.append(self)
            return super().__format__(kind)

    one = Crystal(np.eye(3) * 4, np.zeros((1, 3)), np.array([6]), Name("a"))
    write_parquet([one] * 300, tmp_path / "x.parquet")
    assert len(tried) == 299
    assert pq.read_table(tmp_path / "x.parquet")["material_id"].to_pylist()[-1] == "a-300"


@pytest.mark.parametrize("fmt", sorted(SUFFIXES))
def test_a_failed_write_leaves_what_was_there(tmp_path, fmt, monkeypatch):
    crystal = Crystal(np.eye(3) * 4, np.zeros((1, 3)), np.array([14]), "x")
    path = tmp_path / f"x{SUFFIXES[fmt]}"

    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_text", full_disk)
        with pytest.raises(OSError, match="No space"):
            write(crystal, path, fmt)
    assert list(tmp_path.iterdir()) == []
    write(crystal, path, fmt)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full_disk)
        with pytest.raises(OSError, match="No space"):
            write(crystal.translated(np.array([0.5, 0, 0])), path, fmt)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_that_breaks_off_leaves_no_file(tmp_path):
    def broken():
        yield Crystal(np.eye(3) * 4, np.zeros((1, 3)), np.array([14]), "x")
        raise RuntimeError("the decoder died")

    with pytest.raises(RuntimeError, match="died"):
        write_parquet(broken(), tmp_path / "x.parquet")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_gets_the_choices(tmp_path):
    crystal = Crystal(np.eye(3) * 4, np.zeros((1, 3)), np.array([14]))
    with pytest.raises(ValueError, match="no format 'pdb'; have cif, poscar, extxyz, json"):
        write(crystal, tmp_path / "x", "pdb")


def test_a_poscar_has_one_block_for_each_element(tmp_path):
    places = np.random.default_rng(0).random((6, 3))
    crystal = Crystal(np.eye(3) * 9, places, np.array([8, 22, 8, 3, 22, 8]))
    write(crystal, tmp_path / "x.vasp", "poscar")
    lines = (tmp_path / "x.vasp").read_text().splitlines()
    assert (lines[5].split(), lines[6].split()) == (["O", "Ti", "Li"], ["3", "2", "1"])
    got = reread(tmp_path / "x.vasp")
    np.testing.assert_allclose(got.frac_coords, places[[0, 2, 5, 1, 4, 3]], atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=6))
def test_pymatgen_reads_shared_sites_whose_occupancies_sum_to_one(tmp_path_factory, parts):
    """It refuses a sum of 1 + 2⁻⁵²."""
    shares = [(3 + k, part / sum(parts)) for k, part in enumerate(parts)]
    crystal = Crystal.of_shares(4 * np.eye(3), np.zeros((1, 3)), [shares])
    path = tmp_path_factory.mktemp("shared") / "x.cif"
    write(crystal, path, "cif")
    (site,) = Structure.from_file(path)
    assert {s.Z: x for s, x in site.species.items()} == pytest.approx(dict(shares), abs=1e-9)
    np.testing.assert_allclose(reread(path).occupancies, crystal.occupancies, atol=1e-9)


def test_json_is_pymatgens(tmp_path):
    crystal = Crystal(np.eye(3) * 4, np.zeros((1, 3)), np.array([14]))
    write(crystal, tmp_path / "x.json", "json")
    structure = Structure.from_dict(json.loads((tmp_path / "x.json").read_text()))
    assert_same_sites(Crystal.from_pymatgen(structure), crystal)


@pytest.mark.parametrize("name", ["folder_rutile.cif", "slab.extxyz", "zoo_POSCAR", "CONTCAR.gz", "a.CIF.gz"])
@pytest.mark.parametrize("fmt", ["cif", "poscar", "extxyz", "json"])
def test_no_name_makes_others_take_a_file_for_another_format(tmp_path, name, fmt):
    salt = Crystal(3.5 * np.eye(3), np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]), np.array([11, 17]), name=name)
    (path,) = write_many([salt], tmp_path, fmt)
    if fmt == "extxyz":
        assert ase.io.read(path).get_chemical_formula() == "ClNa"
    else:
        assert Structure.from_file(path).composition.reduced_formula == "NaCl"
    if fmt in ("cif", "poscar"):
        assert len(ase.io.read(path)) == 2
