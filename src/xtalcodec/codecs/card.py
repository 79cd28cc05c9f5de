"""The model card of a codec: how it was trained, what it scores, under what licence it is."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from xtalcodec import __version__
from xtalcodec.io.atomic import atomic_folder, settle

CARD, TRAINING, SCORES = "README.md", "training.json", "scores.json"
"""Files of a codec's folder: the card, and what it is made from."""

PAPERS = (CARD, TRAINING, SCORES)
"""What a codec that is saved again takes along."""

TAGS = ["materials", "crystal", "autoencoder"]

NOT_STATED = "unknown: whoever trained this codec did not say"
"""A licence is what the user says; nothing is claimed otherwise."""

LICENCES = re.compile(
    r"(cc0-1\.0|cc-by(-nc)?(-sa|-nd)?-[234]\.[05]|mit|apache-2\.0|bsd(-[23]-clause)?|unlicense|mpl-2\.0"
    r"|[al]?gpl(-[23]\.[01])?|odbl|odc-by|pddl|cdla-(permissive-[12]|sharing-1)\.0|isc|unknown|other)"
)
"""Names of licences that the Hugging Face hub knows."""

METRICS = {
    "match_rate": "Match rate",
    "rmse": "RMS displacement of the matched, normalised by (V/N)^(1/3)",
    "rmse_angstrom": "RMS displacement of the matched (Å)",
    "count_rate": "Right number of sites",
    "count_per_window": "Windows with the right number of atoms",
    "species_per_atom": "Atoms of the right species",
    "composition_rate": "Right composition",
}
"""Scores that stand in the card's metadata."""


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


def note_scores(folder: Path, data: str, scores: Mapping[str, Any]) -> None:
    """Add held-out scores to the card of a codec in a folder, in place of older ones on the same data.

    Parameters
    ----------
    folder
        A codec's folder, as `hub.writable` gives it.
    data
        Name of the set of crystals.
    scores
        Scores that `evaluate` measured.

    Raises
    ------
    CardError
        A file of the folder that cannot be read.
    """
    settle(folder)
    config = read(folder / "config.json")
    training = read(folder / TRAINING) if (folder / TRAINING).is_file() else {}
    old = read(folder / SCORES) if (folder / SCORES).is_file() else {}
    new = {name: _of_today(row) for name, row in old.items()} | {data: dict(scores)}
    with atomic_folder(folder) as temporary:
        (temporary / SCORES).write_text(json.dumps(new, indent=2) + "\n")
        (temporary / CARD).write_text(make(config, training, new))


def _of_today(row: Mapping[str, Any]) -> dict[str, Any]:
    """Scores by the names of this release, as 0.1 had others."""
    names = {"latent_numbers_per_crystal": "code_length"}
    if "fit" in row:
        names |= {"count_rate": "count_per_window", "species_rate": "species_per_atom"}
        names |= {"all_species_rate": "species_per_window"}
    return {names.get(key, key): value for key, value in row.items()}


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


def make(config: Mapping[str, Any], training: Mapping[str, Any], scores: Mapping[str, Any]) -> str:
    """Return a card in the form of the Hugging Face hub.

    Parameters
    ----------
    config
        The codec's settings.
    training
        How it was trained, from `provenance`; empty where that is not known.
    scores
        Data → scores on it.
    """
    groups = {"representation": config.get("space"), **config}
    network = (groups.get("network") or {}).get("kind", "patch")
    space = (groups.get("representation") or {}).get("kind", "periodic")
    name = str(config.get("name", "unnamed"))
    lines = [
        *(f"# {name}", ""),
        f"A codec of xtalcodec: crystal structures to latent vectors and back (`{network}` network, `{space}` fields).",
        *("", "| | |", "|---|---|"),
        *(f"| {key} | {_cell(value)} |" for key, value in _facts(training)),
        "",
    ]
    if scores:
        lines += ["Held-out scores (`xtalcodec evaluate`; failures count as unmatched, RMSE is over the matched):", ""]
        lines += _window_scores(scores) if any("fit" in row for row in scores.values()) else _scores(scores)
    else:
        lines += ["Held-out scores: none are noted; `xtalcodec evaluate … --card` notes them."]
    data = ModelCardData(
        library_name="xtalcodec",
        tags=list(TAGS),
        model_name=name,
        eval_results=_results(scores) or None,
        **_licence(training.get("licence")),
    )
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n".join(lines) + "\n"))


def relicensed(path: Path, text: str, licence: str) -> str:
    """Return a card with another licence in its metadata, its words untouched.

    Parameters
    ----------
    path
        File of the card, for messages.
    text
        Text of the card.
    licence
        Licence that the user names.

    Raises
    ------
    CardError
        Metadata that cannot be read.
    """
    import yaml

    try:
        card = ModelCard(text)
        for key in ("license", "license_name", "license_link"):
            setattr(card.data, key, _licence(licence).get(key))
        return str(card)
    except (ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise CardError(f"{path}: its metadata cannot be read: {error}") from error


def _licence(licence: str | None) -> dict[str, Any]:
    """The card's metadata for what the user says."""
    if not licence:
        return {"license": "other", "license_name": "unknown"}
    if LICENCES.fullmatch(licence.strip().lower()):
        return {"license": licence.strip().lower()}
    return {"license": "other", "license_name": licence.strip()}


def _results(scores: Mapping[str, Any]) -> list[EvalResult]:
    """Scores as the hub reads them."""
    return [
        EvalResult(
            task_type="other",
            task_name="crystal reconstruction",
            dataset_type=re.sub(r"[^a-z0-9]+", "-", data.lower()).strip("-"),
            dataset_name=data,
            metric_type=key,
            metric_name=METRICS[key],
            metric_value=row[key],
        )
        for data, row in scores.items()
        for key in METRICS
        if row.get(key) is not None
    ]


def _cell(value: Any) -> str:
    """A fact on one line of a table."""
    return " ".join(str(value).split()).replace("|", r"\|")


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


def _scores(scores: Mapping[str, Any]) -> list[str]:
    """The card's second table."""
    lines = ["| data | crystals | matched | RMSE | RMSE (Å) | composition | numbers per crystal |", "|---" * 7 + "|"]
    for data, row in scores.items():
        rmse, angstrom = (_number(row[key], ".4f") for key in ("rmse", "rmse_angstrom"))
        rates = f"{_share(row, 'match_rate')} | {rmse} | {angstrom} | {_share(row, 'composition_rate')}"
        lines.append(f"| {_cell(data)} | {row['n']} | {rates} | {_number(row['code_length'], '.0f')} |")
    return lines


def _window_scores(scores: Mapping[str, Any]) -> list[str]:
    """The card's second table for windows: the paper's measures."""
    heads = ["data", "crystals, fitting", "right number of atoms", "right species", "distance 50 / 90 / 95 % (Å)"]
    heads += ["matched, of all", "RMSE", "latents refined", "numbers per crystal"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for data, row in scores.items():
        distance = " / ".join(_number(row["true_to_decoded_percentiles"].get(q), ".3g") for q in ("50", "90", "95"))
        cells = [
            _cell(data),
            f"{row['n']}, {row['fit']}",
            _share(row, "count_per_window"),
            _share(row, "species_per_atom"),
        ]
        cells += [distance, _share(row, "match_rate"), _number(row["rmse"], ".4f")]
        cells += ["yes" if row["refined"] else "no", _number(row["code_length"], ".0f")]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _share(row: Mapping[str, Any], name: str) -> str:
    """A rate in per cent."""
    return "–" if row.get(name) is None else f"{100 * row[name]:.2f} %"


def _number(value: float | None, form: str) -> str:
    """A number, or a dash where no crystal gave one."""
    return "–" if value is None else format(value, form)


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
