"""CDVAE's two fingerprints: matminer's CrystalNN order parameters of sites, and Magpie statistics of the elements.

As in `scripts/compute_metrics.py` of github.com/txie-93/cdvae; the scaling of Magpie's features is CDVAE's own.
"""

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from jaxtyping import Float

from xtalcodec.crystal import Crystal
from xtalcodec.io.read import quiet


def structure_fingerprint(crystal: Crystal) -> Float[np.ndarray, "61"] | None:
    """Mean over the sites of the CrystalNN fingerprint; None where CrystalNN fails, which makes a sample not valid."""
    structure = crystal.to_pymatgen()
    with quiet():  # CrystalNN would like oxidation states, which CDVAE does not give it
        featurizer = _crystal_nn()
        try:
            sites = [featurizer.featurize(structure, k) for k in range(len(structure))]
        except MemoryError:
            raise  # this machine's trouble, not the crystal's
        except Exception:  # noqa: BLE001 - CDVAE's rule: whatever it is, the sample is not valid
            return None
    return np.mean(np.array(sites, dtype=np.float64), axis=0)


def composition_fingerprint(crystal: Crystal) -> Float[np.ndarray, "132"]:
    """Magpie features, scaled by CDVAE's means and standard deviations; what Magpie does not know is 0, its mean."""
    with quiet():
        found = np.array(_magpie().featurize(crystal.to_pymatgen().composition), dtype=np.float64)
    means, deviations = scaling()
    scaled = (found - means) / deviations
    return np.where(np.isnan(scaled), 0.0, scaled)


@lru_cache(maxsize=1)
def scaling() -> tuple[Float[np.ndarray, "132"], Float[np.ndarray, "132"]]:
    """CDVAE's means and standard deviations of Magpie's features."""
    text = files("xtalcodec.evaluation.generation").joinpath("magpie_scaling.json").read_text()
    values = json.loads(text)
    return np.array(values["means"], dtype=np.float64), np.array(values["stds"], dtype=np.float64)


@lru_cache(maxsize=1)
def _crystal_nn() -> Any:
    from matminer.featurizers.site.fingerprint import CrystalNNFingerprint

    return CrystalNNFingerprint.from_preset("ops")


@lru_cache(maxsize=1)
def _magpie() -> Any:
    from matminer.featurizers.composition.composite import ElementProperty

    return ElementProperty.from_preset("magpie")
