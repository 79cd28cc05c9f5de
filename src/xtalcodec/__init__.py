"""xtalcodec: crystal structures to latent vectors and back, through voxel density fields.

>>> from ase.build import bulk
>>> from xtalcodec import Codec
>>> codec = Codec.from_pretrained("mp")
>>> back = codec.decode(codec.encode([bulk("NaCl", "rocksalt", a=5.64)]))
>>> back[0].get_chemical_formula()
'ClNa'
"""

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

_HOMES = {
    "Codec": "codecs.base",
    "Crystal": "crystal",
    "CrystalError": "crystal",
    "FieldStore": "datasets.field_store",
    "LatentSet": "codecs.latents",
}
"""Public names and the modules they live in, imported at first use so that importing is quick."""

__all__ = ["Codec", "Crystal", "CrystalError", "FieldStore", "LatentSet", "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module 'xtalcodec' has no attribute {name!r}")
    return getattr(import_module(f"xtalcodec.{_HOMES[name]}"), name)
