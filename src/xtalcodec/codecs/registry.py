"""Which codecs there are: the files of this folder are the registration."""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import torch

from xtalcodec import codecs
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.config import Note, SettingsError, build


def classes() -> list[type[Codec]]:
    """Return every class of codecs, those of modules outside of this package that have been imported included."""
    for module in pkgutil.iter_modules(codecs.__path__):
        import_module(f"{codecs.__name__}.{module.name}")
    return [c for c in _subclasses(Codec) if hasattr(c, "networks")]


def load_config(values: Mapping[str, Any], note: Note | None = None) -> CodecConfig:
    """Make a codec's settings from a dictionary, as `config.json` has it.

    Raises
    ------
    SettingsError
        An unknown key, a value of another type or out of its range.
    """
    classes()  # a kind is known once its class is
    return build(CodecConfig, values, note=note)


def class_of(config: CodecConfig) -> type[Codec]:
    """Return the class that joins the network of the settings with their representation.

    Raises
    ------
    SettingsError
        No codec joins the two.
    """
    works = [c for c in classes() if c.networks is type(config.network)]
    for codec in works:
        if type(config.representation) in codec.representations:
            return codec
    kinds = " or ".join(r.kind for codec in works for r in codec.representations)
    raise SettingsError(
        f"the network {config.network.kind!r} works on {kinds or 'nothing'}, "
        f"not on codec.representation.kind={config.representation.kind}"
    )


def open_codec(config: CodecConfig, device: str | torch.device = "cpu") -> Codec:
    """Make an untrained codec of the class that the settings are for, see `class_of`."""
    return class_of(config)(config, device)


def _subclasses(cls: Any) -> Iterator[type[Codec]]:
    for child in cls.__subclasses__():
        yield child
        yield from _subclasses(child)
