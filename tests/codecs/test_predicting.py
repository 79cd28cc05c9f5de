"""Heads beside a codec."""

from dataclasses import replace

import numpy as np
import pytest

from xtalcodec import Codec
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.embedding.surroundings import SurroundingsConfig
from xtalcodec.heads import files
from xtalcodec.heads.head import HeadError
from xtalcodec.training.derived import supercell


def made(lattice, places, numbers, name="", **more):
    return Crystal(lattice, np.array(places, dtype=float), np.array(numbers), name, **more)


def salt(numbers=(11, 17), edge=5.64):
    return made(edge * (np.ones((3, 3)) - np.eye(3)) / 2, [[0, 0, 0], [0.5] * 3], numbers, "salt")


SHIPPED = ["band_gap", "e_above_hull", "formation_energy"]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_heads_in_the_box_are_the_codecs_own_and_do_not_mind_the_cell(mp, name):
    assert mp.heads == SHIPPED
    crystal = salt()
    double = supercell(crystal.in_basis(np.array([[1, 0, 0], [1, 1, 0], [0, -1, 1]])), np.array([1, 2, 1]))
    found = mp.predict([crystal, double, crystal.to_ase(), crystal.to_pymatgen()], name)
    assert (found.property, found.unit) == (name, "eV" if name == "band_gap" else "eV/atom")
    np.testing.assert_allclose(found.values, found.values[0], atol=2e-3)
    np.testing.assert_allclose(found.uncertainties, found.uncertainties[0], rtol=1e-2)


def test_the_heads_in_the_box_know_salts_from_metals(mp):
    salts, metals = [salt(), salt((12, 8), 4.21)], [salt((29, 79), 5.4), salt((28, 13), 4.1)]
    energies, gaps = (mp.predict(salts + metals, name).values for name in ("formation_energy", "band_gap"))
    assert energies[:2].max() < -1.2 < energies[2:].min()  # eV/atom: NaCl −2.1, MgO −3.0
    assert gaps[:2].min() > 1 > gaps[2:].max()  # eV: 5.0 and 4.4; metals


def test_all_heads_in_the_box_are_small(mp):
    folders = files.available(mp.provenance.folder).values()
    assert sum(path.stat().st_size for folder in folders for path in folder.iterdir()) < 2_200_000


def test_heads_go_where_their_codec_is_saved(mp, tmp_path):
    mp.save_pretrained(tmp_path / "again")
    again = Codec.from_pretrained(tmp_path / "again")
    assert again.heads == SHIPPED
    np.testing.assert_array_equal(again.predict(salt(), "band_gap").values, mp.predict(salt(), "band_gap").values)


def test_a_head_of_another_codec_is_refused_by_name(mp, tmp_path):
    head = mp.head("band_gap")
    files.write(tmp_path, replace(head, about=replace(head.about, codec="mp-000000000000")), {})
    with pytest.raises(HeadError, match=f"belongs to the codec mp-000000000000, not to {mp.identity}") as error:
        mp.predict(salt(), tmp_path)
    assert str(tmp_path) in str(error.value)


def test_crystals_that_cannot_be_looked_at_are_refused_by_name(mp):
    with pytest.raises(CrystalError, match="the codec 'mp' never saw Lr in training"):
        mp.look(SurroundingsConfig())(salt((11, 103)))
    with pytest.raises(HeadError, match="the codec 'linear-unit-cell' has no learnt density channels"):
        Codec.from_pretrained("linear-unit-cell").look(SurroundingsConfig())


def test_what_no_head_predicts_is_said(mp):
    with pytest.raises(
        HeadError, match="no head for the property 'gap'; have band_gap, e_above_hull, formation_energy"
    ):
        mp.predict(salt(), "gap")
    with pytest.raises(HeadError, match=r"the codec perov-5-\w+ has none"):
        Codec.from_pretrained("perov-5").predict(salt(), "band_gap")
    with pytest.raises(CrystalError, match=r"rock: the head for band_gap never saw Fm in training"):
        mp.predict(replace(salt((11, 100)), name="rock"), "band_gap")
