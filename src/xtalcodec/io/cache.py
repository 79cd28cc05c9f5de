"""The folder where this machine keeps what it fetched or made, and can fetch or make again."""

import os
from pathlib import Path


def cache() -> Path:
    """XTALCODEC_CACHE, or `xtalcodec` in the user's folder of caches."""
    own = os.environ.get("XTALCODEC_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xtalcodec"
