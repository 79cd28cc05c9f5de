"""Recipes as YAML files: those that ship, one's own, and `key=value` words on top."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml

from xtalcodec.config import Note, SettingsError, build, override, renamed, unknown

T = TypeVar("T")


def shipped(folder: str) -> list[str]:
    """Names of the recipes in a folder of this package."""
    return sorted(p.name.removesuffix(".yaml") for p in files("xtalcodec.training").joinpath(folder).iterdir())


def values_of(folder: str, name: str) -> dict[str, Any]:
    """Read the settings of a recipe that ships, or of a YAML file.

    Raises
    ------
    SettingsError
        No settings in it, or no YAML.
    FileNotFoundError
        No such recipe; the message lists those there are.
    """
    own = name in shipped(folder)
    if not (own or Path(name).is_file()):
        raise FileNotFoundError(unknown("recipe", name, shipped(folder)) + " A YAML file will do too.")
    path = files("xtalcodec.training").joinpath(folder, f"{name}.yaml") if own else Path(name)
    try:
        values = yaml.safe_load(path.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name} cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{name} holds no settings, but {values!r}")
    return values


def loaded(kind: type[T], folder: str, name: str, overrides: Sequence[str]) -> T:
    """Read a recipe by name or path and lay `key=value` words over it.

    Parameters
    ----------
    kind
        Class of the recipe.
    folder
        Of those that ship.
    name
        One that ships, or a YAML file.
    overrides
        Words, the last of a key counts.

    Raises
    ------
    SettingsError
        An unknown key or a value of the wrong type.
    FileNotFoundError
        No such recipe; the message lists those there are.
    """
    values = values_of(folder, name)
    for word in overrides:
        values = overridden(kind, values, word)
    return build(kind, values)


def overridden(kind: type, values: Mapping[str, Any], word: str, note: Note | None = None) -> dict[str, Any]:
    """Lay a `key=value` word over settings.

    Parameters
    ----------
    kind
        Class of the settings, which knows what was renamed.
    values
        Nested settings.
    word
        What the user typed.
    note
        Told of keys of earlier releases, which are understood.
    """
    return _laid_over(values, renamed(kind, override({}, [word]), note=note))


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay nested settings over others."""
    result = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = _laid_over(result[key], value) if both else value
    return result
