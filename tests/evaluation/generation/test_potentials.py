"""Displacements by hand; SevenNet on metals that are known, loaded without unpickling more than arrays."""

import pickle

import numpy as np
import pytest
import torch

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation.potentials import (
    PotentialError,
    check_potential,
    displacement,
    energy_in,
    only_weights,
    relaxation,
    relaxed,
    single_point,
    static_energy,
)

CELL = np.array([[4.0, 0, 0], [1, 5, 0], [0, 0, 6]])


def crystal(frac_coords, lattice=CELL):
    return Crystal(lattice, np.array(frac_coords, dtype=float), np.full(len(frac_coords), 29))


def test_strain_and_drift_are_no_displacement():
    before = crystal([[0, 0, 0], [0.5, 0.5, 0.5], [0.1, 0.8, 0.95]])
    drifted = crystal(before.frac_coords + np.array([0.3, 0.9, 0.2]), CELL * 1.1)
    assert displacement(before, drifted) == pytest.approx(0, abs=1e-12)
    wrapped = crystal(drifted.frac_coords % 1, CELL * 1.1)
    assert displacement(before, wrapped) == pytest.approx(0, abs=1e-12)


def test_one_of_two_atoms_moved():
    before = crystal([[0, 0, 0], [0.5, 0.5, 0.5]], 6 * np.eye(3))
    after = crystal([[0, 0, 0], [0.6, 0.5, 0.5]], 6 * np.eye(3))
    assert displacement(before, after) == pytest.approx(0.3), "both are 0.3 Å from where the mean puts them"


def test_an_unknown_potential_gets_a_guess():
    with pytest.raises(ValueError, match="Did you mean 'sevennet-l3i5'"):
        check_potential("sevenet-l3i5")


class Planted:
    """What a planted file would run when it is unpickled."""

    def __reduce__(self):
        return (print, ("unpickled",))


def test_a_checkpoint_with_code_in_it_is_not_unpickled(tmp_path, capsys):
    torch.save({"weights": torch.ones(2), "array": np.arange(3.0)}, tmp_path / "good.pt")
    torch.save({"planted": Planted()}, tmp_path / "bad.pt")
    with only_weights():
        assert torch.load(tmp_path / "good.pt", weights_only=False)["array"].tolist() == [0, 1, 2]
        with pytest.raises(pickle.UnpicklingError):
            torch.load(tmp_path / "bad.pt", weights_only=False)
    assert "unpickled" not in capsys.readouterr().out


@pytest.mark.slow
def test_copper_relaxes_to_copper():
    """Experiment has 3.61 Å, PBE 3.63 Å: SevenNet learnt from PBE."""
    pytest.importorskip("sevenn")
    copper = Crystal(3.55 / 2 * (1 - np.eye(3)), np.zeros((1, 3)), np.array([29]), "cu")
    value = relaxation(copper, "sevennet-0", 30)
    end = relaxed(value)
    assert end.converged
    assert end.crystal.lattice[0, 1] * 2 == pytest.approx(3.63, abs=0.03)
    assert end.before == pytest.approx(static_energy(copper, "sevennet-0"), abs=1e-6), "with forces and without"
    assert end.energy < end.before
    fermium = Crystal(copper.lattice, copper.frac_coords, np.array([100]))
    with pytest.raises(PotentialError, match="sevennet-0 does not know Fm"):
        relaxed(relaxation(fermium, "sevennet-0", 5))
    with pytest.raises(PotentialError, match="sevennet-0 does not know Fm"):
        energy_in(single_point(fermium, "sevennet-0"))
