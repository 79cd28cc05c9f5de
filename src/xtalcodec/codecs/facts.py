"""How weights were trained, and the page that tells it: what cards of codecs and of priors share."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from xtalcodec import __version__
from xtalcodec.io.markdown import two_columns

TAGS = ["materials", "crystal", "autoencoder"]

NOT_STATED = "unknown: whoever trained it did not say"
"""A licence is what the user says; nothing is claimed otherwise."""

LICENCES = re.compile(
    r"(cc0-1\.0|cc-by(-nc)?(-sa|-nd)?-[234]\.[05]|mit|apache-2\.0|bsd(-[23]-clause)?|unlicense|mpl-2\.0"
    r"|[al]?gpl(-[23]\.[01])?|odbl|odc-by|pddl|cdla-(permissive-[12]|sharing-1)\.0|isc|unknown|other)"
)
"""Names of licences that the Hugging Face hub knows."""


class CardError(ValueError):
    """A file that a card is made from and that cannot be read, or a place where none is written: says which."""


def provenance(**facts: Any) -> dict[str, Any]:
    """Return how a codec was trained, as its card tells it.

    Parameters
    ----------
    facts
        `data`, `val`, `recipe`, `command`, `seed`, `crystals_used`, `step`, `crystals`, `seconds`; `licence`
        of the codec and `source` of the data, as the user says them; `notes`. Commit, machine and versions are added.
    """
    versions = {"xtalcodec": __version__, "torch": torch.__version__}
    return {**facts, "commit": commit(), "machine": machine(), "versions": versions}


def read(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one dictionary.

    Raises
    ------
    CardError
        Another one; the message names it.
    """
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CardError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise CardError(f"{path} holds no settings or facts by name, but a {type(values).__name__}")
    return values


def page(
    name: str,
    lines: Sequence[str],
    licence: str | None,
    *,
    tags: Sequence[str] = TAGS,
    results: Sequence[EvalResult] = (),
) -> str:
    """Return lines with the metadata of the Hugging Face hub before them.

    Parameters
    ----------
    name
        Of what the card is of.
    lines
        The card, in Markdown.
    licence
        As the user says it.
    tags, results
        For the metadata.
    """
    data = ModelCardData(
        library_name="xtalcodec",
        tags=list(tags),
        model_name=name,
        eval_results=[*results] or None,
        **licence_data(licence),
    )
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n".join(lines) + "\n"))


def facts_table(training: Mapping[str, Any], *, held_out: bool = True) -> list[str]:
    """Return the lines of a table that tells a training.

    Parameters
    ----------
    training
        From `provenance`; empty where it is not known.
    held_out
        Whether there is a line for held-out data.
    """
    return two_columns(row for row in _facts(training) if held_out or row[0] != "held-out data")


def licence_data(licence: str | None) -> dict[str, Any]:
    """The card's metadata for what the user says."""
    if not licence:
        return {"license": "other", "license_name": "unknown"}
    if LICENCES.fullmatch(licence.strip().lower()):
        return {"license": licence.strip().lower()}
    return {"license": "other", "license_name": licence.strip()}


def _facts(about: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Rows of the card's first table."""
    licence = ("licence", about.get("licence") or NOT_STATED)
    source = ("licence and source of the data", about.get("source", "not stated"))
    if "step" not in about:
        return [licence, source, ("training", about.get("notes", "not noted"))]
    versions = ", ".join(f"{key} {value}" for key, value in about.get("versions", {}).items())
    return [
        licence,
        ("training data", f"{about.get('data', 'not noted')}: {about.get('crystals_used', '?')} crystals"),
        ("held-out data", about.get("val", "not noted")),
        source,
        ("recipe", about.get("recipe", "not noted")),
        ("command", f"`{about.get('command', 'not noted')}`"),
        ("commit", about.get("commit", "not noted")),
        ("seed", about.get("seed", "not noted")),
        ("training", _training(about)),
        ("machine", about.get("machine", "not noted")),
        ("versions", versions or "not noted"),
        ("notes", about.get("notes", "none")),
    ]


def _training(about: Mapping[str, Any]) -> str:
    """How long, in one line."""
    if not about["step"]:
        return "none: this codec has no weights"
    return f"{about.get('seconds', 0) / 60:.0f} min, {about['step']} steps, {about.get('crystals', '?')} crystals seen"


def checkout() -> Path | None:
    """Return the root of the repository that this code runs from; None where the package is installed."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "pyproject.toml").is_file() and (root / "src" / "xtalcodec").is_dir() else None


@cache
def commit() -> str:
    """Commit of the code that runs, where it runs from a checkout; the release's number otherwise."""
    root = checkout()
    if root is None:
        return f"release {__version__}"
    run = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],  # noqa: S607
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout.strip() or f"release {__version__}"


def machine() -> str:
    """The machine in one line."""
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} × {torch.cuda.get_device_name()}"
    return f"{os.cpu_count()} CPU cores ({platform.machine()})"
