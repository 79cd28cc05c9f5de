"""Where codecs are kept: the box, folders, the Hugging Face hub. What they are made of goes in and out here.

A codec's folder holds `config.json`, `model.safetensors` and its card, the hub's usual names; nothing is ever
unpickled. A name is looked up on the hub only where the user gave it: what a file says goes through `named_in`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from xtalcodec.codecs import card, facts
from xtalcodec.codecs.card import CARD, PAPERS, SCORES, TRAINING
from xtalcodec.codecs.facts import CardError
from xtalcodec.codecs.identity import former, of_release_0_1, same
from xtalcodec.config import unknown
from xtalcodec.embedding import files as embedding
from xtalcodec.heads import files as heads
from xtalcodec.io.atomic import atomic_folder, settle

CONFIG, WEIGHTS = "config.json", "model.safetensors"


@dataclass(frozen=True, slots=True)
class Content:
    """Content of a codec's folder."""

    folder: Path
    config: dict[str, Any]
    """The settings, as they were saved."""
    weights: dict[str, Tensor] = field(repr=False)
    """The network's state; matrices in half precision."""
    former: tuple[str, ...]
    """Identities that latents of these weights have by earlier rules."""
    papers: dict[str, str] = field(repr=False)
    """The card and what it is made from: file name → text."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Origin of a loaded codec; saved with it again as long as its weights are unchanged."""

    identity: str
    """Of the codec when it was loaded."""
    former: tuple[str, ...] = ()
    """Identities that its latents have by earlier rules."""
    papers: Mapping[str, str] = field(default_factory=dict)
    """The card and what it is made from: file name → text."""
    folder: Path = Path()

    @classmethod
    def of(cls, content: Content, identity: str) -> "Provenance":
        """Keep identities and card of a stored codec once its weights are in a network."""
        known = dict.fromkeys([*content.former, *former(identity)])
        return cls(identity, tuple(one for one in known if not same(one, identity)), content.papers, content.folder)


def pretrained() -> list[str]:
    """Names of the codecs that ship with the package."""
    return sorted(p.name for p in files("xtalcodec").joinpath("weights").iterdir() if p.joinpath(CONFIG).is_file())


def folder_of(name: str | Path) -> Path | None:
    """Folder of a codec that is on this machine; None for one on the hub.

    Raises
    ------
    FileNotFoundError
        Neither a codec that ships, nor a folder, nor the name of a repository.
    """
    if str(name) in pretrained():
        return Path(str(files("xtalcodec").joinpath("weights", str(name))))
    if Path(name).is_dir():
        settle(name)
        if not (Path(name) / CONFIG).is_file():
            raise FileNotFoundError(f"{name} holds no codec: {CONFIG} is missing")
        return Path(name)
    if str(name).count("/") != 1:
        raise FileNotFoundError(unknown("codec", str(name), pretrained()) + " A folder will do too.")
    return None


def named_in(file: str | Path, identity: str) -> str:
    """Return the name of the shipped codec that a data file says it belongs to.

    A file may name anything, even a repository to download, so any other codec must be named by the user.

    Parameters
    ----------
    file
        File of latents or folder of a prior, for messages.
    identity
        Identity of the codec, as the file has it.

    Raises
    ------
    FileNotFoundError
        A codec that does not ship with the package.
    """
    name = identity.rpartition("-")[0]
    if name not in pretrained():
        raise FileNotFoundError(
            f"{file} belongs to the codec {identity!r}, which is not one that ships with the package: "
            "give --codec with its folder or its user/repository"
        )
    return name


def fetch(name: str | Path, **hub: Any) -> Path:
    """Return the folder of a codec that the user named, downloaded if it is on the hub."""
    wanted = [CONFIG, WEIGHTS, *PAPERS, f"{embedding.FOLDER}/*", f"{heads.FOLDER}/*"]
    return folder_of(name) or Path(snapshot_download(str(name), allow_patterns=wanted, **hub))


def read(folder: Path) -> Content:
    """Read what a codec is made of.

    Raises
    ------
    ValueError
        A file that is not what it should be; the message names it.
    """
    settle(folder)
    config = facts.read(folder / CONFIG)
    try:
        with safe_open(folder / WEIGHTS, "pt") as file:
            metadata = file.metadata() or {}
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{folder / WEIGHTS} does not hold this codec's weights: {error}") from error
    # Release 0.1 noted no identity beside the weights; its rule reads the settings as they stand in the file.
    known = metadata["former"].split() if "former" in metadata else [of_release_0_1(config, weights)]
    papers = {name: (folder / name).read_text(errors="replace") for name in PAPERS if (folder / name).is_file()}
    return Content(folder, config, weights, tuple(known), papers)


def fill(network: nn.Module, content: Content) -> None:
    """Put weights into their network.

    Raises
    ------
    ValueError
        Weights of another network.
    """
    try:
        network.load_state_dict({k: v.float() for k, v in content.weights.items()}, strict=True)
    except RuntimeError as error:
        raise ValueError(f"{content.folder / WEIGHTS} does not hold this codec's weights: {error}") from error


def write(
    folder: str | Path,
    config: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    *,
    former: tuple[str, ...] = (),
    papers: Mapping[str, str] | None = None,
) -> None:
    """Write a codec to a folder: all of it, or the folder stays as it was; other files there stay.

    Parameters
    ----------
    folder
        Made if it is not there; it may hold other files, as those of a training.
    config
        Settings, as JSON can hold them.
    weights
        The network's state; matrices are written in half precision (their rounding moves no atom by 0.001 Å).
    former
        Identities by earlier rules under which latents of these weights are on disk.
    papers
        The card and what it is made from, from `make_papers`; without them, a card that claims nothing.
    """
    papers = make_papers(config) if papers is None else papers
    tensors = {k: v.detach().cpu() for k, v in weights.items()}
    tensors = {k: (v.half() if v.ndim > 1 else v).contiguous() for k, v in tensors.items()}
    with atomic_folder(folder, remove=set(PAPERS) - set(papers)) as temporary:
        save_file(tensors, temporary / WEIGHTS, metadata={"format": "pt", "former": " ".join(former)})
        (temporary / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
        for name, text in papers.items():
            (temporary / name).write_text(text)


def make_papers(
    config: Mapping[str, Any], training: Mapping[str, Any] | None = None, licence: str | None = None
) -> dict[str, str]:
    """Return the card of a codec that has no scores yet, and what it is made from.

    Parameters
    ----------
    config
        The codec's settings.
    training
        How it was trained, from `facts.provenance`.
    licence
        Licence that the user names; it goes before the one in `training`.
    """
    told = dict(training or {}) | ({"licence": licence} if licence else {})
    papers = {CARD: card.make(config, told, {})}
    return papers | ({TRAINING: json.dumps(told, indent=2) + "\n"} if told else {})


def carried(provenance: Provenance, licence: str | None) -> dict[str, str]:
    """Return the card of a codec that was loaded, with another licence if the user says so."""
    papers = dict(provenance.papers)
    if licence and TRAINING in papers:
        try:
            told = json.loads(papers[TRAINING])
        except ValueError as error:
            raise CardError(f"{provenance.folder / TRAINING} cannot be read: {error}") from error
        papers[TRAINING] = json.dumps(told | {"licence": licence}, indent=2) + "\n"
    if licence and CARD in papers:
        papers[CARD] = card.relicensed(provenance.folder / CARD, papers[CARD], licence)
    return papers


def writable(name: str | Path) -> Path:
    """Return the folder of a codec that the user gave by its path, to note scores in.

    Raises
    ------
    CardError
        A codec in the box or on the hub, or a folder of an installed package.
    """
    if str(name) in pretrained():
        raise CardError(f"--card: {name} ships with the package; save it to a folder and give the folder")
    folder = folder_of(name)
    if folder is None:
        raise CardError(f"--card: {name} is no folder")
    package = Path(str(files("xtalcodec"))).resolve()
    if facts.checkout() is None and folder.resolve().is_relative_to(package):
        raise CardError(f"--card: {name} is part of the installed package; copy it to a folder of your own")
    return folder


__all__ = [
    "CARD",
    "CONFIG",
    "SCORES",
    "TRAINING",
    "WEIGHTS",
    "Content",
    "Provenance",
    "carried",
    "fetch",
    "fill",
    "folder_of",
    "make_papers",
    "named_in",
    "pretrained",
    "read",
    "writable",
    "write",
]  # fmt: skip
