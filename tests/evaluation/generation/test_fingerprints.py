"""Fingerprints against geometry that is known, and the scaling against itself."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation import fingerprints
from xtalcodec.evaluation.generation.fingerprints import composition_fingerprint, scaling, structure_fingerprint

pytest.importorskip("matminer")

ROCK_SALT = Crystal.from_pymatgen(
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
)


def test_the_sites_of_rock_salt_are_octahedra():
    from matminer.featurizers.site.fingerprint import CrystalNNFingerprint

    found = structure_fingerprint(ROCK_SALT)
    labels = CrystalNNFingerprint.from_preset("ops").feature_labels()
    assert found[labels.index("wt CN_6")] == pytest.approx(1, abs=0.01)
    assert found[labels.index("octahedral CN_6")] == pytest.approx(1, abs=0.01)


def test_where_crystal_nn_fails_there_is_no_fingerprint(monkeypatch):
    class Failing:
        def featurize(self, _structure, k):
            return [0.0] * 61 if k < 3 else 1 / 0

    monkeypatch.setattr(fingerprints, "_crystal_nn", Failing)
    assert structure_fingerprint(ROCK_SALT) is None


def test_magpie_features_are_scaled_as_cdvae_scales_them():
    found = composition_fingerprint(ROCK_SALT)
    means, deviations = scaling()
    atomic_number = np.array([11, 17, 6, 14, 3, 11])  # least, most, range, mean, mean deviation, most frequent
    assert found[:6] == pytest.approx((atomic_number - means[:6]) / deviations[:6])
    assert np.isfinite(found).all()
    by_property = means.reshape(22, 6)
    assert by_property[:, 2] == pytest.approx(by_property[:, 1] - by_property[:, 0], abs=1e-9), "range = most - least"
    assert (deviations > 0).all()
