"""Which crystals are held out: decided by name, so that a crystal stays on its side when others join."""

import hashlib
from collections.abc import Sequence


def held_out(names: Sequence[str], fraction: float, seed: int = 0) -> list[bool]:
    """Decide for each name, by its hash, whether its crystal is held out.

    Parameters
    ----------
    names
        Of the crystals.
    fraction
        Expected share that is held out, 0 to 1.
    seed
        Another seed holds out other crystals.
    """
    return [_share(f"{seed}:{name}") < fraction for name in names]


def _share(text: str) -> float:
    """Where in [0, 1) a text is, by its hash."""
    return (int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 11) / 2**53
