"""The folder of a head: beside the codec that it belongs to, under `heads`, or anywhere else."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from xtalcodec.config import build
from xtalcodec.embedding.surroundings import SurroundingsConfig
from xtalcodec.heads.head import COVERAGE, Head, HeadAbout, HeadError
from xtalcodec.heads.network import HeadConfig
from xtalcodec.io.atomic import atomic_folder, settle
from xtalcodec.io.markdown import two_columns

FOLDER = "heads"
"""Of all heads, in the folder of their codec; each in one that is called like its property."""

FORMAT = "xtalcodec-head-3"
ABOUT, WEIGHTS, CARD = "head.json", "head.safetensors", "README.md"
FILES = (ABOUT, WEIGHTS, CARD)
"""All of its files."""


def available(codec: Path) -> dict[str, Path]:
    """Return the properties that heads in a codec's folder predict, each with its folder."""
    return {folder.name: folder for folder in sorted((codec / FOLDER).glob("*")) if (folder / ABOUT).is_file()}


def write(folder: str | Path, head: Head, training: Mapping[str, Any]) -> None:
    """Write a head: all of it, or the folder stays as it was.

    Parameters
    ----------
    folder
        Made if it is not there.
    head
        Its network is kept in half precision, scales of the data in single.
    training
        How it was trained, from `codecs.facts.provenance`.
    """
    about = {"format": FORMAT, **asdict(head.about), "training": dict(training)}
    weights = {*dict(head.network.named_parameters())}
    state = {
        key: (value.half() if key in weights else value).contiguous().cpu()
        for key, value in head.network.state_dict().items()
    }
    with atomic_folder(folder) as temporary:
        save_file(state, temporary / WEIGHTS)
        (temporary / ABOUT).write_text(json.dumps(about, indent=1) + "\n")
        (temporary / CARD).write_text(card(head, training))


def read(folder: str | Path) -> Head:
    """Read what `write` wrote.

    Raises
    ------
    HeadError
        A folder without a head, or with one that is broken.
    """
    folder = Path(folder)
    try:
        settle(folder)
        values = json.loads((folder / ABOUT).read_text())
        if values.get("format") != FORMAT:
            raise HeadError(f"its format is {values.get('format')!r}, not {FORMAT!r}")
        about = _about(values)
        state = {key: value.float() for key, value in load_file(folder / WEIGHTS).items()}
        head = Head.untrained(about, len(state["site_mean"]))
        head.network.load_state_dict(state)
    except (OSError, KeyError, TypeError, AttributeError, ValueError, RuntimeError, SafetensorError) as error:
        raise HeadError(f"{folder} holds no head that can be read: {error}") from error
    if not all(torch.isfinite(value).all() for value in state.values()) or not np.isfinite(about.stretch):
        raise HeadError(f"{folder}: a number is not finite")
    return head


def _about(values: Mapping[str, Any]) -> HeadAbout:
    """What a head belongs to, as its file says."""
    least = values["least"]
    return HeadAbout(
        property=str(values["property"]),
        unit=str(values["unit"]),
        codec=str(values["codec"]),
        looks=build(SurroundingsConfig, values["looks"], "looks."),
        elements=tuple(int(z) for z in values["elements"]),
        least=None if least is None else float(least),
        stretch=float(values["stretch"]),
        network=build(HeadConfig, values["network"], "network."),
    )


def card(head: Head, training: Mapping[str, Any]) -> str:
    """Say in a page what a head is and how it was made."""
    about = head.about
    weights = sum(p.numel() for p in head.network.parameters())
    rows: dict[str, Any] = {"property": about.property, "unit": about.unit or "not stated"}
    rows |= {"codec": about.codec, "elements": len(about.elements), "weights": weights}
    lines = two_columns((rows | dict(training)).items())
    head_line = (
        f"Predicts {about.property} of crystals (`xtalcodec predict --property {about.property}`), with an uncertainty "
        f"that holds the true value of {COVERAGE:.0%} of held-out crystals."
    )
    return "\n".join([f"# Head for {about.property}", "", head_line, "", *lines, ""])
