"""Named sources of crystals, one file each: a module here is a source by having a NAME and a function `crystals`."""

import pkgutil
from importlib import import_module
from types import ModuleType


def sources() -> dict[str, ModuleType]:
    """Return name → module of every source."""
    modules = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return {module.NAME: module for module in modules}
