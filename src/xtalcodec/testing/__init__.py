"""For tests, here and in code built on this: strategies for crystals, damage to files, contracts."""

from xtalcodec.testing.damage import mutate
from xtalcodec.testing.strategies import ELEMENTS, crystals, lattices, shifts

__all__ = ["ELEMENTS", "crystals", "lattices", "mutate", "shifts"]
