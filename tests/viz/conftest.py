"""Windows made by hand: what is in them is known to the last atom."""

import numpy as np
import pytest

EDGE = 10.0


@pytest.fixture
def coarse(monkeypatch):
    """Few dots per inch: pictures are drawn in a fraction of the time."""
    from xtalcodec.viz.figures import style

    monkeypatch.setattr(style, "DOTS", 60)


@pytest.fixture(scope="session")
def painted():
    """Density of atoms in a window of 10 Å with 30 points."""
    import torch

    from xtalcodec.representations.window_field import WindowConfig, paint

    def make(positions, numbers):
        places, weights = torch.as_tensor(positions).float(), torch.as_tensor(numbers).float()
        return paint(places[None], weights[None, :, None], WindowConfig())[0, ..., 0].numpy()

    return make


@pytest.fixture(scope="session")
def window_row(painted):
    """A row of a window: true atoms, and decoded ones `off` Å away along x."""
    from xtalcodec.atom_finders.found import FoundAtoms
    from xtalcodec.crystal import Crystal
    from xtalcodec.evaluation.reconstruction import Reconstruction
    from xtalcodec.evaluation.windows import WindowRow

    def make(positions, numbers, off=0.0, decoded_numbers=None, name="row", fits=True):
        positions, numbers = np.array(positions, dtype=float).reshape(-1, 3), np.array(numbers, dtype=np.int64)
        crystal = Crystal(EDGE * np.eye(3), np.array([[0.0, 0, 0]]), np.array([14]), name)
        reason = "" if fits else "its cell does not fit"
        about = Reconstruction(
            crystal, crystal, "", "", matched=fits, rms=None, rms_angstrom=None, same_count=True,
            same_composition=True, confidence=1.0, reason=reason, code_length=321,
        )  # fmt: skip
        nothing = FoundAtoms.known(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
        if not fits:
            return WindowRow(about, nothing, nothing, None, None)
        moved = positions + np.array([off, 0, 0])
        decoded_numbers = numbers if decoded_numbers is None else np.array(decoded_numbers, dtype=np.int64)
        decoded = FoundAtoms.known(moved[: len(decoded_numbers)], decoded_numbers)
        return WindowRow(
            about, FoundAtoms.known(positions, numbers), decoded, painted(positions, numbers),
            painted(decoded.positions, decoded.numbers),
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def rows(window_row):
    """A window short of an atom and wrong in another, five good ones, worse and worse, and one that does not fit."""
    places = [[2.0, 3, 4], [6, 7, 5], [8, 2, 2]]
    good = [window_row(places, [38, 22, 8], 0.01 * 2**k, name=f"good{k}") for k in range(5)]
    bad = window_row(places, [38, 22, 8], 0.3, [38, 23], name="bad")
    return [bad, *good, window_row(places, [1, 1, 1], fits=False, name="large")]
