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
from xtalcodec.crystal import Crystal
from xtalcodec.latent_space.interpolate import between, interpolate
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCellConfig

SITES = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]


def perovskite(a_site: str, a: float) -> Crystal:
    structure = Structure.from_spacegroup("Pm-3m", Lattice.cubic(a), [a_site, "Ti", "O"], SITES)
    return Crystal.from_pymatgen(structure, f"{a_site}TiO3")


SRTIO3, BATIO3 = perovskite("Sr", 3.905), perovskite("Ba", 4.0)
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
    middle = between(a, b, 0.25)
    assert np.allclose(middle.z, [[1, 3]])
    assert np.allclose(middle.lattice, np.diag([3.5, 3.25, 3]))
    assert np.allclose(middle.origin[0], 0.95)


def test_arcs_follow_the_circle():
    a, b = code([1, 0], np.eye(3)), code([0, 1], np.eye(3))
    for share in (0.0, 0.2, 0.5, 1.0):
        angle = share * np.pi / 2
        assert np.allclose(between(a, b, share, spherical=True).z, [[np.cos(angle), np.sin(angle)]], atol=1e-6)


@pytest.mark.parametrize("z", [[2, 0], [-1, 0], [0, 0]])
def test_arcs_between_parallel_latents_are_lines(z):
    a, b = code([1, 0], np.eye(3)), code(z, np.eye(3))
    assert np.allclose(between(a, b, 0.5, spherical=True).z, (a.z + b.z) / 2)


def test_a_path_between_perovskites_is_of_perovskites(mp):
    path = interpolate(mp, SRTIO3, BATIO3, 3)
    assert [c.name for c in path] == ["SrTiO3-BaTiO3-1", "SrTiO3-BaTiO3-2", "SrTiO3-BaTiO3-3"]
    found = [d.crystal for d in mp.decode_crystals(path)]
    for crystal, end in ((found[0], SRTIO3), (found[2], BATIO3)):
        assert StructureMatcher().fit(crystal.to_pymatgen(), end.to_pymatgen())
    assert found[1].volume == pytest.approx(3.9525**3)
    assert StructureMatcher().fit_anonymous(found[1].to_pymatgen(), SRTIO3.to_pymatgen())


def test_a_periodic_codec_lays_a_turned_cell_on_the_other(mp):
    turned = replace(
        BATIO3, lattice=BATIO3.lattice @ Rotation.from_euler("zyx", [70, 40, 10], degrees=True).as_matrix()
    )
    path = interpolate(mp, SRTIO3, turned, 2, refine=False)
    assert np.allclose(path[1].lattice, BATIO3.lattice, atol=1e-6)


def test_grids_that_differ_are_told_with_the_codecs_that_do_not_mind(mp):
    with pytest.raises(LatentsError, match=r"SrTiO3 on 3×2×2 and NaCl on .* follows the cell.*unit_cell or repeating"):
        interpolate(mp, SRTIO3, ROCK_SALT, refine=False)


def test_a_path_has_two_ends(mp):
    with pytest.raises(LatentsError, match="at least two steps"):
        interpolate(mp, SRTIO3, BATIO3, 1)


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
