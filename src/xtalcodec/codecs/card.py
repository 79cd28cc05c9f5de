"""The model card of a codec: how it was trained, what it scores, under what licence it is."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard

from xtalcodec.codecs.facts import CardError, facts_table, licence_data, page, read
from xtalcodec.io.atomic import atomic_folder, settle
from xtalcodec.io.markdown import cell

CARD, TRAINING, SCORES = "README.md", "training.json", "scores.json"
"""Files of a codec's folder: the card, and what it is made from."""

PAPERS = (CARD, TRAINING, SCORES)
"""What a codec that is saved again takes along."""

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
        *("", *facts_table(training), ""),
    ]
    if scores:
        lines += ["Held-out scores (`xtalcodec evaluate`; failures count as unmatched, RMSE is over the matched):", ""]
        lines += _window_scores(scores) if any("fit" in row for row in scores.values()) else _scores(scores)
    else:
        lines += ["Held-out scores: none are noted; `xtalcodec evaluate … --card` notes them."]
    return page(name, lines, training.get("licence"), results=_results(scores))


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
            setattr(card.data, key, licence_data(licence).get(key))
        return str(card)
    except (ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise CardError(f"{path}: its metadata cannot be read: {error}") from error


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


def _scores(scores: Mapping[str, Any]) -> list[str]:
    """The card's second table."""
    lines = ["| data | crystals | matched | RMSE | RMSE (Å) | composition | numbers per crystal |", "|---" * 7 + "|"]
    for data, row in scores.items():
        rmse, angstrom = (_number(row[key], ".4f") for key in ("rmse", "rmse_angstrom"))
        rates = f"{_share(row, 'match_rate')} | {rmse} | {angstrom} | {_share(row, 'composition_rate')}"
        lines.append(f"| {cell(data)} | {row['n']} | {rates} | {_number(row['code_length'], '.0f')} |")
    return lines


def _window_scores(scores: Mapping[str, Any]) -> list[str]:
    """The card's second table for windows: the paper's measures."""
    heads = ["data", "crystals, fitting", "right number of atoms", "right species", "distance 50 / 90 / 95 % (Å)"]
    heads += ["matched, of all", "RMSE", "latents refined", "numbers per crystal"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for data, row in scores.items():
        distance = " / ".join(_number(row["true_to_decoded_percentiles"].get(q), ".3g") for q in ("50", "90", "95"))
        cells = [
            cell(data),
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
