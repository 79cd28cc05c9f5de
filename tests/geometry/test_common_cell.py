"""Two crystals on one cell, against known transformations and against pymatgen's matcher."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from scipy.spatial.transform import Rotation

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.alignment import unimodular
from xtalcodec.geometry.common_cell import common_cell
from xtalcodec.geometry.symmetry import space_group
from xtalcodec.testing import crystals

NOTHING = 1e-5
"""Å: what rounding and moyopy's idealised cells leave of no displacement."""


def crystal(group, lattice, species, places, name) -> Crystal:
    return Crystal.from_pymatgen(Structure.from_spacegroup(group, lattice, species, places), name)


HALF = [0.5, 0.5, 0.5]
ROCK_SALT = crystal("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], HALF], "NaCl")
PERICLASE = crystal("Fm-3m", Lattice.cubic(4.21), ["Mg", "O"], [[0, 0, 0], HALF], "MgO")
CAESIUM = crystal("Pm-3m", Lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], HALF], "CsCl")
PEROVSKITE = [[0, 0, 0], HALF, [0.5, 0.5, 0]]
SRTIO3 = crystal("Pm-3m", Lattice.cubic(3.905), ["Sr", "Ti", "O"], PEROVSKITE, "SrTiO3")
BATIO3 = crystal("Pm-3m", Lattice.cubic(4.0), ["Ba", "Ti", "O"], PEROVSKITE, "BaTiO3")
SILICON, OXYGEN = [0.4697, 0, 1 / 3], [0.4135, 0.2669, 0.1191 + 1 / 3]
QUARTZ = crystal("P3_121", Lattice.hexagonal(4.913, 5.405), ["Si", "O"], [SILICON, OXYGEN], "quartz")
CRISTOBALITE = crystal(
    "P4_12_12", Lattice.tetragonal(4.971, 6.922), ["Si", "O"], [[0.3003, 0.3003, 0], [0.2392, 0.1044, 0.1787]], "crist"
)
WURTZITE = crystal(
    "P6_3mc", Lattice.hexagonal(3.25, 5.2), ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.382]], "ZnO"
)
BCC = crystal("Im-3m", Lattice.cubic(2.87), ["Fe"], [[0, 0, 0]], "bcc")
FCC = crystal("Fm-3m", Lattice.cubic(3.6), ["Fe"], [[0, 0, 0]], "fcc")
HCP = crystal("P6_3/mmc", Lattice.hexagonal(2.5, 4.08), ["Fe"], [[1 / 3, 2 / 3, 0.25]], "hcp")


def disguised(given: Crystal, seed: int, cells: int = 1) -> Crystal:
    """The same crystal from another origin, turned, on another cell, with its sites in another order."""
    rng = np.random.default_rng(seed)
    basis = unimodular()[rng.integers(len(unimodular()))]
    if cells > 1:
        given = Crystal.from_pymatgen(given.to_pymatgen().make_supercell([cells, 1, 1]))
    other = given.in_basis(basis).translated(rng.uniform(size=3))
    order = rng.permutation(len(other))
    turned = other.lattice @ Rotation.random(random_state=rng).as_matrix()
    return replace(other, lattice=turned, frac_coords=other.frac_coords[order], numbers=other.numbers[order])


def test_rock_salt_becomes_caesium_chloride_by_buergers_path():
    # Buerger 1951: the rhombohedral cell of one formula unit opens from 60° to 90°, and no atom moves in it.
    cells = common_cell(ROCK_SALT, CAESIUM)
    for end, edge, angle in ((cells.a, 5.64 / np.sqrt(2), 60), (cells.b, 4.12, 90)):
        assert np.allclose(Lattice(end.lattice).parameters, [edge] * 3 + [angle] * 3, atol=1e-6)
    assert cells.displacement < NOTHING
    assert np.allclose(cells.b.frac_coords, cells.a.frac_coords, atol=NOTHING)
    assert sorted(zip(cells.a.symbols, cells.b.symbols, strict=True)) == [("Cl", "Cl"), ("Na", "Cs")]
    assert cells.changes == pytest.approx(1)
    # Stretches along and across the three-fold axis, from the heights of the two rhombohedra.
    along = 4.12 * np.sqrt(3) / (5.64 * np.sqrt(3))
    across = np.sqrt(4.12**3 / (5.64**3 / 4) / along)
    assert cells.strain == pytest.approx(np.sqrt(np.log(along) ** 2 + 2 * np.log(across) ** 2), abs=1e-9)
    assert space_group(cells.at(0.5)) == "R-3m"


def test_of_perovskites_only_the_large_cation_changes():
    cells = common_cell(SRTIO3, BATIO3)
    changed = {(x, y) for x, y in zip(cells.a.symbols, cells.b.symbols, strict=True) if x != y}
    assert (len(cells.a), changed, cells.changes) == (5, {("Sr", "Ba")}, 1)
    assert cells.strain == pytest.approx(np.sqrt(3) * np.log(4.0 / 3.905))
    assert cells.displacement < NOTHING


def test_quartz_and_cristobalite_meet_in_twelve_formula_units():
    cells = common_cell(QUARTZ, CRISTOBALITE)
    assert len(cells.a) == 36
    assert np.array_equal(cells.a.numbers, cells.b.numbers)
    matcher = StructureMatcher(primitive_cell=True, scale=False, ltol=1e-3, stol=1e-3, angle_tol=0.1)
    for found, end in ((cells.a, QUARTZ), (cells.b, CRISTOBALITE)):
        assert matcher.fit(found.to_pymatgen(), end.to_pymatgen())
    # The volumes alone, per formula unit, make a strain of ln(V/V')/√3, which no choice of cells lowers.
    volume = np.log((CRISTOBALITE.volume / 4) / (QUARTZ.volume / 3)) / np.sqrt(3)
    assert volume <= cells.strain < 2 * volume
    assert cells.displacement < 1.65


def test_bain_strain_and_burgers_shuffle():
    bain = common_cell(BCC, FCC)
    across, along = 3.6 / np.sqrt(2) / 2.87, 3.6 / 2.87
    assert bain.strain == pytest.approx(np.sqrt(2 * np.log(across) ** 2 + np.log(along) ** 2), abs=1e-9)
    # Burgers 1934: (110) planes shuffle by a sixth of the orthohexagonal b axis, half of it each.
    burgers = common_cell(BCC, HCP)
    b_axis = np.sqrt(np.sqrt(2) * 2.87 * np.sqrt(3) * 2.5)
    assert burgers.displacement == pytest.approx(b_axis / 12, rel=1e-4)
    assert space_group(burgers.at(0.5)) == "Cmcm"


def test_elements_with_nothing_in_common_keep_metals_metals():
    cells = common_cell(ROCK_SALT, PERICLASE)
    assert {*zip(cells.a.symbols, cells.b.symbols, strict=True)} == {("Na", "Mg"), ("Cl", "O")}
    assert cells.displacement < NOTHING


def test_shared_sites_change_by_what_is_not_shared():
    shares = [[(11, 0.5), (19, 0.5)], [(17, 1.0)]]
    alloy = Crystal.of_shares(CAESIUM.lattice, CAESIUM.frac_coords, shares, "alloy")
    pure = Crystal(CAESIUM.lattice, CAESIUM.frac_coords, np.array([11, 17]), "NaCl")
    cells = common_cell(alloy, pure)
    assert cells.changes == pytest.approx(0.5)
    assert cells.a.occupancies is not None
    assert cells.effort < NOTHING


def test_a_crystal_is_not_its_mirror_image():
    left = replace(QUARTZ, lattice=QUARTZ.lattice * [1, 1, -1])
    assert common_cell(QUARTZ, left).effort > 0.3
    assert common_cell(left, left).effort < NOTHING


@settings(max_examples=12)
@given(crystals(max_sites=4, min_separation=1.2, left_handed=True), st.integers(0, 10_000), st.sampled_from([1, 2]))
def test_in_another_setting_a_crystal_is_itself(given_crystal, seed, cells):
    found = common_cell(given_crystal, disguised(given_crystal, seed, cells))
    assert found.strain < 1e-6
    assert found.displacement < NOTHING
    assert found.changes == 0


@pytest.mark.parametrize("pair", [(ROCK_SALT, CAESIUM), (WURTZITE, PERICLASE), (BCC, HCP), (SRTIO3, BATIO3)])
@pytest.mark.parametrize("seed", [1, 2])
def test_neither_order_nor_setting_matters(pair, seed):
    here, there = common_cell(*pair), common_cell(disguised(pair[1], seed), disguised(pair[0], seed + 1))
    assert there.strain == pytest.approx(here.strain, abs=1e-6)
    assert there.displacement == pytest.approx(here.displacement, abs=1e-4)
    assert there.changes == here.changes


@settings(max_examples=8)
@given(crystals(max_sites=5, min_separation=2.0), st.integers(0, 10_000))
def test_small_moves_are_found_again(start, seed):
    rng = np.random.default_rng(seed)
    moves = 0.05 * rng.normal(size=start.frac_coords.shape)
    stretch = np.eye(3) + 0.02 * rng.uniform(-1, 1) * np.ones((3, 3))
    end = replace(
        start, lattice=start.lattice @ stretch, frac_coords=start.frac_coords + moves @ np.linalg.inv(start.lattice)
    )
    found = common_cell(start, disguised(end, seed))
    true_strain = np.sqrt((np.log(np.linalg.eigvalsh(stretch)) ** 2).sum())
    # Of primitive cells with accidental symmetry there may be a shorter way; never is there a need for a longer one.
    room = (start.volume * end.volume / len(start) ** 2) ** (1 / 6)
    rms = np.sqrt(((moves - moves.mean(0)) ** 2).sum(1).mean())
    assert found.effort <= 1.05 * (room * true_strain + rms) + 0.03


def test_what_has_no_common_cell_is_named():
    with pytest.raises(
        CrystalError, match=r"quartz and crist have no common cell of up to 20 sites: .* 9 and 12, .* 36"
    ):
        common_cell(QUARTZ, CRISTOBALITE, 20)
    flat = Crystal(np.array([[9.0, 0, 0], [0, 9, 0], [9, 9, 1e-4]]), np.zeros((1, 3)), np.array([6]), "flat")
    with pytest.raises(CrystalError, match="flat and NaCl: its cell is impossible"):
        common_cell(flat, ROCK_SALT)
