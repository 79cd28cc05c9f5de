"""The identity of a codec: a hash of its weights and of the settings that decoding needs, and of nothing else.

Latents carry the identity of the codec that made them, and only this codec decodes them. So it must not change
with anything that decoding does not read: a name, how latents are refined, what training weighs, how a cell is cut
into patches, a default of a later release. It does not change with how the code names its settings or modules
either: settings go by the names of `DECODING`, and weights count as tensors, whatever their keys.

Two rules keep identities for ever. What stands in `DECODING` is never altered, as latents on disk depend on it. A
setting that is new and that decoding reads is added with the value under which codecs decode as they did before;
with this value it is left out of the hash.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor

DIGITS = 12
"""Hexadecimal digits of the hash that are kept."""

ALIASES = {"space": "representation", "sites": "atom_finder"}
"""Names that groups of settings had in earlier releases → their names in `DECODING`."""

HEAT = {"threshold": 0.3, "margin": 0.15, "agreement": 0.7, "nearest": 0.65}
"""How atoms are read off the heat of a patch network, as in release 0.1."""

DECODING: dict[tuple[str, str], dict[str, dict[str, Any]]] = {
    ("patch", "periodic"): {
        "representation": {"patch": 4, "heat_sigma": 0.7},
        "network": {"heads": 6},
        "atom_finder": HEAT,
    },
    ("patch", "window"): {
        "representation": {"patch": 4, "heat_sigma": 0.7, "gap": 1.0, "skin": 0.25, "window.edge": 10.0},
        "network": {"heads": 6},
        "atom_finder": HEAT,
    },
    ("hoffmann", "window"): {
        "representation": {
            "gap": 1.0,
            "window.edge": 10.0,
            "window.points": 30,
            "window.sigma": 1.0,
            "window.label_radius": 0.65,
        },
        "network": {
            "points": 30,
            "exclusive": False,
            "reader": "segmentation",
            "noise": 0.1,
            "read_modes": 0,
            "compact.shortcut": "modes",
            "compact.spread": 2.5,
            "compact.sharpened": [0.7],
        },
    },
    ("linear", "window"): {
        "representation": {"gap": 1.0, "window.edge": 10.0, "window.points": 30, "window.sigma": 1.0},
        "network": {"latent": 276, "spread": 2.5},
    },
}
"""What decoding reads, by the kinds of network and representation: name of the setting → the value that is left out.

Sizes that the shapes of the weights tell are not repeated. A value is never changed: it need not be the default of
the settings any more.
"""

WINDOWS = ("unit_cell", "repeating")


def decoding(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decoding needs of a codec's settings, by names that do not change with the code's.

    Settings are a codec's as a plain dictionary, of this release or an earlier one. Kinds of the representation and
    the network are always in what is returned, and for patch networks the elements that they choose from; other
    settings are where they are not those of `DECODING`. A network or a representation that `DECODING` does not know
    keeps all of its settings.
    """
    groups = {ALIASES.get(key, key): value for key, value in config.items()}
    space, network = dict(groups.get("representation") or {}), dict(groups.get("network") or {})
    kinds = str(network.get("kind", "patch")), str(space.get("kind", "periodic"))
    needs = DECODING.get((kinds[0], "window" if kinds[1] in WINDOWS else kinds[1]))
    result: dict[str, Any] = {"representation": {"kind": kinds[1]}, "network": {"kind": kinds[0]}}
    for group in ("representation", "network", "atom_finder"):
        given = _flat(groups.get(group) or {})
        wanted = dict.fromkeys(given) if needs is None else needs.get(group, {})
        kept = {key: _plain(given[key]) for key in wanted if key in given and _plain(given[key]) != wanted[key]}
        if kept:
            result[group] = result.get(group, {}) | kept
    if kinds[0] == "patch" or needs is None:
        result["elements"] = sorted(int(z) for z in groups.get("elements") or range(1, 101))
    return result


def identity(name: str, needed: Mapping[str, Any], weights: Mapping[str, Tensor]) -> str:
    """Return the identity of a codec: its name, for people, and a hash, which alone is compared.

    Parameters
    ----------
    name
        Name of the codec.
    needed
        What decoding needs, as `decoding` gives it.
    weights
        The network's state. Names of tensors do not count, so that a module may be renamed;
        values count in half precision, as they are saved.
    """
    digest = hashlib.sha256(json.dumps(needed, sort_keys=True, separators=(",", ":")).encode())
    for part in sorted(_digest(value) for value in weights.values()):
        digest.update(part)
    return f"{name}-{digest.hexdigest()[:DIGITS]}"


def of_release_0_1(config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> str:
    """Return the identity by the rule of release 0.1: a hash of all settings as they were saved, and of the weights."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for key, value in sorted(weights.items()):
        digest.update(key.encode() + value.detach().half().cpu().numpy().tobytes())
    return f"{config.get('name', 'unnamed')}-{digest.hexdigest()[:DIGITS]}"


@cache
def shipped() -> dict[str, list[dict[str, str]]]:
    """Identities of the codecs that ship and shipped with the package.

    Returns
    -------
    Name of a codec → for each set of weights that it has had, the newest last: release → the identity that latents
    have by that release. A release stands where it was the first to give the identity.
    """
    return json.loads(files("xtalcodec").joinpath("weights", "identities.json").read_text())


def same(a: str, b: str) -> bool:
    """Whether two identities are of one codec, whatever it is called."""
    return a.rpartition("-")[2] == b.rpartition("-")[2]


def former(own: str) -> tuple[str, ...]:
    """Return the identities that a codec which ships had by the rules of earlier releases."""
    for weights in (entry for entries in shipped().values() for entry in entries):
        if any(same(own, known) for known in weights.values()):
            return tuple(known for known in weights.values() if not same(own, known))
    return ()


def refusal(theirs: str, own: str, what: str = "these latents belong") -> str:
    """Say why a codec does not decode latents; where weights that shipped once do, say in which release they are.

    Parameters
    ----------
    theirs, own
        Identities: which the latents carry, and of the codec.
    what
        Belongs to another codec, with its verb.
    """
    message = f"{what} to the codec {theirs}, not to {own}"
    for name, entries in shipped().items():
        for weights in entries:
            if not any(same(theirs, known) for known in weights.values()):
                continue
            if weights is entries[-1] and files("xtalcodec").joinpath("weights", name).is_dir():
                return f"{message}: give --codec {name} or load {name!r}"
            release = [*weights][-1]
            return f"{message}: release {release} has its weights (pip install 'xtalcodec=={release}')"
    return message


def accepts(theirs: str, accepted: Iterable[str]) -> bool:
    """Whether latents of an identity are decoded by a codec with these."""
    return any(same(theirs, one) for one in accepted)


def _flat(settings: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Settings of groups within groups, by names with dots."""
    result: dict[str, Any] = {}
    for key, value in settings.items():
        result |= _flat(value, f"{path}{key}.") if isinstance(value, Mapping) else {f"{path}{key}": value}
    return result


def _plain(value: Any) -> Any:
    """A value as JSON writes it, whole numbers in one way."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return [_plain(x) for x in value] if isinstance(value, list | tuple) else value


def _digest(tensor: Tensor) -> bytes:
    """Hash of a tensor's shape and of its values in half precision."""
    values = tensor.detach().to(torch.float16).cpu().contiguous().numpy()
    return hashlib.sha256(str(values.shape).encode() + values.tobytes()).digest()
