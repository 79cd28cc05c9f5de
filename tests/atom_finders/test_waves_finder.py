"""Atoms of a window whose lattice is told."""

import numpy as np
import torch

from xtalcodec.atom_finders.waves import read_waves
from xtalcodec.representations.repeating import seen
from xtalcodec.representations.waves import Waves
from xtalcodec.representations.window_field import ViewBatch, WindowConfig, density

WINDOW = WindowConfig(points=16)


def test_the_window_shows_every_copy_of_each_site(prototypes):
    salt = next(c for c in prototypes if len(c) == 2)
    view = seen(salt, salt.lattice, np.zeros(3), np.eye(3), WINDOW.edge, WINDOW.reach)
    waves = Waves.of(torch.tensor(salt.lattice)[None].float(), WINDOW, 300)
    z = waves.project(density(ViewBatch.collate([view]), WINDOW), 300)
    (found,) = read_waves(waves, z, WINDOW, 1e-3)
    inside = view.inside(WINDOW.edge - 0.1, -0.1)
    for position, number in zip(view.positions[inside], view.numbers[inside], strict=True):
        far = np.linalg.norm(found.positions - position, axis=1)
        assert far.min() < 0.01
        assert found.numbers[far.argmin()] == number

    asked = []

    def species(positions):
        """Of all copies one says that they are of the next element, and the others nothing."""
        asked.append(positions)
        known = np.zeros((len(positions), 118))
        known[:, salt.numbers + 1 - 1] = 1e3
        return known

    (renamed,) = read_waves(waves, z, WINDOW, 1e-3, [species])
    assert set(renamed.numbers) == {*(salt.numbers + 1)}
    assert ((asked[0] >= 0) & (asked[0] <= WINDOW.edge)).all()
