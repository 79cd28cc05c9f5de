"""The folder of an embedding, beside the codec that it belongs to."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from xtalcodec.embedding.embedding import KINDS, About, Embedding, EmbeddingError, looks_of
from xtalcodec.io.atomic import atomic_folder, settle
from xtalcodec.io.markdown import two_columns

FOLDER = "embedding"
"""Of an embedding, in the folder of its codec."""

FORMAT = "xtalcodec-embedding-1"
ABOUT, WEIGHTS, CARD = "embedding.json", "embedding.safetensors", "README.md"
FILES = (ABOUT, WEIGHTS, CARD)
"""All of its files."""


def write(folder: str | Path, embedding: Embedding, training: Mapping[str, Any]) -> None:
    """Write an embedding: all of it, or the folder stays as it was.

    Parameters
    ----------
    folder
        Made if it is not there.
    embedding
        Its networks are kept in half precision.
    training
        How it was trained, from `codecs.facts.provenance`.
    """
    about = {"format": FORMAT, **asdict(embedding.about), "training": dict(training)}
    state = {f"{of}.{key}": value for of in KINDS for key, value in embedding.networks[of].state_dict().items()}
    with atomic_folder(folder) as temporary:
        save_file({key: value.half().contiguous().cpu() for key, value in state.items()}, temporary / WEIGHTS)
        (temporary / ABOUT).write_text(json.dumps(about, indent=1) + "\n")
        (temporary / CARD).write_text(card(embedding, training))


def read(folder: str | Path, channels: Float[np.ndarray, "z channels"]) -> Embedding:
    """Read what `write` wrote.

    Parameters
    ----------
    folder
        With the three files.
    channels
        The codec's density channels, by Z.

    Raises
    ------
    EmbeddingError
        A folder without an embedding, or with one that is broken or for another number of channels.
    """
    folder = Path(folder)
    try:
        settle(folder)
        values = json.loads((folder / ABOUT).read_text())
        if values.get("format") != FORMAT:
            raise EmbeddingError(f"its format is {values.get('format')!r}, not {FORMAT!r}")
        about = About(str(values["codec"]), tuple(int(z) for z in values["elements"]), looks_of(values["looks"]))
        embedding = Embedding.untrained(about, channels)
        state = {key: value.float() for key, value in load_file(folder / WEIGHTS).items()}
        for of in KINDS:
            own = {key.removeprefix(f"{of}."): value for key, value in state.items() if key.startswith(f"{of}.")}
            embedding.networks[of].load_state_dict(own)
    except (OSError, KeyError, TypeError, AttributeError, ValueError, RuntimeError, SafetensorError) as error:
        raise EmbeddingError(f"{folder} holds no embedding that can be read: {error}") from error
    if not all(torch.isfinite(value).all() for value in state.values()):
        raise EmbeddingError(f"{folder}: a number is not finite")
    return embedding


def card(embedding: Embedding, training: Mapping[str, Any]) -> str:
    """Say in a page what an embedding is and how it was made."""
    about = embedding.about
    weights = sum(p.numel() for network in embedding.networks.values() for p in network.parameters())
    rows = {"codec": about.codec, "numbers": embedding.size, "elements": len(about.elements), "weights": weights}
    lines = two_columns((rows | dict(training)).items())
    head = "One vector per crystal, and one per structure without its elements (`xtalcodec train-embedding`)."
    return "\n".join(["# Embedding", "", head, "", *lines, ""])
