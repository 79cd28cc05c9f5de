"""The command line: every verb is a thin function over the library, which it imports when it runs."""

from typing import Annotated

import typer

from xtalcodec.cli.app import app as serve_app
from xtalcodec.cli.coding import decode, encode
from xtalcodec.cli.completing import complete
from xtalcodec.cli.data import data_app
from xtalcodec.cli.duplicates import duplicates
from xtalcodec.cli.embedding import index, similar
from xtalcodec.cli.evaluate_samples import evaluate_samples
from xtalcodec.cli.figures import figures
from xtalcodec.cli.generation import generate
from xtalcodec.cli.heads import predict, train_head
from xtalcodec.cli.hull import hull
from xtalcodec.cli.latent_space import alter, interpolate
from xtalcodec.cli.map import draw_map
from xtalcodec.cli.reconstruction import evaluate, reconstruct
from xtalcodec.cli.sampling import sample
from xtalcodec.cli.training import info, train, train_embedding, train_prior

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> bool:
    """Print the version, and end, if that is asked for."""
    if asked:
        from xtalcodec import __version__

        typer.echo(__version__)
        raise typer.Exit
    return asked


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Encode crystal structures into latent vectors and decode them back."""


for verb in (reconstruct, encode, decode, evaluate, train, info, generate, interpolate, sample, alter, figures):
    app.command()(verb)
app.command()(evaluate_samples)
app.command()(hull)
app.command()(train_prior)
app.command()(complete)
app.command()(similar)
app.command()(index)
app.command()(duplicates)
app.command(name="map")(draw_map)
app.command()(train_embedding)
app.command()(predict)
app.command()(train_head)
app.command(name="app")(serve_app)
app.add_typer(data_app, name="data")


def main() -> None:
    """Run the command line."""
    app(prog_name="xtalcodec")
