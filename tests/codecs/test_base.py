"""What `Codec` does, by the codec that ships and a small one: crystals that must come back, and those that must not."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs import base, contract, patch
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.hub import folder_of, pretrained
from xtalcodec.codecs.latents import LatentsError, LatentSet
from xtalcodec.codecs.refine import RefineConfig
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.evaluation.reconstruction import reconstruct
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.testing import crystals, shifts

ROCK_SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
PEROVSKITE = Structure.from_spacegroup(
    "Pm-3m", Lattice.cubic(3.905), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
)
TOLERANCE = RefineConfig().tolerance
"""Å: what correction aims for."""
ROUNDING = 1e-4
"""Å: of decoding in another batch, or on another processor."""


def distances(a: Crystal, b: Crystal) -> np.ndarray:
    """Distance of every site of a to the nearest of b with the same species, in Å."""
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
    assert distances(crystal, decoded).max() < mp.config.refine.retried + ROUNDING


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
    with pytest.raises(CrystalError, match="the limit is 12288"):
        mp.encode(Structure(Lattice.cubic(60), ["Na"], [[0, 0, 0]]))


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
        assert distances(crystal.translated(np.array(shift)), moved).max() < TOLERANCE
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


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_latents_that_are_no_numbers_are_refused(mp, wrong):
    good, bad = mp.encode([PEROVSKITE, PEROVSKITE], refine=False)
    z = bad.z.copy()
    z[1, 2] = wrong
    codes = good, replace(bad, name="bad", z=z)
    with pytest.raises(LatentsError, match="bad: a number is not finite"):
        mp.decode(LatentSet(codes, mp.identity))


def test_a_latent_whose_cell_is_flat_is_refused(mp):
    (good,) = mp.encode(PEROVSKITE, refine=False)
    flat = replace(good, name="bad", lattice=good.lattice * [1, 1, 0])
    with pytest.raises(LatentsError, match="bad: its cell has no volume"):
        mp.decode(LatentSet((good, flat), mp.identity))


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
    windows = {"mp-unit-cell", "mp-unit-cell-280", "mp-repeating"}
    windows |= {f"{kind}-{window}" for kind in ("linear", "hoffmann") for window in ("unit-cell", "repeating")}
    assert {"mp", "perov-5", "carbon-24"} | windows == set(pretrained())
    folders = [folder_of(name) for name in pretrained()]
    assert sum(f.stat().st_size for folder in folders for f in folder.iterdir()) < 50e6
    for folder in folders:
        assert {"recipe", "commit", "command"} <= set(json.loads((folder / "training.json").read_text()))
        assert "Held-out scores" in (folder / "README.md").read_text()


def test_latents_are_told_in_a_line(mp):
    assert repr(mp.encode(PEROVSKITE, refine=False)) == f"LatentSet of 1 crystals, codec {mp.identity}"


WRONG = """
import numpy as np
from xtalcodec import Codec
from xtalcodec.codecs.latents import CrystalCode, LatentsError

code = CrystalCode("a", np.zeros((1, 2), np.float32), (1, 1, 1), 4 * np.eye(3), np.eye(3, dtype=np.int64))
for wrong in (code, [code], [], code.z):
    try:
        Codec.from_pretrained("mp").decode(wrong)
    except LatentsError as error:
        print(error)
"""


def test_what_is_no_set_of_latents_is_told():
    """In a process without the tests' checks of types."""
    told = subprocess.run([sys.executable, "-c", WRONG], capture_output=True, text=True, check=True).stdout
    kinds = ["CrystalCode", "list", "list", "ndarray"]
    lines = [f"a {kind} is no LatentSet: a part of one is taken by a slice, latents[:1]" for kind in kinds]
    assert told.splitlines() == lines


def test_self_check_is_small_for_a_good_latent_and_large_for_a_bad_one(mp):
    latents = mp.encode(PEROVSKITE, refine=False)
    code = latents[0]
    bad = LatentSet((replace(code, z=np.roll(code.z, 1, axis=1)),), latents.codec)
    (near,) = mp.cycle_consistency(latents)
    (far,) = mp.cycle_consistency(bad)
    assert near < 0.5 * far


def test_self_check_of_a_window_is_small_where_its_atoms_lie_across_the_edges_of_the_cell():
    codec = Codec.from_pretrained("mp-unit-cell")
    salts = [Crystal.from_pymatgen(s) for s in (ROCK_SALT.get_primitive_structure(), PEROVSKITE)]
    assert max(codec.cycle_consistency(codec.encode(salts, refine=False))) < 0.1


@pytest.fixture
def reduced(monkeypatch):
    """A processor that multiplies bfloat16; where it is emulated it is slower, and the same."""
    monkeypatch.setattr(contract, "multiplies_bf16", lambda _: True)


@pytest.mark.usefixtures("reduced")
@pytest.mark.parametrize(("certain", "wrong"), [(0.0, [0, 0]), (1.1, [2, 2])])
def test_what_reduced_precision_is_not_certain_of_is_read_in_full(mp, monkeypatch, certain, wrong):
    """In full precision one site less is seen here."""
    find = mp.find_each

    def finding(z, *rest):
        found = find(z, *rest)
        if torch.is_autocast_enabled("cpu"):
            return found
        return [FoundAtoms(one.positions[1:], one.numbers[1:], one.confidence[1:]) for one in found]

    monkeypatch.setattr(base, "CERTAIN", certain)
    placed = [mp.place(Crystal.from_pymatgen(one)) for one in (ROCK_SALT, PEROVSKITE)]
    monkeypatch.setattr(mp, "find_each", finding)
    _, misfits = mp.closest([one.crystal for one in placed], [one.patches for one in placed])
    assert [found.wrong for found in misfits] == wrong


@pytest.mark.usefixtures("reduced")
@pytest.mark.parametrize(("name", "bears"), [("mp", True), ("mp-unit-cell", False)])
def test_latents_are_looked_for_in_reduced_precision_but_of_windows(name, bears, monkeypatch):
    codec = Codec.from_pretrained(name)
    encode, loss, seen = codec.encode_each, patch._Reconstruction.loss, {"encode": set(), "loss": set()}

    def encoding(*words):
        seen["encode"].add(torch.is_autocast_enabled("cpu"))
        return encode(*words)

    def losing(*words):
        seen["loss"].add(torch.is_autocast_enabled("cpu"))
        return loss(*words)

    monkeypatch.setattr(codec, "encode_each", encoding)
    monkeypatch.setattr(patch._Reconstruction, "loss", losing)
    codec.config = replace(codec.config, refine=RefineConfig(corrections=0, displaced=0.0, steps=1, origins=1))
    monkeypatch.setattr(patch.PatchCodec, "can_check", False)  # crystals that come back when checked are not moved
    codec.encode([ROCK_SALT.get_primitive_structure()])
    assert seen == {"encode": {bears}, "loss": {bears}}


def test_self_check_of_a_latent_that_decodes_to_nothing_is_infinite(mp, monkeypatch):
    nothing = FoundAtoms(np.zeros((0, 3)), np.zeros(0, dtype=np.int64), np.zeros(0), 0.0)
    latents = mp.encode([ROCK_SALT, PEROVSKITE], refine=False)
    monkeypatch.setattr(mp, "find_each", lambda z, *_: [nothing] * len(z))
    assert mp.cycle_consistency(latents) == [np.inf, np.inf]


@pytest.mark.parametrize("cut", [np.s_[:-1], np.s_[:, :-1], np.s_[:, :0]])
def test_latents_of_a_wrong_shape_are_refused_by_name(mp, cut):
    good, bad = mp.encode([ROCK_SALT, ROCK_SALT], refine=False)
    codes = good, replace(bad, name="bad", z=bad.z[cut])
    with pytest.raises(LatentsError, match=r"^bad: latent numbers of shape .*, not \(patches, latent\) = \(\d+, 8\)"):
        mp.decode(LatentSet(codes, mp.identity))


def test_latents_in_double_precision_decode_alike(mp):
    latents = mp.encode(ROCK_SALT, refine=False)
    double = replace(latents, codes=(replace(latents[0], z=latents[0].z.astype(np.float64)),))
    one, other = mp.decode_crystals(latents) + mp.decode_crystals(double)
    np.testing.assert_allclose(one.crystal.frac_coords, other.crystal.frac_coords)


@pytest.mark.slow
def test_all_prototypes_match(mp, prototypes):
    """The bar of the README on a part of them: one in six, of every size."""
    rows = reconstruct(mp, prototypes[::6])
    assert len(rows) == 48
    assert [r.original.name for r in rows if not r.matched] == []


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
        (Structure(Lattice.cubic(4), [{"Fe": 0.5}], [[0, 0, 0]]), r"^item 1 .*ordered crystals only, .* 0 \(Fe0\.5\)"),
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
