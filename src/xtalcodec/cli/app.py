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
        Path | None, typer.Option(help="What samples are drawn from: latents of `encode`, or a folder of a prior.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that compute.", min=1)] = 1,
) -> None:
    """Show crystals, paths, alterations and samples in the browser, until interrupted.

    Example: xtalcodec app --codec mp --port 8050
    """
    with clear_errors():
        from xtalcodec.app.server import serve
        from xtalcodec.codecs.hub import fetch

        fetch(codec)  # a name that is none is told now
        if prior is not None and not prior.exists():
            raise FileNotFoundError(f"{prior}: there is no such file or folder")
        serve(codec, port, host, None if prior is None else str(prior), workers)
