"""`train` and `info`: making codecs, and what is known of them."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from xtalcodec.cli.options import Where, shown
from xtalcodec.cli.running import clear_errors, finish, load_crystals, names_of, tell


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            help="A recipe that ships with the package (mp, perov-5, mp-unit-cell, hoffmann-narrow …) or a YAML file."
        ),
    ],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Settings over the recipe's: optimiser.steps=5000 …")
    ] = None,
    data: Annotated[list[str], typer.Option("--data", help="Crystals to learn from; may be repeated.")] = ...,  # type: ignore[assignment]
    val: Annotated[list[str], typer.Option("--val", help="Held-out crystals; may be repeated.")] = ...,  # type: ignore[assignment]
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, logs and the codec.")] = ...,  # type: ignore[assignment]
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")] = False,
    minutes: Annotated[
        float | None, typer.Option(help="End the schedule after this time instead of the recipe's steps.")
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Learn from the painted views of this store of `xtalcodec generate` (hoffmann recipes)."),
    ] = None,
    device: Annotated[Where, typer.Option(help="Where to train.")] = Where.auto,
    licence: Annotated[
        str | None, typer.Option(help="Licence of the codec, for its card: cc-by-4.0, mit … Unknown if not given.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Where the data is from and under what licence, for the card.")
    ] = None,
) -> None:
    """Train a codec. Under torchrun, on every process that it starts.

    Example: xtalcodec train mp --data mp_train.parquet --val mp_val.parquet --out runs/mp --minutes 60
    """
    with clear_errors():
        from xtalcodec.training import recipe as recipes
        from xtalcodec.training.loop import train as run

        settings = recipes.load(recipe, overrides or [], lambda note: typer.echo(f"note: {note}", err=True))
        crystals, unusable = load_crystals(data, 10**6, None)
        held_out, more = load_crystals(val, 10**6, None)
        if not crystals or not held_out:
            tell(unusable + more)
            raise ValueError("no crystal to train on" if not crystals else "no held-out crystal")
        facts = {"data": names_of(data), "val": names_of(val)}
        facts["recipe"] = " ".join(shown(word) for word in [recipe, *(overrides or [])])
        facts |= {key: text for key, text in (("licence", licence), ("source", source)) if text}
        facts["command"] = shlex.join(["xtalcodec", *(shown(word) for word in sys.argv[1:])])
        run(
            settings,
            crystals,
            held_out,
            out,
            resume=resume,
            minutes=minutes,
            device=device.value,
            facts=facts,
            store=store,
        )
        typer.echo(f"the codec is in {out}: xtalcodec evaluate … --codec {out}")
    finish(unusable + more)


def train_prior(
    recipe: Annotated[str, typer.Argument(help="A recipe that ships (mp, perov-5, carbon-24) or a YAML file.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Settings over the recipe's: codec=runs/mp flow.layers=6 …")
    ] = None,
    data: Annotated[list[str], typer.Option("--data", help="Crystals to learn from; may be repeated.")] = ...,  # type: ignore[assignment]
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, logs and the priors.")] = ...,  # type: ignore[assignment]
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")] = False,
    minutes: Annotated[
        float | None, typer.Option(help="End the schedule after this time instead of the recipe's steps.")
    ] = None,
    device: Annotated[Where, typer.Option(help="Where to train.")] = Where.auto,
    licence: Annotated[str | None, typer.Option(help="Licence of the prior, for its card.")] = None,
    source: Annotated[
        str | None, typer.Option(help="Where the data is from and under what licence, for the card.")
    ] = None,
) -> None:
    """Train a prior that makes crystals: what a cell holds, its shape, and the codec's latents. Under torchrun too.

    Samples are drawn and judged now and then; OUT/best holds the prior of which most were valid, unique, novel, sure
    and as planned.

    Example: xtalcodec train-prior perov-5 --data perov_5_train.parquet --out runs/perov-5 --minutes 60
    """
    with clear_errors():
        from xtalcodec.training.prior import train_prior as run
        from xtalcodec.training.prior_recipe import load

        settings = load(recipe, overrides or [])
        crystals, unusable = load_crystals(data, 10**6, None)
        if not crystals:
            tell(unusable)
            raise ValueError("no crystal to train on")
        facts = {"data": names_of(data), "recipe": " ".join(shown(word) for word in [recipe, *(overrides or [])])}
        facts |= {key: text for key, text in (("licence", licence), ("source", source)) if text}
        facts["command"] = shlex.join(["xtalcodec", *(shown(word) for word in sys.argv[1:])])
        run(settings, crystals, out, resume=resume, minutes=minutes, device=device.value, facts=facts)
        typer.echo(f"the priors are in {out}: xtalcodec sample {out / 'best'} …")
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
