"""`train`, `train-prior`, `train-embedding`: making what ships; `info`: what is known of it."""

from pathlib import Path
from typing import Annotated

import typer

from xtalcodec.cli.running import clear_errors, finish, progress_bars
from xtalcodec.cli.training_options import (
    Data,
    Licence,
    Minutes,
    Out,
    Overrides,
    Resume,
    Source,
    TrainOn,
    Val,
    crystals_of,
    facts_of,
)


def train(
    recipe: Annotated[
        str,
        typer.Argument(help="A recipe that ships with the package (mp, perov-5, hoffmann-unit-cell …) or a YAML file."),
    ],
    overrides: Overrides = None,
    data: Data = ...,  # type: ignore[assignment]
    val: Val = ...,  # type: ignore[assignment]
    out: Out = ...,  # type: ignore[assignment]
    resume: Resume = False,
    minutes: Minutes = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Learn from the painted views of this store of `xtalcodec generate` (hoffmann recipes)."),
    ] = None,
    device: Annotated[TrainOn, typer.Option(help="Where to train.")] = TrainOn.auto,
    licence: Licence = None,
    source: Source = None,
) -> None:
    """Train a codec. Under torchrun, on every process that it starts.

    Example: xtalcodec train mp --data mp_train.parquet --val mp_val.parquet --out runs/mp --minutes 60
    """
    with clear_errors():
        from xtalcodec.training import recipe as recipes
        from xtalcodec.training.loop import train as run

        settings = recipes.load(recipe, overrides or [], lambda note: typer.echo(f"note: {note}", err=True))
        crystals, held_out, unusable = crystals_of(data, val)
        facts = facts_of(recipe, overrides, data, val, licence, source)
        where = device.value
        run(settings, crystals, held_out, out, resume=resume, minutes=minutes, device=where, facts=facts, store=store)
        typer.echo(f"the codec is in {out}: xtalcodec evaluate … --codec {out}")
    finish(unusable)


def train_prior(
    recipe: Annotated[str, typer.Argument(help="A recipe that ships (mp, perov-5, carbon-24) or a YAML file.")],
    overrides: Overrides = None,
    data: Data = ...,  # type: ignore[assignment]
    val: Annotated[
        list[str] | None,
        typer.Option(help="Held-out crystals, whose losses are shown at every checkpoint; may be repeated."),
    ] = None,
    out: Out = ...,  # type: ignore[assignment]
    resume: Resume = False,
    minutes: Minutes = None,
    device: Annotated[TrainOn, typer.Option(help="Where to train.")] = TrainOn.auto,
    licence: Licence = None,
    source: Source = None,
) -> None:
    """Train a prior that makes crystals: what a cell holds, its shape, and the codec's latents. Under torchrun too.

    Samples are drawn and judged now and then; OUT/best holds the prior of which most were valid, unique, novel, sure
    and as planned.

    Example: xtalcodec train-prior perov-5 --data perov_5_train.parquet --out runs/perov-5 --minutes 60
    """
    with clear_errors():
        from xtalcodec.training.prior import BEST, LAST
        from xtalcodec.training.prior import train_prior as run
        from xtalcodec.training.prior_recipe import load

        settings = load(recipe, overrides or [])
        crystals, held_out, unusable = crystals_of(data, val)
        facts = facts_of(recipe, overrides, data, val, licence, source)
        where = device.value
        run(settings, crystals, out, held_out=held_out, resume=resume, minutes=minutes, device=where, facts=facts)
        judged = (out / BEST).exists()  # with sample=0 none is
        typer.echo(f"the priors are in {out}: xtalcodec sample {out / (BEST if judged else LAST)} …")
    finish(unusable)


def train_embedding(
    recipe: Annotated[str, typer.Argument(help="A recipe that ships (mp) or a YAML file.")],
    overrides: Overrides = None,
    data: Data = ...,  # type: ignore[assignment]
    val: Val = ...,  # type: ignore[assignment]
    out: Out = ...,  # type: ignore[assignment]
    resume: Resume = False,
    licence: Licence = None,
    source: Source = None,
) -> None:
    """Train what makes one vector of a crystal, which `index` and `similar` compare. Takes minutes.

    A codec finds it as `embedding` in its own folder.

    Example: xtalcodec train-embedding mp codec=runs/mp --data t.parquet --val v.parquet --out runs/mp/embedding
    """
    with clear_errors():
        from xtalcodec.training.embedding import train_embedding as run
        from xtalcodec.training.embedding_recipe import load

        settings = load(recipe, overrides or [])
        crystals, held_out, unusable = crystals_of(data, val)
        facts = facts_of(recipe, overrides, data, val, licence, source)
        with progress_bars() as bar:
            run(settings, crystals, held_out, out, resume=resume, facts=facts, progress=bar)
        typer.echo(f"the embedding is in {out}")
    finish(unusable)


def info(
    name: Annotated[
        str | None, typer.Argument(help="A codec, or a prior; without one, those that ship are listed.")
    ] = None,
    prior: Annotated[bool, typer.Option("--prior", help="The name is a prior's.")] = False,
) -> None:
    """Show the model card of a codec or a prior, or list those that ship.

    Example: xtalcodec info mp

    Of a prior: xtalcodec info perov-5 --prior
    """
    from xtalcodec import priors
    from xtalcodec.codecs import hub

    with clear_errors():
        if name is None:
            _list_shipped()
            return
        folder = priors.folder_of(name) if prior else hub.folder_of(name)
        if folder is None or not (folder / hub.CARD).is_file():
            raise FileNotFoundError(f"{name} has no model card on this machine")
        typer.echo((folder / hub.CARD).read_text())


def _list_shipped() -> None:
    """A line for every codec and prior that ships."""
    from xtalcodec.codecs.base import Codec
    from xtalcodec.codecs.hub import pretrained
    from xtalcodec.priors import open_prior, shipped

    for name in pretrained():
        model = Codec.from_pretrained(name)
        count = sum(p.numel() for p in model.network.parameters())
        typer.echo(f"{name:18} {model.identity}  {count / 1e6:.2f} M weights, {len(model.config.elements)} elements")
    typer.echo("xtalcodec info NAME shows a codec's model card")
    for name in shipped():
        found = open_prior(name)
        typer.echo(f"{name:18} prior of {found.codec}: {found.description}")
    typer.echo("xtalcodec info NAME --prior shows a prior's card" if shipped() else "no prior ships with this package")
