"""Distances between sites, against pymatgen."""

import numpy as np
from hypothesis import given, settings
from pymatgen.core import Lattice

from xtalcodec.geometry.distances import distances
from xtalcodec.geometry.niggli import niggli
from xtalcodec.testing import crystals


@settings(max_examples=30, deadline=None)
@given(crystals())
def test_they_are_those_of_the_nearest_images(crystal):
    reduced, _ = niggli(crystal)
    expected = Lattice(reduced.lattice).get_all_distances(reduced.frac_coords, reduced.frac_coords)
    found = distances(reduced.frac_coords, reduced.frac_coords, reduced.lattice)
    np.testing.assert_allclose(found, expected, atol=1e-8)
