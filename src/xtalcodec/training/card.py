"""The model card: written by training, scores added by `evaluate --card`."""

import json
import os
import platform
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from xtalcodec import __version__
from xtalcodec.codecs.base import CARD
from xtalcodec.io.atomic import atomic
from xtalcodec.training.progress import Progress
from xtalcodec.training.recipe import Recipe

TRAINING, SCORES = "training.json", "scores.json"
"""Files of a codec's folder that the card is made from."""


def note_training(folder: Path, progress: Progress, settings: Recipe, **facts: Any) -> None:
    """Write down how a codec was trained, and make its card afresh: its old scores are another's."""
    about = {
        **facts,
        "seed": settings.seed,
        **asdict(progress),
        "commit": commit(),
        "machine": machine(),
        "versions": {"xtalcodec": __version__, "torch": torch.__version__},
    }
    (folder / SCORES).unlink(missing_ok=True)
    _write(folder / TRAINING, json.dumps(about, indent=2) + "\n")
    write_card(folder)


def note_scores(folder: Path, data: str, scores: dict[str, Any]) -> None:
    """Add held-out scores to a codec's card, in place of older ones on the same data."""
    old = json.loads((folder / SCORES).read_text()) if (folder / SCORES).is_file() else {}
    _write(folder / SCORES, json.dumps({**old, data: scores}, indent=2) + "\n")
    write_card(folder)


def write_card(folder: Path) -> None:
    """Make the card from what is known of training and scores."""
    about = json.loads((folder / TRAINING).read_text())
    scores = json.loads((folder / SCORES).read_text()) if (folder / SCORES).is_file() else {}
    config = json.loads((folder / "config.json").read_text())
    parts = (("network", "patch"), ("representation", "periodic"))
    network, space = (config[part].get("kind", usual) for part, usual in parts)
    lines = [
        *("---", "library_name: xtalcodec", "license: cc-by-4.0", "tags: [materials, crystal, autoencoder]", "---", ""),
        *(f"# {config['name']}", ""),
        f"A codec of xtalcodec: crystal structures to latent vectors and back (`{network}` network, `{space}` fields).",
        *("", "| | |", "|---|---|"),
        *(f"| {key} | {value} |" for key, value in _facts(about)),
        *(
            "",
            "Held-out scores (`xtalcodec evaluate`; failures count as unmatched, RMSE is over the matched):",
            "",
        ),
        *(_scores(scores) if space == "periodic" else _window_scores(scores)),
    ]
    _write(folder / CARD, "\n".join(lines) + "\n")


def _facts(about: dict[str, Any]) -> list[tuple[str, str]]:
    """Rows of the card's first table."""
    versions = ", ".join(f"{key} {value}" for key, value in about["versions"].items())
    return [
        ("training data", f"{about.get('data', 'not noted')}: {about['crystals_used']} crystals"),
        ("held-out data", str(about.get("val", "not noted"))),
        ("licence and source of the data", str(about.get("licence", "that of the data"))),
        ("recipe", str(about.get("recipe", "not noted"))),
        ("command", f"`{about.get('command', 'not noted')}`"),
        ("commit", str(about["commit"])),
        ("seed", str(about["seed"])),
        ("training", _training(about)),
        ("machine", str(about["machine"])),
        ("versions", versions),
        ("notes", str(about.get("notes", "none"))),
    ]


def _training(about: dict[str, Any]) -> str:
    """How long, in one line."""
    if not about["step"]:
        return "none: this codec has no weights"
    return f"{about['seconds'] / 60:.0f} min, {about['step']} steps, {about['crystals']} crystals seen"


def _scores(scores: dict[str, Any]) -> list[str]:
    """The card's second table."""
    lines = ["| data | crystals | matched | RMSE | RMSE (Å) | composition | numbers per crystal |", "|---" * 7 + "|"]
    for data, row in scores.items():
        rmse, angstrom = (("–" if row[key] is None else f"{row[key]:.4f}") for key in ("rmse", "rmse_angstrom"))
        rates = f"{_share(row, 'match_rate')} | {rmse} | {angstrom} | {_share(row, 'composition_rate')}"
        lines.append(f"| {data} | {row['n']} | {rates} | {row['code_length']:.0f} |")
    return lines


def _window_scores(scores: dict[str, Any]) -> list[str]:
    """The card's second table for windows: the paper's measures."""
    heads = ["data", "crystals, fitting", "right number of atoms", "right species", "distance 50 / 90 / 95 % (Å)"]
    heads += ["matched, of all", "RMSE", "latents refined", "numbers per crystal"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for data, row in scores.items():
        distance = " / ".join(f"{row['true_to_decoded_percentiles'][q]:.3g}" for q in ("50", "90", "95"))
        cells = [
            data,
            f"{row['n']}, {row['fit']}",
            _share(row, "count_per_window"),
            _share(row, "species_per_atom"),
            distance,
        ]
        cells += [_share(row, "match_rate"), "–" if row["rmse"] is None else f"{row['rmse']:.4f}"]
        cells += ["yes" if row["refined"] else "no", f"{row['code_length']:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _share(row: dict[str, Any], name: str) -> str:
    """A rate in per cent."""
    return f"{100 * row[name]:.2f} %"


def commit() -> str:
    """Commit of the code that runs, where it runs from a checkout; the release's number otherwise."""
    here = Path(__file__).parent
    run = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],  # noqa: S607
        cwd=here,
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


def _write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text)
