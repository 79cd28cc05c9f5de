"""What `evaluate` says of window codecs: the paper's measures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from xtalcodec.cli.report import write_json
from xtalcodec.cli.running import finish, load_codec, load_crystals, progress_bar, tell
from xtalcodec.io.limits import evenly

if TYPE_CHECKING:
    from xtalcodec.parallel import Pool


def is_window(codec: str) -> bool:
    """Whether a codec's representation is a window."""
    return load_codec(codec, "cpu").window is not None


def evaluate_windows(
    data: Sequence[str],
    codec: str,
    device: str,
    max_sites: int,
    limit: int | None,
    seed: int,
    discriminator: bool,
    json: Path | None,
    *,
    refine: bool,
    from_density: bool,
    reader: str | None,
    pool: "Pool",
) -> tuple[dict[str, Any], int]:
    """Measure a window codec on crystals seen afresh, print the scores; return them, and how many inputs are lost."""
    import numpy as np

    from xtalcodec.evaluation.discriminator import FEWEST, discriminate
    from xtalcodec.evaluation.sampled import true_and_sampled
    from xtalcodec.evaluation.windows import measure, window_summary

    model = load_codec(codec, device)
    if reader is not None:
        model.find_by(reader)
    crystals, unusable = load_crystals(data, max_sites)
    crystals = evenly(crystals, limit)
    if not crystals:
        finish(unusable)
    with progress_bar("looking", len(crystals)) as advance:
        rows = measure(
            model,
            crystals,
            seed=seed,
            refine=refine,
            from_density=from_density,
            pool=pool,
            progress=advance,
        )
    settings: dict[str, Any] = {"seed": seed, "refined": refine and not from_density, "from_density": from_density}
    settings |= {"reader": reader} if reader else {}
    scores = {"codec": model.identity, **settings, **window_summary(rows)}
    fitting = [row for row in rows if row.fits]
    if discriminator and len(fitting) < FEWEST:
        typer.echo(f"note: --discriminator needs {FEWEST} crystals that fit, and {len(fitting)} do", err=True)
    elif discriminator:
        true, decoded = (
            np.stack([getattr(row, name) for row in fitting]).astype(np.float32)
            for name in ("true_density", "decoded_density")
        )
        with progress_bar("discriminating", 300) as advance:
            scores["discriminator_auc"] = discriminate(true, decoded, seed=seed, progress=advance)
            pairs = true_and_sampled(model, [row.reconstruction.original for row in fitting], seed=seed)
            scores["discriminator_auc_samples"] = discriminate(*pairs, seed=seed, progress=advance)
    scores["unusable"] = [{"name": u.name, "reason": u.reason} for u in unusable]
    _print(scores)
    write_json(json, scores)
    return scores, tell(unusable)


def _print(scores: dict[str, Any]) -> None:
    """Scores as text, the number of latent numbers beside them."""

    def share(name: str) -> str:
        return "–" if scores.get(name) is None else f"{100 * scores[name]:.2f} %"

    def distances(name: str, which: Sequence[str]) -> str:
        return "  ".join(f"{q} %: {scores[name][q]:.4g}" for q in which if q in scores[name])

    numbers = scores["code_length"] or 0
    typer.echo(f"codec {scores['codec']}, {numbers:.0f} numbers per crystal")
    typer.echo(f"crystals      {scores['n']}, of which {scores['fit']} fit the window")
    both = distances("true_to_decoded_percentiles", ("50", "80", "90", "95", "99"))
    back = distances("decoded_to_true_percentiles", ("50", "80", "90", "95", "99"))
    typer.echo(f"distance (Å)  true to decoded  {both}")
    typer.echo(f"              decoded to true  {back}")
    typer.echo(f"atoms         right number in {share('count_per_window')} of windows")
    typer.echo(
        f"species       right for {share('species_per_atom')} of atoms, all in {share('species_per_window')} of windows"
    )
    typer.echo(f"density       mean square error {distances('density_mse_percentiles', ('20', '50', '80'))} (e/Å³)²")
    rmse = "–" if scores["rmse"] is None else f"{scores['rmse']:.4f}"
    typer.echo(
        f"crystals back {share('match_rate')} of all, {share('match_rate_fitting')} of those that fit, rmse {rmse}"
    )
    if "short" in scores:
        typer.echo(
            f"from the atoms alone, lattice found in them: {share('match_rate_alone')} of those that fit, "
            f"{share('match_rate_alone_short')} of the {scores['short']} with cell edges of at most 6 Å"
        )
    for name, what in (("discriminator_auc", "decoded ones"), ("discriminator_auc_samples", "samples of the prior")):
        if scores.get(name) is not None:
            typer.echo(f"discriminator tells true densities from {what} with an AUC of {scores[name]:.3f}")
