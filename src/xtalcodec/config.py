"""Typed settings: ranges are checked, `kind` chooses the class, unknown keys are errors with a guess."""

import copy
import dataclasses
import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, TypeVar, cast, dataclass_transform, get_origin

import pydantic
import yaml

T = TypeVar("T")

Note = Callable[[str], None]
"""Called with a sentence on something that was understood, and should be written otherwise."""


Positive = Annotated[float, pydantic.Field(gt=0)]
NotNegative = Annotated[float, pydantic.Field(ge=0)]
Share = Annotated[float, pydantic.Field(ge=0, le=1)]
Count = Annotated[int, pydantic.Field(ge=1)]
"""Numbers in their ranges, for the fields of settings."""

_CHECKED = pydantic.ConfigDict(strict=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)


class SettingsError(ValueError):
    """A setting that is not known, of the wrong type or out of its range: the message names it."""


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, pydantic.Field))
def settings(cls: type[T]) -> type[T]:
    """Make a class of settings: a frozen dataclass whose types and ranges pydantic checks, without conversion.

    No number is infinite, or none at all (NaN).

    A class may have `RENAMED`, old keys and what they are called now. A class with a field `kind` belongs to the
    family of its base class: where a setting is of the base class, the value's `kind` says which member it is.
    """
    return cast("type[T]", pydantic.dataclasses.dataclass(frozen=True, config=_CHECKED)(cls))


class Kinds:
    """Base of a family of settings, told apart by their `kind`."""

    kind: str
    RENAMED: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def members(cls) -> dict[str, type[Any]]:
        """Kind → class, of every class of the family that has been imported."""
        found: dict[str, type[Any]] = {}
        for member in cls.__subclasses__():
            own: dict[str, Any] = {}
            if dataclasses.is_dataclass(member):
                own = {name: f.default for name, f in _fields(member).items()}
            found |= ({str(own["kind"]): member} if "kind" in own else {}) | member.members()
        return found


def unknown(what: str, name: str, known: Sequence[str]) -> str:
    """Return the message for a name that is not among the known ones, with a guess.

    Parameters
    ----------
    what
        What the name should be of, as "codec".
    name
        As it was given.
    known
        Names that there are.
    """
    guess = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"no {what} {name!r}; have {', '.join(sorted(known))}." + (f" Did you mean {guess[0]!r}?" if guess else "")


def build(cls: type[T], values: Mapping[str, Any], path: str = "", note: Note | None = None) -> T:
    """Make settings from a dictionary, nested ones included.

    Parameters
    ----------
    cls
        The class of settings.
    values
        Key → value; what is not given stays at its default. Old keys are understood.
    path
        What stands before the keys in messages, as "codec.".
    note
        Told of old keys.

    Raises
    ------
    SettingsError
        An unknown key, a value of another type, a value out of its range.
    """
    arguments: dict[str, Any] = {}
    fields = _fields(cls)
    for key, value in renamed(cls, values, path, note).items():
        if key not in fields:
            raise SettingsError(unknown("setting", f"{path}{key}", [path + name for name in fields]))
        arguments[key] = _value(fields[key], value, path + key)
    try:
        return cls(**arguments)
    except pydantic.ValidationError as error:
        raise SettingsError(_first(error, arguments, path)) from error


def build_kind(family: type[T], values: Mapping[str, Any], path: str) -> T:
    """Make settings of a family, of the kind that they name.

    Parameters
    ----------
    family
        A base of `Kinds`, of which all members have been imported.
    values
        Key → value; `kind` among them.
    path
        What stands before the keys in messages, as "codec.".

    Raises
    ------
    SettingsError
        An unknown kind, and as of `build`.
    """
    known = cast("type[Kinds]", family).members()
    if values.get("kind") not in known:
        raise SettingsError(unknown(f"{path}kind", str(values.get("kind")), list(known)))
    return cast("T", build(known[values["kind"]], values, path))


def renamed(cls: type, values: Mapping[str, Any], path: str = "", note: Note | None = None) -> dict[str, Any]:
    """Return the values with old keys, of all groups, replaced by what they are called now.

    Parameters
    ----------
    cls
        The class of settings.
    values
        Key → value.
    path
        What stands before the keys in messages.
    note
        Told of old keys.

    Raises
    ------
    SettingsError
        Both the old and the new key.
    """
    names, fields, result = getattr(cls, "RENAMED", {}), _fields(cls), {}
    for key, value in values.items():
        new = names.get(key, key)
        if new != key and note:
            note(f"{path}{key} is called {path}{new} now")
        if new in result or (new != key and new in values):
            raise SettingsError(f"{path}{key} is the old name of {path}{new}: give one of them")
        group = _group(fields[new], value) if new in fields and isinstance(value, Mapping) else None
        result[new] = value if group is None else renamed(group, value, f"{path}{new}.", note)
    return result


def _fields(cls: type) -> dict[str, dataclasses.Field]:
    """Settings of a class by name."""
    return {f.name: f for f in dataclasses.fields(cast("Any", cls))}


def _value(field: dataclasses.Field, value: Any, key: str) -> Any:
    """The value of a setting, groups built; pydantic checks the rest."""
    kind: Any = field.type
    if _is_group(kind):
        if not isinstance(value, Mapping):
            raise SettingsError(f"{key} is a group of settings, not {value!r}")
        return build(_group(field, value, key), value, key + ".")
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(value)
    return value


def _is_group(kind: Any) -> bool:
    return dataclasses.is_dataclass(kind) or (isinstance(kind, type) and issubclass(kind, Kinds))


def _group(field: dataclasses.Field, value: Mapping[str, Any], key: str | None = None) -> Any:
    """Class of a group of settings: of a family, the one that `kind` says, or the default's without it.

    With a `key`, an unknown kind is an error.
    """
    kind: Any = field.type
    if not (isinstance(kind, type) and issubclass(kind, Kinds) and not dataclasses.is_dataclass(kind)):
        return kind if dataclasses.is_dataclass(kind) else None
    usual = cast("type", field.default_factory)
    name = value.get("kind")
    if name is not None and not isinstance(name, str):
        raise SettingsError(f"{key or field.name}.kind is the name of a kind, not {name!r}")
    if name is None:
        return usual
    known = kind.members()
    if name not in known and key is not None:
        raise SettingsError(unknown(f"{key}.kind", str(name), list(known)))
    return known.get(name, usual)


def _first(error: pydantic.ValidationError, arguments: Mapping[str, Any], path: str) -> str:
    """Say what is wrong with the first wrong value."""
    first = error.errors()[0]
    text = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return f"{path.rstrip('.') or 'settings'}: {text}"
    key = str(first["loc"][0])
    return f"{path}{key}: {text[0].lower()}{text[1:]}, not {arguments.get(key, first['input'])!r}"


def override(values: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """Lay `group.key=value` words over a dictionary of settings; values are read as YAML.

    Raises
    ------
    SettingsError
        A word without `=`, or a value that is not YAML.
    """
    result: dict[str, Any] = copy.deepcopy(dict(values))
    for key, value in parsed(words):
        target = result
        *groups, last = key
        for group in groups:
            target = target.setdefault(group, {})
            if not isinstance(target, dict):
                raise SettingsError(f"{'.'.join(key)}: {group} is no group of settings")
        target[last] = value
    return result


def parsed(words: Sequence[str]) -> Iterator[tuple[list[str], Any]]:
    """Read `group.key=value` words, one after another."""
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise SettingsError(f"{word!r} is not key=value")
        try:
            yield key.split("."), _number(yaml.safe_load(value))
        except yaml.YAMLError as error:
            raise SettingsError(f"{key}: {value!r} is no value that YAML can read") from error


def _number(value: Any) -> Any:
    """Read 1e-3 as a number: YAML 1.1 takes it for a word."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
