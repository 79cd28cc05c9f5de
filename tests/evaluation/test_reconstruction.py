from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.displacement import rms_displacement
from xtalcodec.evaluation.reconstruction import (
    BINS,
    Reconstruction,
    auc,
    compare,
    reconstruct,
    space_group,
    summary,
)
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.representations.periodic import PeriodicConfig

few = settings(max_examples=50, deadline=None, derandomize=True)


@pytest.fixture(scope="module")
def codec() -> Codec:
    """One that knows nothing."""
    torch.manual_seed(0)
    network = PatchConfig(channels=2, width=12, heads=1, encoder_layers=1, decoder_layers=1, latent=2, features=3)
    config = CodecConfig("naive", PeriodicConfig(max_patches=30), network, elements=tuple(range(1, 84)))
    return open_codec(config)


def rutile() -> Crystal:
    structure = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.59, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    )
    return Crystal.from_pymatgen(structure, "rutile")


def row(original, decoded, confidence=0.5, numbers=20, cycle_consistency=None, reason="") -> Reconstruction:
    return compare(original, decoded, confidence, numbers, cycle_consistency, reason)


def test_a_crystal_matches_itself_however_it_is_told():
    crystal = rutile()
    other = Crystal(crystal.lattice, crystal.frac_coords[::-1] + 1.25, crystal.numbers[::-1])
    for decoded in (crystal, other):
        same = row(crystal, decoded, confidence=0.7, cycle_consistency=0.1)
        assert same.matched
        assert same.same_count
        assert same.same_composition
        assert same.rms == pytest.approx(0, abs=1e-6)
        assert same.rms_angstrom == pytest.approx(0, abs=1e-6)
        assert (same.confidence, same.code_length, same.cycle_consistency) == (0.7, 20, 0.1)
        assert same.space_group == same.space_group_decoded == "P4_2/mnm"


@pytest.mark.parametrize("seed", range(4))
def test_displaced_atoms_are_as_far_as_pymatgen_says(seed):
    crystal = rutile()
    shift = np.random.default_rng(seed).normal(size=(6, 3)) * 0.1 @ np.linalg.inv(crystal.lattice)
    strain = np.eye(3) + 0.01 * np.random.default_rng(seed).normal(size=(3, 3))
    decoded = Crystal(crystal.lattice @ strain, crystal.frac_coords + shift, crystal.numbers)
    found = row(crystal, decoded)
    matcher = StructureMatcher(stol=0.5, angle_tol=10, ltol=0.3)
    truth, _ = matcher.get_rms_dist(crystal.to_pymatgen(), decoded.to_pymatgen())
    assert found.matched
    assert found.rms == pytest.approx(truth)
    assert found.rms_angstrom == pytest.approx(truth * (crystal.volume / 6) ** (1 / 3))
    # Three axes of 0.1 Å, less what shifting the whole crystal takes away.
    assert 0.08 < found.rms_angstrom < 0.25
    assert found.space_group == "P4_2/mnm"
    assert found.space_group_decoded != "P4_2/mnm"  # 0.1 Å along each axis is beyond the tolerance


def test_other_crystals_do_not_match():
    crystal = rutile()
    swapped = replace(crystal, numbers=np.where(crystal.numbers == 8, 22, 8))
    fewer = Crystal(crystal.lattice, crystal.frac_coords[:-1], crystal.numbers[:-1])
    squeezed = replace(crystal, lattice=crystal.lattice @ np.diag([1, 1, 2.5]))
    for decoded, count, composition in ((swapped, True, False), (fewer, False, False), (squeezed, True, True)):
        found = row(crystal, decoded)
        assert (found.matched, found.rms, found.rms_angstrom) == (False, None, None)
        assert (found.same_count, found.same_composition) == (count, composition)
        assert rms_displacement(crystal, decoded) is None


def test_a_match_with_a_site_far_off_is_marked_and_counted(codec):
    """A sheet of h-BN in vacuum: the matcher takes sites that are off by much of a bond."""
    sheet = Crystal(
        Lattice.hexagonal(2.46, 20).matrix, np.array([[1 / 3, 2 / 3, 0.5], [2 / 3, 1 / 3, 0.5]]), np.array([5, 7])
    )
    shift = np.array([[0.015, -0.015, 0.0], [-0.015, 0.015, 0.0]])
    far = row(sheet, replace(sheet, frac_coords=sheet.frac_coords + 4 * shift))
    near = row(sheet, replace(sheet, frac_coords=sheet.frac_coords + shift))
    assert far.matched
    assert near.matched
    # Both sites go towards their middle, along a mirror: each is off by its shift, on a lattice that may shear.
    want = np.linalg.norm(shift[0] @ sheet.lattice)
    assert far.largest_angstrom == pytest.approx(4 * want, rel=0.02)
    assert near.largest_angstrom == pytest.approx(want, rel=0.02)
    assert (far.displaced, near.displaced) == (True, False)
    rows = [far, near, row(sheet, None)]
    assert summary(rows, codec)["displaced"] == 1
    assert summary(rows, codec)["match_rate"] == pytest.approx(2 / 3)


def test_nothing_decoded_is_a_row_that_did_not_match():
    failed = row(rutile(), None, confidence=0.9, reason="no atom found")
    assert (failed.matched, failed.same_count, failed.same_composition) == (False, False, False)
    assert (failed.rms, failed.rms_angstrom) == (None, None)
    assert failed.confidence == 0
    assert failed.reason == "no atom found"
    assert failed.space_group == "P4_2/mnm"


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's, for pymatgen
def test_space_groups_are_spglibs(prototypes):
    for crystal in [c for c in prototypes if len(c) <= 20][::12]:
        truth = SpacegroupAnalyzer(crystal.to_pymatgen(), symprec=0.01).get_space_group_symbol()
        assert space_group(crystal) == truth, crystal.name


def test_atoms_on_one_place_have_no_space_group():
    assert space_group(Crystal(np.eye(3) * 4, np.zeros((2, 3)), np.array([1, 1]))) == "?"


@few
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.50001, 1.0]), st.booleans()), max_size=12))
def test_auc_is_the_share_of_pairs_in_the_right_order(drawn):
    confidence, matched = [c for c, _ in drawn], [m for _, m in drawn]
    pairs = [(a > b) + 0.5 * (a == b) for a, right in drawn if right for b, other in drawn if not other]
    found = auc(confidence, matched)
    assert found is None if not pairs else found == pytest.approx(np.mean(pairs))


def test_auc_knows_perfect_and_perfectly_wrong():
    assert auc([0.9, 0.8, 0.1], [True, True, False]) == 1
    assert auc([0.1, 0.2, 0.9], [True, True, False]) == 0
    assert auc([0.5, 0.5], [True, False]) == 0.5
    assert auc([0.1, 0.2], [True, True]) is None


def chain(sites) -> Crystal:
    """A crystal of a number of sites."""
    x = np.zeros((sites, 3))
    x[:, 0] = np.arange(sites) / sites
    return Crystal(np.diag([2.5 * sites, 3, 3]), x, np.full(sites, 6))


def test_failures_stay_in_the_denominator(codec):
    crystal = rutile()
    fewer = Crystal(crystal.lattice, crystal.frac_coords[:-1], crystal.numbers[:-1])
    shifted = replace(crystal, frac_coords=crystal.frac_coords + 0.01 * (crystal.numbers == 8)[:, None])
    rows = [
        row(crystal, crystal, 0.9),
        row(crystal, shifted, 0.8),
        row(crystal, fewer, 0.7),
        row(crystal, None, numbers=0),
    ]
    scores = summary(rows, codec, seconds=1.5)
    assert scores["n"] == 4
    assert scores["match_rate"] == scores["count_rate"] == scores["composition_rate"] == 0.5
    assert scores["rmse"] == pytest.approx((rows[0].rms + rows[1].rms) / 2)
    assert scores["rmse_angstrom"] == pytest.approx((rows[0].rms_angstrom + rows[1].rms_angstrom) / 2)
    assert scores["code_length"] == 20
    assert scores["confidence_auc"] == 1
    assert (scores["codec"], scores["seconds"]) == (codec.identity, 1.5)


def test_bins_share_out_all_rows(codec):
    sizes = [1, 10, 11, 20, 21, 30, 31, 52, 53, 200]
    rows = [replace(row(rutile(), rutile()), original=chain(n), matched=n % 2 == 0) for n in sizes]
    scores = summary(rows, codec)
    assert {name: part["n"] for name, part in scores["by_sites"].items()} == dict.fromkeys(
        ["1-10", "11-20", "21-30", "31-52", "53+"], 2
    )
    assert {part["match_rate"] for part in scores["by_sites"].values()} == {0.5}
    assert BINS[0][0] == 1
    assert all(high + 1 == low for (_, high), (low, _) in pairwise(BINS))


def test_bins_without_crystals_are_left_out(codec):
    scores = summary([row(rutile(), None)], codec)
    assert list(scores["by_sites"]) == ["1-10"]
    assert scores["match_rate"] == 0
    assert (scores["rmse"], scores["rmse_angstrom"], scores["confidence_auc"]) == (None, None, None)


def test_no_crystal_has_no_rates(codec):
    scores = summary([], codec)
    assert scores["n"] == 0
    assert scores["match_rate"] is None
    assert scores["by_sites"] == {}


def test_what_a_codec_cannot_hold_is_a_row_with_the_reason(codec):
    crystals = [chain(100), chain(2), Crystal(np.eye(3) * 4, np.zeros((1, 3)), np.array([92])), rutile()]
    rows = reconstruct(codec, crystals, refine=False, cycle_consistency=True)
    assert [r.original for r in rows] == crystals
    assert "the limit is 30" in rows[0].reason
    assert "never saw U in training" in rows[2].reason
    for refused in (rows[0], rows[2]):
        assert (refused.decoded, refused.matched, refused.code_length, refused.cycle_consistency) == (
            None,
            False,
            0,
            None,
        )
    for tried in (rows[1], rows[3]):
        assert tried.code_length > 18
        (code,) = codec.encode([tried.original], refine=False)
        again = codec.latents([code.on_grid(tried.decoded)], [code.patches])[0].numpy()
        assert tried.cycle_consistency == pytest.approx(np.sqrt(np.mean((again - code.z) ** 2)), rel=1e-3)
        assert (tried.reason == "") == tried.matched
    assert summary(rows, codec)["n"] == 4


def test_progress_counts_the_crystals_that_are_encoded(codec):
    done = []
    reconstruct(codec, [rutile(), chain(1), chain(100)], refine=False, progress=done.append)
    assert sum(done) == 2
