"""What a flow belongs to, and its folder."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from xtalcodec.codecs.card import CARD, TRAINING
from xtalcodec.config import SettingsError, build, build_kind
from xtalcodec.io.atomic import atomic_folder
from xtalcodec.priors.about import ABOUT, PriorError, read_about
from xtalcodec.priors.card import papers
from xtalcodec.priors.conditions import Conditions, Limits
from xtalcodec.priors.flow.crystals import FlowCrystals
from xtalcodec.priors.flow.network import FlowNetwork
from xtalcodec.priors.flow.packed import packed, unpacked
from xtalcodec.priors.flow.settings import FlowConfig, SamplerConfig
from xtalcodec.representations.base import RepresentationConfig

FORMAT = "xtalcodec-flow-prior-1"
WEIGHTS = "prior.safetensors"
"""File of a prior's folder that holds its network."""


@dataclass(frozen=True, slots=True)
class About:
    """What a flow belongs to, and what it was fitted to."""

    codec: str
    """Identity of the codec."""
    latent: int
    """Latent numbers per patch."""
    grid: RepresentationConfig
    """The codec's."""
    elements: tuple[int, ...]
    """Atomic numbers that the training crystals hold."""
    most_noise: float
    """What the codec's decoder can be told."""
    crystals: int
    config: FlowConfig
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    """How it is followed where nothing else is asked."""
    groups: tuple[tuple[int, int], ...] = ()
    """Space groups of the training crystals, by number, and how many have each."""
    format: str = FORMAT

    @property
    def limits(self) -> Limits:
        """What can be asked for."""
        config = self.config
        return Limits(self.elements, config.most_elements, config.most_sites, config.properties)

    @classmethod
    def of(cls, source: FlowCrystals) -> "About":
        """Describe what is to be learnt."""
        codec = source.codec
        if codec.config.representation.is_window:
            raise PriorError(
                f"the codec {codec.config.name!r} is one of windows; a flow is of a periodic codec's latents"
            )
        elements = sorted({z for crystal in source.crystals for z in crystal.elements})
        settings = codec.config.network.latent, codec.config.representation, tuple(elements), codec.most_noise
        counts = Counter(source.facts.space_group.tolist())
        groups = tuple((number, counts[number]) for number in sorted(counts) if number)
        return cls(codec.identity, *settings, len(source), source.config, groups=groups)


def write(folder: str | Path, about: About, network: FlowNetwork, training: Mapping[str, Any] | None) -> None:
    """Write a flow to a folder: all of it, or the folder stays as it was.

    Parameters
    ----------
    folder
        Made if it is not there.
    about
        What the flow belongs to.
    network
        Kept in few bits (`packed`).
    training
        How it was trained, for its card; None for no card.

    Raises
    ------
    PriorError
        A weight is not finite, or too large to be kept.
    """
    kept = packed(network.state_dict())
    if strange := [name for name, value in kept.items() if not torch.isfinite(value).all()]:
        raise PriorError(f"weights that are not finite, or too large to be kept: {', '.join(strange)}"[:200])
    told = papers(folder, asdict(about), training)
    with atomic_folder(folder, remove={CARD, TRAINING} - set(told)) as temporary:
        for name, text in told.items():
            (temporary / name).write_text(text)
        save_file(kept, temporary / WEIGHTS)
        (temporary / ABOUT).write_text(json.dumps(asdict(about), indent=2) + "\n")


def digest(about: About, network: FlowNetwork, asked: Conditions) -> str:
    """SHA-256 of a flow and of what it is asked.

    Parameters
    ----------
    about, network
        The flow; its weights count in half precision.
    asked
        Of its samples.
    """
    told = [asdict(about), asdict(asked)]
    sum256 = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for name, value in sorted(network.state_dict().items()):
        kept = value.half() if value.is_floating_point() else value
        sum256.update(name.encode() + kept.cpu().contiguous().numpy().tobytes())
    return sum256.hexdigest()


def read(folder: str | Path) -> tuple[About, FlowNetwork]:
    """Read what `write` wrote.

    Raises
    ------
    PriorError
        A folder without a flow, or with one that is broken.
    """
    folder = Path(folder)
    values = read_about(folder, FORMAT)
    try:
        grid: RepresentationConfig = build_kind(RepresentationConfig, values["grid"], "grid.")  # type: ignore[type-abstract]
        if grid.is_window:
            raise PriorError(f"its grid is that of a window ({values['grid']['kind']}), not of a cell")
        config = build(FlowConfig, values["config"], "config.")
        sampler = build(SamplerConfig, values.get("sampler", {}), "sampler.")
        groups = tuple((int(number), int(count)) for number, count in values.get("groups", []))
        told = {"elements": tuple(values["elements"]), "groups": groups}
        built = {**told, "grid": grid, "config": config, "sampler": sampler}
        about = About(**{**values, **built})
        network = FlowNetwork(about.config, about.latent)
        network.load_state_dict(unpacked(load_file(folder / WEIGHTS)))
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError, SettingsError) as error:
        raise PriorError(f"{folder} holds no prior that can be read: {error}") from error
    if not all(torch.isfinite(x).all() for x in network.state_dict().values()):
        raise PriorError(f"{folder}: a number is not finite")
    return about, network.eval()
