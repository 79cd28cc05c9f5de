"""Conditions: which crystals meet them."""

import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.priors.conditions import Conditions

RUTILE = Crystal(
    np.diag([4.594, 4.594, 2.959]),
    np.array(
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.305, 0.305, 0], [0.695, 0.695, 0], [0.805, 0.195, 0.5], [0.195, 0.805, 0.5]]
    ),
    np.array([22, 22, 8, 8, 8, 8]),
)
"""TiO₂ in P4₂/mnm, number 136."""


@pytest.mark.parametrize(
    ("met", "broken"),
    [
        ({"elements": (22, 8)}, {"elements": (22,)}),
        ({"elements": (8, 22)}, {"elements": (8, 14, 22)}),
        ({"composition": {22: 3, 8: 6}}, {"composition": {22: 2, 8: 3}}),
        ({"composition": {22: 1, 8: 2}}, {"composition": {22: 1, 8: 2, 1: 1}}),
        ({"holding": {22: 2}}, {"holding": {22: 3}}),
        ({"sites": (6, 8)}, {"sites": (1, 5)}),
        ({"space_group": 136}, {"space_group": 137}),
        ({"system": "tetragonal"}, {"system": "cubic"}),
        ({}, {"elements": (8, 22), "system": "cubic"}),
    ],
)
def test_a_crystal_meets_conditions_or_does_not(met, broken):
    assert Conditions(**met).met(RUTILE)
    assert not Conditions(**broken).met(RUTILE)
