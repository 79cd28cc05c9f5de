"""The card of a prior: of which codec it is, how it was trained, how good its samples are, how it is used."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xtalcodec.codecs import facts
from xtalcodec.codecs.card import CARD, TRAINING
from xtalcodec.geometry.elements import symbol
from xtalcodec.io.atomic import atomic_folder, settle
from xtalcodec.priors.about import ABOUT

TAGS = ["materials", "crystal", "generative"]

SCORES = {
    "good": "valid, unique, novel, as planned and sure (confidence of 0.5 and more)",
    "valid_unique_novel": "valid, unique and novel",
    "as_planned": "hold just the atoms that their cell was to hold",
    "valid": "valid",
    "novel": "novel",
    "confidence": "confidence, on average",
}
"""What training asks of samples, in words."""


def make(folder_name: str, about: Mapping[str, Any], training: Mapping[str, Any]) -> str:
    """Return a card in the form of the Hugging Face hub.

    Parameters
    ----------
    folder_name
        What the prior is called where no recipe is noted.
    about
        What it belongs to: `prior.json`.
    training
        How it was trained, from `codecs.facts.provenance`.
    """
    name = Path(str(training.get("recipe") or folder_name).split()[0]).stem
    added = "Li2" if 3 in about["elements"] else f"{symbol(min(about['elements']))}2"
    lines = [
        *(f"# {name}", ""),
        "A prior of xtalcodec, which makes crystals: a distribution of latents of the codec",
        f"`{about['codec']}`, the only one that decodes them. It was learnt from {about['crystals']} crystals",
        f"{_limits(about)}.",
        *("", *facts.facts_table(training, held_out=False), ""),
        *_samples(training.get("samples") or {}),
        *("", "```sh", f"xtalcodec sample {name} -n 100 --out samples"),
        *(f"xtalcodec complete host.cif --prior {name} --add {added} -n 20 --out filled", "```"),
    ]
    return facts.page(name, lines, training.get("licence"), tags=TAGS)


def renew(folder: str | Path) -> None:
    """Write the card of a prior anew, from the files beside it.

    Raises
    ------
    CardError
        A file that cannot be read, as in a folder without a prior, or one whose training is not noted.
    """
    folder = Path(folder)
    settle(folder)
    text = make(folder.resolve().name, facts.read(folder / ABOUT), facts.read(folder / TRAINING))
    with atomic_folder(folder) as temporary:
        (temporary / CARD).write_text(text)


def papers(folder: str | Path, about: Mapping[str, Any], training: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the files that tell how a prior was trained, by their names; none where that is not known.

    Parameters
    ----------
    folder
        Where they go: its name is the prior's where no recipe is noted.
    about, training
        As in `make`.
    """
    if not training:
        return {}
    text = make(Path(folder).resolve().name, about, training)
    return {CARD: text, TRAINING: json.dumps(training, indent=2) + "\n"}


def _limits(about: Mapping[str, Any]) -> str:
    """What its crystals may be."""
    config = about["config"]
    asked = ", ".join(["elements, composition, sites, symmetry", *config["properties"]])
    return (
        f"of {len(about['elements'])} elements, with up to {config['most_sites']} sites of up to "
        f"{config['most_elements']} elements in a cell. It can be asked for {asked}"
    )


def _samples(scores: Mapping[str, float]) -> list[str]:
    """The card's second table: scores of samples that training drew."""
    known = [(text, scores[key]) for key, text in SCORES.items() if key in scores]
    if not known:
        return ["Scores of samples: none are noted; `xtalcodec evaluate-samples` judges them."]
    rows = (f"| {text} | {100 * value:.1f} % |" for text, value in known)
    title = "Samples that training drew, judged by the rules of `xtalcodec evaluate-samples`, shares of all:"
    return [title, "", "| samples | share |", "|---|---|", *rows]
