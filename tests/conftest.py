"""What many tests share. The package itself is imported inside, after the type checker has hooked its import."""

import pytest
from hypothesis import settings
from pymatgen.symmetry.groups import SpaceGroup

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")


SPACE_GROUPS = [SpaceGroup(symbol) for symbol in ("Pm-3m", "Fm-3m", "Fd-3m")]
"""Of most crystals that tests write: pymatgen keeps a group while something holds it, and otherwise makes it anew,
half a second for the last two."""


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small products run faster, and always the same, on one thread."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def mp():
    """The default codec, as it ships."""
    from xtalcodec import Codec

    return Codec.from_pretrained("mp")


@pytest.fixture(scope="session")
def prototypes():
    """pymatgen's AFLOW prototypes."""
    from xtalcodec.datasets import load

    return load("aflow-prototypes")[0]
