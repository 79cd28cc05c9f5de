"""Paths between codes: arithmetic against the circle, and the codecs on real crystals."""

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from scipy.spatial.transform import Rotation

from xtalcodec.codecs.latents import CrystalCode, LatentsError
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.symmetry import space_group
from xtalcodec.latent_space.interpolate import NOISE, elements_of, interpolate, mixed
from xtalcodec.latent_space.paths import arc, line
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.representations.periodic import PeriodicConfig
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCellConfig

SITES = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]


def perovskite(a_site: str, a: float) -> Crystal:
    structure = Structure.from_spacegroup("Pm-3m", Lattice.cubic(a), [a_site, "Ti", "O"], SITES)
    return Crystal.from_pymatgen(structure, f"{a_site}TiO3")


SRTIO3, BATIO3 = perovskite("Sr", 3.905), perovskite("Ba", 4.0)
CSCL = Crystal.from_pymatgen(
    Structure.from_spacegroup("Pm-3m", Lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]), "CsCl"
)
ROCK_SALT = Crystal.from_pymatgen(
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]), "NaCl"
)


@pytest.fixture(scope="module", params=[UnitCellConfig, RepeatingConfig])
def windows(request):
    """A small codec of windows; what it encodes is exact, what it decodes is noise."""
    network = PatchConfig(channels=2, width=16, heads=2, encoder_layers=1, decoder_layers=1, latent=2, features=2)
    return open_codec(CodecConfig("windows", request.param(patches=3), network))


def code(z, lattice, origin=(0, 0, 0)) -> CrystalCode:
    z = np.array(z, dtype=np.float32).reshape(1, -1)
    return CrystalCode(
        "x", z, (1, 1, 1), np.array(lattice, dtype=float), np.eye(3, dtype=np.int64), np.array(origin, float)
    )


def test_lines_are_straight_and_origins_take_the_short_way():
    a, b = code([0, 4], 3 * np.eye(3), (0.9, 0, 0)), code([4, 0], np.diag([5.0, 4, 3]), (0.1, 0.5, 0))
    middle = mixed(a, b, [0.25], line)[0]
    assert np.allclose(middle.z, [[1, 3]])
    assert np.allclose(middle.lattice, np.diag([3 * (5 / 3) ** 0.25, 3 * (4 / 3) ** 0.25, 3]))
    assert np.allclose(middle.origin[0], 0.95)


def test_arcs_follow_the_circle():
    a, b = code([1, 0], np.eye(3)), code([0, 1], np.eye(3))
    for share in (0.0, 0.2, 0.5, 1.0):
        angle = share * np.pi / 2
        assert np.allclose(mixed(a, b, [share], arc)[0].z, [[np.cos(angle), np.sin(angle)]], atol=1e-6)


@pytest.mark.parametrize("z", [[2, 0], [-1, 0], [0, 0]])
def test_arcs_between_parallel_latents_are_lines(z):
    a, b = code([1, 0], np.eye(3)), code(z, np.eye(3))
    assert np.allclose(mixed(a, b, [0.5], arc)[0].z, (a.z + b.z) / 2)


def test_a_path_between_perovskites_is_of_perovskites(mp):
    path = interpolate(mp, SRTIO3, BATIO3, 3)
    assert [c.name for c in path] == ["SrTiO3-BaTiO3-1", "SrTiO3-BaTiO3-2", "SrTiO3-BaTiO3-3"]
    found = [d.crystal for d in mp.decode_crystals(path)]
    for crystal, end in ((found[0], SRTIO3), (found[2], BATIO3)):
        assert StructureMatcher().fit(crystal.to_pymatgen(), end.to_pymatgen())
    assert found[1].volume == pytest.approx((3.905 * 4.0) ** 1.5)
    assert StructureMatcher().fit_anonymous(found[1].to_pymatgen(), SRTIO3.to_pymatgen())


def test_a_turned_supercell_of_another_origin_is_laid_on_the_other(mp):
    moved = Crystal.from_pymatgen(BATIO3.to_pymatgen().make_supercell([2, 1, 1]), "BaTiO3").translated(np.ones(3) / 7)
    turned = replace(moved, lattice=moved.lattice @ Rotation.from_euler("zyx", [70, 40, 10], degrees=True).as_matrix())
    path = interpolate(mp, SRTIO3, turned, 2, refine=False)
    assert np.allclose(path[1].lattice, path[0].lattice * 4.0 / 3.905, atol=1e-6)
    assert np.array_equal(path[0].origin, path[1].origin)
    straight = interpolate(mp, SRTIO3, BATIO3, 2, refine=False)
    near = abs(path[1].z - straight[1].z).max()
    assert near < 1e-2 * abs(straight[1].z).max()


@pytest.mark.parametrize("way", [line, arc])
def test_all_that_lies_between_rock_salt_and_caesium_chloride_is_a_crystal(mp, way):
    path = interpolate(mp, ROCK_SALT, CSCL, 9, path=way)
    found = mp.decode_crystals(path, elements=elements_of(ROCK_SALT, CSCL))
    groups = [space_group(step.crystal, 0.1) for step in found]
    assert (groups[0], groups[-1], {*groups[1:-1]}) == ("Fm-3m", "Pm-3m", {"R-3m"})
    for step in found:
        assert len(step.crystal) == 2
        assert {*step.crystal.elements} <= {11, 17, 55}
        assert step.confidence >= 0.4
        assert step.crystal.to_pymatgen().distance_matrix.max() > 2.5
    angles = [step.crystal.to_pymatgen().lattice.alpha for step in found]
    assert angles == sorted(angles)


def test_a_path_is_any_function_of_two_codes_and_shares(mp):
    def bent(a, b, shares):
        assert a.patches == b.patches
        return np.stack([a.z if share < 0.5 else b.z for share in shares])

    path = interpolate(mp, SRTIO3, BATIO3, 4, path=bent, refine=False)
    assert np.array_equal(path[1].z, path[0].z)
    assert np.array_equal(path[2].z, path[3].z)
    with pytest.raises(LatentsError, match=r"the path gave latents of shape \(1, .* for 4 of"):
        interpolate(mp, SRTIO3, BATIO3, 4, path=lambda a, b, shares: a.z[None], refine=False)  # noqa: ARG005


def test_only_between_the_ends_is_a_decoder_told_of_noise():
    network = PatchConfig(channels=2, width=16, heads=2, encoder_layers=1, decoder_layers=1, features=2, noise=0.4)
    codec = open_codec(CodecConfig("noisy", PeriodicConfig(), network))
    told = [code.noise for code in interpolate(codec, SRTIO3, BATIO3, 4, refine=False)]
    assert told == [0, NOISE, NOISE, 0]
    loud = [code.noise for code in interpolate(codec, SRTIO3, BATIO3, 3, noise=9.0, refine=False)]
    assert loud == [0, 0.4, 0]
    untold = open_codec(CodecConfig("untold", PeriodicConfig(), replace(network, noise=0.0)))
    assert {code.noise for code in interpolate(untold, SRTIO3, BATIO3, 3, refine=False)} == {0}  # it knows of none


def test_codes_of_different_grids_cannot_be_mixed(mp):
    a, b = mp.encode([SRTIO3, ROCK_SALT], refine=False)
    with pytest.raises(LatentsError, match="different grids cannot be mixed: SrTiO3 on 3×2×2 and NaCl on"):
        mixed(a, b, [0.5])


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ({"steps": 0}, LatentsError, "at least two steps, its ends, not 0"),
        ({"steps": 1}, LatentsError, "at least two steps, its ends, not 1"),
        ({"noise": float("nan")}, LatentsError, "noise is 0 or more"),
        ({"noise": -0.1}, LatentsError, "noise is 0 or more"),
        ({"max_sites": 4}, CrystalError, "SrTiO3 and BaTiO3 have no common cell of up to 4 sites"),
    ],
)
def test_what_is_no_path_is_told(mp, words, error, message):
    with pytest.raises(error, match=message):
        interpolate(mp, SRTIO3, BATIO3, **words)


def test_an_end_that_the_codec_cannot_hold_is_named(mp):
    strange = Crystal(BATIO3.lattice, BATIO3.frac_coords, np.where(BATIO3.numbers == 56, 101, BATIO3.numbers), "MdTiO3")
    with pytest.raises(CrystalError, match="MdTiO3: the codec 'mp' never saw Md"):
        interpolate(mp, SRTIO3, strange)


def test_windows_mix_any_two_crystals(windows):
    path = interpolate(windows, SRTIO3, ROCK_SALT, 5, refine=False)
    (start,) = windows.encode([SRTIO3], refine=False)
    assert np.allclose(path[0].z, start.z, atol=1e-5)
    assert np.allclose(path[2].z, (path[0].z + path[4].z) / 2, atol=1e-6)
    volumes = [np.linalg.det(c.lattice) for c in path]
    assert volumes[0] == pytest.approx(SRTIO3.volume)
    assert volumes[-1] == pytest.approx(ROCK_SALT.volume)
    assert volumes == sorted(volumes)


def test_in_windows_a_turned_copy_is_turned_back(windows):
    low = Structure(Lattice.from_parameters(3.2, 4.1, 5.3, 85, 97, 103), ["Ca", "S"], [[0, 0.1, 0.2], [0.5, 0.6, 0.7]])
    crystal = Crystal.from_pymatgen(low, "CaS")
    turned = replace(crystal, lattice=crystal.lattice @ Rotation.from_rotvec([0.4, -1.1, 2.0]).as_matrix())
    path = interpolate(windows, crystal, turned, 3, refine=False)
    for step in path:
        assert np.allclose(step.z, path[0].z, atol=1e-3 * abs(path[0].z).max())
        assert np.allclose(step.lattice, path[0].lattice, atol=1e-6)


def test_a_disordered_end_keeps_its_occupancies(mp):
    places = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    alloy = Crystal.from_pymatgen(Structure(Lattice.cubic(3.7), 4 * [{"Cu": 0.5, "Au": 0.5}], places), "alloy")
    ordered = Crystal.from_pymatgen(Structure(Lattice.cubic(3.75), ["Au", "Cu", "Cu", "Cu"], places), "ordered")
    for ends in ((alloy, ordered), (ordered, alloy), (alloy, alloy)):
        way = mp.decode_crystals(interpolate(mp, *ends, 3), elements=elements_of(*ends))
        for end, one in zip(ends, (way[0], way[-1]), strict=True):
            assert one.confidence > 0.9
            found, true = one.crystal.to_pymatgen().composition, end.to_pymatgen().composition
            assert found.fractional_composition.almost_equals(true.fractional_composition, atol=1e-3)
