"""`app`: the page in the browser."""

from pathlib import Path
from typing import Annotated

import typer

from xtalcodec.cli.options import CodecName
from xtalcodec.cli.running import clear_errors


def app(
    codec: CodecName = "mp",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8050,
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on; only this machine if not given. With it, a token is asked for."),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(help="What samples are drawn from: a prior that ships, or its folder; or latents of `encode`."),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that compute.", min=1)] = 1,
) -> None:
    """Show crystals, paths, alterations, completions and samples in the browser, until interrupted.

    Example: xtalcodec app --codec mp --port 8050
    """
    with clear_errors():
        from xtalcodec.app.server import serve
        from xtalcodec.codecs.hub import fetch
        from xtalcodec.priors import folder_of

        fetch(codec)  # a name that is none is told now
        source = prior if prior is None or Path(prior).is_file() else str(folder_of(prior))
        serve(codec, port, host, source, workers)
