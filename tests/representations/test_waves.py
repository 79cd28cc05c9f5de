"""Plane waves of a lattice: against painted densities, structure factors summed by hand, and each other."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xtalcodec.representations.repeating import seen
from xtalcodec.representations.waves import SHORTEST, TYPICAL, Waves
from xtalcodec.representations.window_field import ViewBatch, WindowConfig, density
from xtalcodec.testing import crystals

few = settings(max_examples=15, deadline=None, derandomize=True)
WINDOW = WindowConfig(points=16)
LEFT = 4e-3
"""Of the highest density: what waves shorter than 2π / `SHORTEST` hold at a point."""
OFF = 0.04
"""Of all electrons: of 600 crystals the worst coefficient is off by 0.03."""


def painted(crystal, lattice=None):
    """Density of the infinite crystal in the window, and its cell."""
    lattice = crystal.lattice if lattice is None else lattice
    view = seen(crystal, lattice, np.zeros(3), np.eye(3), WINDOW.edge, WINDOW.reach)
    return density(ViewBatch.collate([view]), WINDOW), torch.tensor(lattice)[None].float()


@few
@given(crystals(max_sites=6, min_separation=1.0))
def test_waves_hold_the_density_of_any_crystal(crystal):
    field, cell = painted(crystal)
    waves = Waves.of(cell, WINDOW, 2000)  # all that there are
    back = waves.restore(waves.project(field, 2000))
    assert (back - field).abs().max() < LEFT * field.max()


@few
@given(crystals(max_sites=6, min_separation=1.0))
def test_coefficients_are_structure_factors(crystal):
    """S = Σ Z exp(−2πi h·x), summed by hand."""
    field, cell = painted(crystal)
    waves = Waves.of(cell, WINDOW, 2000)
    a, b = (x[0].double().numpy() for x in waves.parts(waves.project(field, 2000)))
    size, indices = waves.size[0].double().numpy(), waves.indices[0]
    expected = np.exp(-2j * np.pi * indices @ crystal.frac_coords.T) @ crystal.numbers
    found = TYPICAL * np.sqrt(abs(np.linalg.det(crystal.lattice)) / 2) * (a + 1j * b)
    found[0] *= 2
    shows = size > 1e-2 * size[0]  # of shorter waves a window leaves too little in single precision
    assert np.abs(found - expected)[shows].max() < OFF * crystal.numbers.sum()


@few
@given(st.integers(0, 99))
def test_projecting_undoes_restoring(seed):
    rng = np.random.default_rng(seed)
    cell = torch.from_numpy(np.eye(3) * rng.uniform(3, 6, 3) + 0.3 * rng.normal(size=(3, 3)))[None].float()
    waves = Waves.of(cell, WINDOW, 40)
    there = int((waves.size > 0).sum())
    z = torch.zeros(1, 40)
    z[0, :there], z[0, 20 : 20 + there - 1] = (torch.from_numpy(rng.normal(size=n)) for n in (there, there - 1))
    torch.testing.assert_close(waves.project(waves.restore(z), 40), z, atol=1e-3, rtol=0)


def test_waves_are_the_longest_of_each_lattice_beside_others():
    cells = torch.stack([3.0 * torch.eye(3), torch.diag(torch.tensor([4.0, 5.0, 30.0]))])
    waves = Waves.of(cells, WINDOW, 61)
    assert waves.indices.shape == (2, 31, 3)
    g = 2 * np.pi * waves.indices @ np.linalg.inv(cells.double().numpy()).swapaxes(1, 2)
    for row in range(2):
        there = waves.size[row].numpy() > 0
        length = np.linalg.norm(g[row][there], axis=1)
        assert (np.diff(length) > -1e-5).all()
        assert length.max() <= SHORTEST
        assert not (waves.indices[row][there][:, None] == -waves.indices[row][there][None, 1:]).all(-1).any()
    assert tuple(waves.indices[1, 1]) == (0, 0, 1), "the longest edge has the longest wave"
    alone = Waves.of(cells[1:], WINDOW, 61)
    np.testing.assert_array_equal(alone.indices[0], waves.indices[1])
    z = torch.randn(2, 61, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(waves.restore(z)[1:], alone.restore(z[1:]))


@few
@given(
    crystals(max_sites=4, min_separation=1.0),
    st.sampled_from([((1, 0, 0), (1, 1, 0), (0, 0, 1)), ((0, 0, 1), (1, 0, 0), (0, 1, 0))]),
)
def test_a_code_is_one_of_the_lattice_whichever_cell_tells_it(crystal, basis):
    field, cell = painted(crystal)
    other = torch.tensor(basis).float() @ cell
    z = Waves.of(cell, WINDOW, 200).project(field, 200)
    torch.testing.assert_close(
        Waves.of(other, WINDOW, 200).restore(z), Waves.of(cell, WINDOW, 200).restore(z), atol=1e-3, rtol=1e-3
    )


def test_what_is_restored_repeats():
    """A window's points one cell edge apart: 10 Å / 15 · 6 = 4 Å."""
    waves = Waves.of(4 * torch.eye(3)[None], WINDOW, 100)
    field = waves.restore(torch.randn(1, 100, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(field[:, 6:], field[:, :-6], atol=1e-4, rtol=0)


def test_restoring_has_a_gradient():
    waves = Waves.of(4 * torch.eye(3)[None], WINDOW, 30)
    z = torch.zeros(1, 30, requires_grad=True)
    waves.restore(z).square().sum().backward()
    assert z.grad is not None
    waves.restore(z + 1).sum().backward()
    assert float(z.grad[0, 0]) == pytest.approx(2 * float(waves.size[0, 0]) * 16**3, rel=1e-3)
