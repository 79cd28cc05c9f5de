"""Sources of crystals, one file each: a module here is a source by naming its class `SOURCE`."""

import pkgutil
from importlib import import_module

from xtalcodec.datasets.source import Source


def sources() -> dict[str, type[Source]]:
    """Return name → class of every source."""
    modules = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return {module.SOURCE.name: module.SOURCE for module in modules}
