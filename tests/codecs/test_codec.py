"""The codec that ships, on the crystals that must come back and those that must be refused."""

import json

import numpy as np
import pytest
from ase.build import bulk
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from xtalcodec.codecs.base import Codec, CodecConfig
from xtalcodec.codecs.hub import pretrained
from xtalcodec.codecs.latents import LatentsError, LatentSet
from xtalcodec.codecs.registry import open_codec
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.evaluation.reconstruction import reconstruct

ROCK_SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
PEROVSKITE = Structure.from_spacegroup(
    "Pm-3m", Lattice.cubic(3.905), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
)
TOLERANCE = 0.05
"""Å, as `RefineConfig.tolerance`: what encoding aims for."""


def distances(a: Crystal, b: Crystal) -> np.ndarray:
    """Distance of every site of a to the nearest of b with the same species, in Å."""
    from pymatgen.core.lattice import Lattice

    d = Lattice(a.lattice).get_all_distances(a.frac_coords, b.frac_coords)
    d[a.numbers[:, None] != b.numbers] = np.inf
    return d.min(1)


def back(codec: Codec, crystal: Crystal) -> Crystal:
    (decoded,) = codec.decode_crystals(codec.encode([crystal]))
    assert decoded is not None
    return decoded.crystal


def hard_cases() -> dict[str, Crystal]:
    def make(lattice, species, coords) -> Crystal:
        return Crystal.from_pymatgen(Structure(lattice, species, coords))

    skew = Lattice.from_parameters(6, 6, 6, 30, 30, 30)
    flat = Lattice.from_parameters(5, 5, 6, 90, 90, 150)
    left = np.diag([-4.2, 4.2, 4.2])
    return {
        "one atom": Crystal.from_ase(bulk("Cu")),
        "a cell of 2.5 Å": make(Lattice.cubic(2.5), ["Po"], [[0.3, 0.1, 0.7]]),
        "30 Å by 3 Å": make(Lattice.orthorhombic(3, 3, 30), ["Zn", "S"] * 4, [[0, 0, k / 8] for k in range(8)]),
        "angles of 30°": make(skew, ["Cs"], [[0.1, 0.2, 0.3]]),
        "an angle of 150°": make(flat, ["K", "Br"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        "H next to U": make(Lattice.cubic(4.5), ["U", "H"], [[0, 0, 0], [0.4, 0, 0]]),
        "left-handed": make(left, ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        "0.999999999": make(Lattice.cubic(4.2), ["Mg", "O"], [[0.999999999, 0, 0], [0.5, 0.5, 0.5]]),
        "a supercell": Crystal.from_pymatgen(ROCK_SALT * (2, 1, 1)),
        "240 sites": Crystal.from_pymatgen(PEROVSKITE * (4, 4, 3)),
        "0.74 Å apart, as in H2": make(
            Lattice.cubic(4.4), ["Fe", "H", "H"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5 + 0.74 / 4.4]]
        ),
    }


@pytest.mark.parametrize("name", hard_cases())
def test_hard_cases_come_back(mp, name):
    crystal = hard_cases()[name]
    decoded = back(mp, crystal)
    assert sorted(decoded.numbers) == sorted(crystal.numbers)
    assert np.abs(decoded.lattice - crystal.lattice).max() < 1e-9
    assert distances(crystal, decoded).max() < 2 * TOLERANCE


def test_every_element_up_to_100_comes_back(mp):
    """CsCl cells of every element with oxygen, 3.2 Å: the codec saw each, if only in substituted crystals."""
    cells = [Crystal(np.eye(3) * 3.2, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([z, 8])) for z in range(1, 101)]
    decoded = mp.decode_crystals(mp.encode(cells))
    wrong = [z for z, d in zip(range(1, 101), decoded, strict=True) if sorted(d.crystal.numbers) != sorted([z, 8])]
    assert not wrong


def test_an_element_never_seen_is_refused_by_name():
    codec = open_codec(CodecConfig(name="oxides", elements=(8, 12)))
    with pytest.raises(CrystalError, match="never saw Ti in training"):
        codec.encode(Structure(Lattice.cubic(4), ["Ti", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]))


def test_an_element_beyond_the_last_is_refused(mp):
    with pytest.raises(CrystalError, match="never saw Md"):
        mp.encode(Structure(Lattice.cubic(4), ["Md"], [[0, 0, 0]]))


def test_a_cell_too_large_is_refused_with_the_limit(mp):
    with pytest.raises(CrystalError, match="the limit is 1024"):
        mp.encode(Structure(Lattice.cubic(30), ["Na"], [[0, 0, 0]]))


def test_atoms_too_near_to_be_told_apart_are_refused(mp):
    with pytest.raises(CrystalError, match=r"two of its atoms are 0\.60 Å apart; nearer than 0\.65 Å"):
        mp.encode(Structure(Lattice.cubic(4), ["Fe", "O"], [[0, 0, 0.95], [0, 0, 0.1]]))


def test_structures_come_back_as_structures_with_confidence(mp):
    (structure,) = mp.decode(mp.encode(PEROVSKITE))
    assert isinstance(structure, Structure)
    assert StructureMatcher().fit(structure, PEROVSKITE)
    assert 0.5 < structure.properties["confidence"] <= 1
    assert len(structure.site_properties["confidence"]) == 5


def test_atoms_come_back_as_atoms(mp):
    atoms = bulk("NaCl", "rocksalt", a=5.64)
    (back_again,) = mp.decode(mp.encode(atoms))
    assert back_again.get_chemical_formula() == "ClNa"
    assert np.allclose(back_again.cell, atoms.cell)
    assert back_again.info["confidence"] > 0.5


def test_paths_are_read(mp, tmp_path):
    PEROVSKITE.to(str(tmp_path / "a.cif"))
    (structure,) = mp.decode(mp.encode(tmp_path / "a.cif"))
    assert structure.composition == PEROVSKITE.composition


def test_a_bad_path_is_named(mp, tmp_path):
    (tmp_path / "bad.cif").write_text("")
    with pytest.raises(CrystalError, match=r"bad\.cif: it is empty"):
        mp.encode([tmp_path / "bad.cif"])


def test_what_is_no_crystal_is_a_type_error(mp):
    with pytest.raises(TypeError, match="not int"):
        mp.encode([3])


def test_translating_translates_the_reconstruction(mp):
    crystal = Crystal.from_pymatgen(PEROVSKITE)
    for shift in ([0.1, 0.0, 0.0], [0.37, 0.21, 0.93]):
        moved = back(mp, crystal.translated(np.array(shift)))
        assert distances(back(mp, crystal).translated(np.array(shift)), moved).max() < 2 * TOLERANCE


def test_permuting_sites_changes_nothing(mp):
    crystal = Crystal.from_pymatgen(PEROVSKITE)
    order = [4, 2, 0, 1, 3]
    permuted = Crystal(crystal.lattice, crystal.frac_coords[order], crystal.numbers[order])
    there, back_again = mp.encode(crystal)[0].z, mp.encode(permuted)[0].z
    assert np.abs(there - back_again).max() < 1e-3 * np.abs(there).max()


def test_permuting_axes_changes_nothing_but_the_axes(mp):
    crystal = Crystal.from_pymatgen(
        Structure(Lattice.orthorhombic(3.9, 5.1, 6.7), ["Ca", "S"], [[0, 0.1, 0.2], [0.5, 0.6, 0.7]])
    )
    axes = [2, 0, 1]
    permuted = Crystal(crystal.lattice[axes], crystal.frac_coords[:, axes], crystal.numbers)
    straight, turned = back(mp, crystal), back(mp, permuted)
    assert np.allclose(turned.lattice, crystal.lattice[axes])
    again = Crystal(crystal.lattice, turned.frac_coords[:, np.argsort(axes)], turned.numbers)
    assert distances(straight, again).max() < 0.01


def test_latents_of_another_codec_are_refused(mp):
    other = open_codec(CodecConfig(name="other"))
    with pytest.raises(LatentsError, match="belong to the codec mp-"):
        other.decode(mp.encode(PEROVSKITE))


def test_a_saved_codec_is_the_same(mp, tmp_path):
    mp.save_pretrained(tmp_path)
    again = Codec.from_pretrained(tmp_path)
    assert again.identity == mp.identity
    assert np.array_equal(again.encode(ROCK_SALT)[0].z, mp.encode(ROCK_SALT)[0].z)


@pytest.mark.parametrize("text", ['{"name": "x", "spaces": {}}', '{"network": {"width": "wide"}}'])
def test_a_config_with_an_error_is_refused(mp, tmp_path, text):
    mp.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"no setting 'spaces'|network.width: input should be a valid integer"):
        Codec.from_pretrained(tmp_path)


def test_an_unknown_codec_gets_the_list_and_a_guess():
    with pytest.raises(FileNotFoundError, match=r"no codec 'perov5'; have .*Did you mean 'perov-5'"):
        Codec.from_pretrained("perov5")


def test_the_box_holds_codecs_with_cards_under_50_megabytes():
    windows = {"mp-unit-cell", "mp-unit-cell-280", "mp-repeating", "linear-unit-cell", "hoffmann-narrow"}
    assert {"mp", "perov-5", "carbon-24"} | windows == set(pretrained())
    folders = [Codec.folder(name) for name in pretrained()]
    assert sum(f.stat().st_size for folder in folders for f in folder.iterdir()) < 50e6
    for folder in folders:
        assert {"recipe", "commit", "command"} <= set(json.loads((folder / "training.json").read_text()))
        assert "Held-out scores" in (folder / "README.md").read_text()


def test_self_check_is_small_for_a_good_latent_and_large_for_a_bad_one(mp):
    latents = mp.encode(PEROVSKITE, refine=False)
    code = latents[0]
    from dataclasses import replace

    bad = LatentSet((replace(code, z=np.roll(code.z, 1, axis=1)),), latents.codec)
    (near,) = mp.cycle_consistency(latents, mp.decode_crystals(latents))
    (far,) = mp.cycle_consistency(bad, mp.decode_crystals(bad))
    assert near < 0.5 * far


@pytest.mark.slow
def test_most_prototypes_match(mp, prototypes):
    """The bar of the README on a part of them: one in six, of every size."""
    rows = reconstruct(mp, prototypes[::6])
    assert sum(r.matched for r in rows) / len(rows) >= 0.9
