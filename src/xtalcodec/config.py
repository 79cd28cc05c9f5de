"""Typed settings from plain dictionaries and `key=value` words: unknown keys are errors."""

import copy
import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args, get_origin

import yaml

T = TypeVar("T")


class SettingsError(ValueError):
    """A setting that is not known or has the wrong type: the message names it."""


def unknown(what: str, name: str, known: Sequence[str]) -> str:
    """Return the message for a name that is not among the known ones, with a guess."""
    guess = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"no {what} {name!r}; have {', '.join(sorted(known))}." + (f" Did you mean {guess[0]!r}?" if guess else "")


def build(kind: type[T], values: Mapping[str, Any], path: str = "") -> T:
    """Make a settings dataclass from a dictionary, nested ones included.

    Raises
    ------
    SettingsError
        An unknown key or a value of another type than the default's.
    """
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        if key not in fields:
            raise SettingsError(unknown("setting", f"{path}{key}", [path + name for name in fields]))
        arguments[key] = _convert(fields[key].type, value, path + key)
    return kind(**arguments)


def _convert(kind: Any, value: Any, key: str) -> Any:
    """Check a value against the field's type; whole numbers pass for real ones."""
    options = [option for option in get_args(kind) or [kind] if dataclasses.is_dataclass(option)]
    if options:
        if not isinstance(value, Mapping):
            raise SettingsError(f"{key} is a group of settings, not {value!r}")
        kind = _choose(options, value, key)
        return build(kind, value, key + ".")  # type: ignore[arg-type]
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple) or not all(isinstance(x, get_args(kind)[0]) for x in value):
            raise SettingsError(f"{key} takes a list of {get_args(kind)[0].__name__}, not {value!r}")
        return tuple(value)
    if isinstance(kind, type) and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise SettingsError(f"{key} takes a {kind.__name__}, not {value!r}")
    return value


def _choose(options: Sequence[Any], value: Mapping[str, Any], key: str) -> Any:
    """Of several groups of settings, the one whose KINDS has the `kind` given; the first without one."""
    if len(options) == 1 or "kind" not in value:
        return options[0]
    known = {name: option for option in options for name in option.KINDS}
    if value["kind"] not in known:
        raise SettingsError(unknown(f"{key}.kind", str(value["kind"]), list(known)))
    return known[value["kind"]]


def override(values: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """Lay `group.key=value` words over a dictionary of settings; values are read as YAML.

    Raises
    ------
    SettingsError
        A word without `=`, or a value that is not YAML.
    """
    result: dict[str, Any] = copy.deepcopy(dict(values))
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise SettingsError(f"{word!r} is not key=value")
        target = result
        *groups, last = key.split(".")
        for group in groups:
            target = target.setdefault(group, {})
            if not isinstance(target, dict):
                raise SettingsError(f"{key}: {group} is no group of settings")
        try:
            target[last] = _number(yaml.safe_load(value))
        except yaml.YAMLError as error:
            raise SettingsError(f"{key}: {value!r} is no value that YAML can read") from error
    return result


def _number(value: Any) -> Any:
    """Read 1e-3 as a number: YAML 1.1 takes it for a word."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
