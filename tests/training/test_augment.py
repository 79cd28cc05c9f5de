from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Element

from xtalcodec.crystal import Crystal
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.testing import crystals
from xtalcodec.training.augment import AugmentConfig, augment, near

few = settings(max_examples=15, deadline=None, derandomize=True)

DISTANCE = 1e-4
"""Å: float32 coordinates of cells of some 10 Å."""

STILL = AugmentConfig(substitute=0.0, jitter=0.0)


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


def unpack(batch, k):
    """Crystal k of a batch."""
    mask = batch.mask[k]
    return Crystal(batch.lattice[k].numpy(), batch.frac_coords[k][mask].numpy(), batch.numbers[k][mask].numpy())


def distances(crystal):
    """Shortest distances between all sites in Å, by ASE."""
    return crystal.to_ase().get_all_distances(mic=True)


def salt(copies, length=5.0):
    """Many crystals of two elements."""
    return CrystalBatch.collate(
        [Crystal(np.eye(3) * length, np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.2, 0.3, 0.4]]), np.array([11, 17, 17]))]
        * copies
    )


@few
@given(st.lists(crystals(), min_size=1, max_size=3), st.integers(0, 1000))
def test_shift_and_inversion_keep_the_crystal(drawn, seed):
    batch = CrystalBatch.collate(drawn)
    other = augment(batch, STILL, dice(seed))
    assert ((other.frac_coords >= 0) & (other.frac_coords <= 1)).all()
    assert (other.numbers == batch.numbers).all()
    for k in range(len(drawn)):
        np.testing.assert_allclose(distances(unpack(other, k)), distances(unpack(batch, k)), atol=DISTANCE)


def test_origins_are_anywhere_and_half_are_inverted():
    batch = salt(2000)
    other = augment(batch, STILL, dice())
    bond = other.frac_coords[:, 2] - other.frac_coords[:, 0]
    bond = bond - bond.round()
    inverted = (bond - torch.tensor([-0.2, -0.3, -0.4])).abs().amax(1) < 1e-5
    upright = (bond - torch.tensor([0.2, 0.3, 0.4])).abs().amax(1) < 1e-5
    assert (inverted | upright).all()
    assert inverted.float().mean().item() == pytest.approx(0.5, abs=0.05)
    origin = other.frac_coords[:, 0].numpy()
    assert abs(np.histogramdd(origin, bins=2, range=[(0, 1)] * 3)[0] / 2000 - 1 / 8).max() < 0.03


def test_the_given_share_is_substituted_by_all_elements_alike():
    batch = salt(4000)
    other = augment(batch, AugmentConfig(substitute=0.25, species=60, jitter=0.0), dice())
    changed = (other.numbers != batch.numbers).any(1)
    assert changed.float().mean().item() == pytest.approx(0.25, abs=0.02)
    new = other.numbers[changed]
    assert (new.min().item(), new.max().item()) == (1, 60)
    assert (new[:, 1] == new[:, 2]).all()  # what was one element still is
    assert np.bincount(new[:, 0].numpy(), minlength=61)[1:].min() > 0


def test_elements_beyond_the_range_stay():
    batch = replace(salt(50), numbers=torch.tensor([[100, 3, 92]]).repeat(50, 1))
    other = augment(batch, AugmentConfig(substitute=1.0, species=90, jitter=0.0), dice())
    assert (other.numbers[:, [0, 2]] == torch.tensor([100, 92])).all()
    assert len(other.numbers[:, 1].unique()) > 20


def test_the_given_share_is_jittered_up_to_the_largest_spread():
    batch = salt(3000, length=20.0)
    config = AugmentConfig(substitute=0.0, jitter=0.3, jitter_max=0.2)
    other = augment(batch, config, dice())
    bond = other.frac_coords[:, 1:] - other.frac_coords[:, :1]
    bond = bond - bond.round()
    true = batch.frac_coords[:, 1:] - batch.frac_coords[:, :1]
    moved = torch.stack([(b - b.round()) for b in (bond - true, bond + true)])
    away = 20 * moved.abs().amax((2, 3)).amin(0)  # of upright and inverted, whichever fits
    jittered = away > DISTANCE
    assert jittered.float().mean().item() == pytest.approx(0.3, abs=0.03)
    # Differences of two normal displacements along six axes; their spread is uniform up to 0.2 Å each.
    assert 0.2 < away.max().item() < 0.2 * np.sqrt(2) * 5
    spread = 20 * moved[:, jittered].square().mean((2, 3)).amin(0).sqrt()
    assert spread.square().mean().item() == pytest.approx(2 * 0.2**2 / 3, rel=0.2)


def test_jitter_is_isotropic_in_a_skewed_cell():
    lattice = np.array([[4.0, 0, 0], [3, 5, 0], [0, -4, 9]])
    batch = CrystalBatch.collate(
        [Crystal(lattice, np.array([[0.5, 0.5, 0.5], [0.1, 0.1, 0.1]]), np.array([1, 1]))] * 4000
    )
    other = augment(batch, AugmentConfig(substitute=0.0, jitter=1.0, jitter_max=0.1), dice())
    bond = other.frac_coords[:, 0] - other.frac_coords[:, 1]
    displaced = []
    for sign in (1.0, -1.0):
        miss = bond - sign * 0.4
        displaced.append((miss - miss.round()) @ batch.lattice[0])
    cartesian = torch.where((displaced[0].norm(dim=1) < displaced[1].norm(dim=1))[:, None], *displaced)
    covariance = torch.cov(cartesian.T) / (2 * 0.1**2 / 3)
    torch.testing.assert_close(covariance, torch.eye(3), atol=0.12, rtol=0)


def test_padding_never_becomes_an_atom():
    one = Crystal(np.eye(3) * 4, np.zeros((1, 3)), np.array([5]))
    three = Crystal(np.eye(3) * 4, np.array([[0, 0, 0], [0.3, 0.3, 0.3], [0.6, 0.6, 0.6]]), np.array([6, 7, 8]))
    batch = CrystalBatch.collate([one, three] * 20)
    other = augment(batch, AugmentConfig(substitute=1.0, jitter=1.0), dice())
    assert (other.mask == batch.mask).all()
    assert ((other.numbers > 0) == batch.mask).all()
    assert (other.lattice == batch.lattice).all()


def test_one_generator_gives_one_view():
    batch, config = salt(10), AugmentConfig(substitute=0.5, jitter=0.5)
    first, again, other = (augment(batch, config, dice(seed)) for seed in (1, 1, 2))
    assert (first.frac_coords == again.frac_coords).all()
    assert (first.numbers == again.numbers).all()
    assert (first.frac_coords != other.frac_coords).any()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    augment(batch, config, dice())
    assert (torch.get_rng_state() == state).all()


def test_what_was_given_is_not_written_into():
    batch = salt(10)
    before = batch.frac_coords.clone(), batch.numbers.clone()
    augment(batch, AugmentConfig(substitute=1.0, jitter=1.0), dice())
    assert (batch.frac_coords == before[0]).all()
    assert (batch.numbers == before[1]).all()


MIXED = AugmentConfig(substitute=0.0, jitter=0.0, mix=1.0)


def test_mixtures_are_shares_of_sites_and_the_largest_names_the_site():
    batch = salt(300)
    other = augment(batch, MIXED, dice())
    shares = other.occupancies
    torch.testing.assert_close(shares.sum(-1), batch.mask.float(), atol=1e-6, rtol=0)
    assert (shares >= 0).all()
    assert (shares[..., 1:].argmax(-1) + 1 == other.numbers)[other.mask].all()
    some = shares[other.mask]
    assert 0.3 < (some.amax(-1) < 1).float().mean() < 0.7
    assert (some[:, 1:].amax(-1) > 0).all()
    empty = some[:, 0][some[:, 0] > 0]
    assert 0.1 < len(empty) / len(some) < 0.3
    assert empty.max() < 0.9


def test_sites_of_an_element_are_mostly_mixed_alike():
    other = augment(salt(400), MIXED, dice(1))
    same = (other.occupancies[:, 1] == other.occupancies[:, 2]).all(-1)  # both were chlorine
    assert 0.6 < same.float().mean() < 0.95


def test_guests_that_are_alike_stand_near_their_host_on_the_chemical_scale():
    hosts = torch.tensor([26, 39, 1]).repeat(4000, 1)
    guests = near(hosts, torch.rand(4000, 3, 2, generator=dice()), 100)
    assert guests.shape == (4000, 3, 2)
    assert guests.min() >= 1
    assert guests.max() <= 100
    assert (guests[:, :2] == hosts[:, :2, None]).float().mean() < 0.001  # only where one is reflected
    scale = torch.tensor([0.0] + [Element.from_Z(z).mendeleev_no for z in range(1, 101)])
    away = (scale[guests] - scale[hosts][..., None])[:, :2]  # hydrogen is the last of the scale
    assert 8 < away.abs().mean() < 9.5  # eight, and half a place by rounding up
    assert away[:, 0].mean().abs() < 0.5  # yttrium is nearer to an end
    assert {"Mn", "Co", "Ni", "Ru"} <= {Element.from_Z(int(z)).symbol for z in guests[:, 0].flatten()}
    lanthanides = (guests[:, 1] > 56) & (guests[:, 1] < 72)
    assert lanthanides.float().mean() > 0.5


def test_guests_are_alike_as_often_as_asked():
    batch = replace(salt(600), numbers=torch.where(salt(600).mask, 39, 0))
    known = [Element.from_Z(z).mendeleev_no for z in range(1, 101)]
    scale = torch.tensor([0.0, *known])

    def share_of_near(alike: float) -> float:
        shares = augment(batch, replace(MIXED, alike=alike), dice()).occupancies[batch.mask][:, 1:101]
        guests = (shares > 0).nonzero()[:, 1] + 1
        guests = guests[guests != 39]
        return float(((scale[guests] - scale[39]).abs() <= 8).float().mean())

    assert share_of_near(0.0) < 0.25
    assert 0.55 < share_of_near(1.0) < 0.75


def test_without_mixing_ordered_crystals_stay_ordered():
    assert augment(salt(3), STILL, dice()).occupancies is None


def test_substitution_renames_the_elements_of_shared_sites():
    shared = Crystal.of_shares(np.eye(3) * 4, np.zeros((1, 3)), [[(11, 0.6), (19, 0.3)]])
    other = augment(CrystalBatch.collate([shared] * 50), replace(STILL, substitute=1.0), dice())
    shares = other.occupancies[:, 0]
    torch.testing.assert_close(shares[:, 0], torch.full((50,), 0.1))
    renamed = shares[:, 1:].sort(-1, descending=True).values
    apart = renamed[:, 1] > 0  # both may become the same element
    torch.testing.assert_close(renamed[apart, :2], torch.tensor([[0.6, 0.3]]).expand(int(apart.sum()), 2))
    assert apart.sum() > 40
    assert len(set(other.numbers[:, 0].tolist())) > 20
