"""What `Codec` does for every class: crystals of all kinds in, each as it was given out, by name where it fails."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from xtalcodec.codecs.base import CodecConfig
from xtalcodec.codecs.latents import LatentSet
from xtalcodec.codecs.registry import open_codec
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.testing import crystals, shifts

few = settings(max_examples=10, deadline=None, derandomize=True)

SMALL = PatchConfig(channels=2, width=16, heads=2, encoder_layers=1, decoder_layers=1, latent=2, features=2)


@pytest.fixture(scope="module")
def small():
    """An untrained codec of cells: what goes in and comes out is right, but for the atoms."""
    return open_codec(CodecConfig("small", network=SMALL))


def salt(a: float, species: tuple[str, str] = ("Na", "Cl")) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), list(species), [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_a_mixture_comes_back_each_as_given(mp, tmp_path):
    salt(5.64).to(str(tmp_path / "a.cif"))
    given_as = [salt(5.64), bulk("MgO", "rocksalt", a=4.21), tmp_path / "a.cif", bulk("Cu")]
    latents = mp.encode(given_as)
    latents.to_parquet(tmp_path / "z.parquet")
    for kept in (latents, LatentSet.from_parquet(tmp_path / "z.parquet")):
        back = mp.decode(kept)
        assert [type(m) for m in back] == [Structure, Atoms, Structure, Atoms]
        assert [c.given_as for c in kept] == ["pymatgen", "ase", "pymatgen", "ase"]
        assert back[0].composition == back[2].composition == salt(5.64).composition
        assert [back[k].get_chemical_formula() for k in (1, 3)] == ["MgO", "Cu"]
        assert [m.get_chemical_formula() for m in mp.decode(kept[3:])] == ["Cu"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (salt(60.0), r"^item 1 \(NaCl\): its cell needs \d+ patches of 2 Å; the limit is 1024"),
        (salt(5.0, ("Md", "Cl")), r"^item 1 \(MdCl\): the codec 'small' never saw Md in training"),
        (salt(0.9), r"^item 1 \(NaCl\): two of its atoms are 0\.\d\d Å apart"),
        (Crystal(60 * np.eye(3), np.zeros((1, 3)), np.array([26]), "mp-13"), "^mp-13: its cell needs"),
        (Structure(Lattice.cubic(4), [{"Fe": 0.5}], [[0, 0, 0]]), r"^item 1: site 0 \(Fe:0\.5 .* is disordered"),
        (Atoms("Cu"), r"^item 1: it is not periodic"),
    ],
)
def test_the_item_of_a_list_that_fails_is_named(small, bad, message):
    with pytest.raises(CrystalError, match=message):
        small.encode([salt(5.64), bad, salt(5.64)])


def test_a_file_of_a_list_that_fails_is_named(small, tmp_path):
    salt(60.0).to(str(tmp_path / "large.cif"))
    with pytest.raises(CrystalError, match=r"^large: its cell needs"):
        small.encode([salt(5.64), tmp_path / "large.cif"])


def test_a_folder_stands_for_its_files(small, tmp_path):
    for k in range(6):
        (tmp_path / f"run{k}").mkdir()
        salt(5.0 + 0.1 * k).to(str(tmp_path / f"run{k}" / "POSCAR"), fmt="poscar")
    latents = small.encode(tmp_path, refine=False)
    volumes = sorted(abs(np.linalg.det(code.lattice)) for code in latents)
    np.testing.assert_allclose(volumes, [(5.0 + 0.1 * k) ** 3 for k in range(6)], rtol=1e-5)
    assert len({code.name for code in latents}) == 6


def test_six_poscars_side_by_side_are_six_crystals(small, tmp_path):
    for k in range(6):
        salt(5.0 + 0.1 * k).to(str(tmp_path / f"POSCAR_{k}"), fmt="poscar")
    assert len(small.encode(tmp_path, refine=False)) == 6


@few
@given(crystals(max_sites=4, left_handed=True), shifts(), st.integers(0, 9))
def test_decoded_coordinates_are_in_the_cell(small, crystal, shift, seed):
    """Whatever the latent: of the encoder, or none that any crystal has."""
    try:
        latents = small.encode([crystal.translated(shift)], refine=False)
    except CrystalError:
        reject()
    rng = np.random.default_rng(seed)
    for scale in (0.0, 3.0, 30.0):
        latents[0].z[:] += (scale * rng.normal(size=latents[0].z.shape)).astype(np.float32)
        for decoded in small.decode_crystals(latents):
            if decoded is None:
                continue
            assert ((decoded.crystal.frac_coords >= 0) & (decoded.crystal.frac_coords < 1)).all()
            np.testing.assert_allclose(decoded.crystal.lattice, crystal.lattice, atol=1e-9)


def test_progress_counts_every_crystal_once(small):
    counts = []
    latents = small.encode([salt(5.64), salt(9.0), salt(5.7)], refine=False, progress=counts.append)
    assert sum(counts) == 3
    small.decode_crystals(latents, counts.append)
    assert sum(counts) == 6
    assert [round(abs(np.linalg.det(c.lattice)) ** (1 / 3), 2) for c in latents] == [5.64, 9.0, 5.7]
