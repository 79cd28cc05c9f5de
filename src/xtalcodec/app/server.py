"""The server: NiceGUI's pages behind a guard, workers behind a queue."""

import secrets
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles
from nicegui import ui

from xtalcodec.app.controls import ASSETS
from xtalcodec.app.desk import DROPS, LEAVING, Settings
from xtalcodec.app.guard import Guard
from xtalcodec.app.jobs import Workers
from xtalcodec.app.offers import offers
from xtalcodec.app.pages import alter, between, complete, mapping, reconstruct, sample
from xtalcodec.app.pages.crystal_choice import names
from xtalcodec.app.uploads import LARGEST

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def build(settings: Settings, hosts: tuple[str, ...] | None, token: str | None) -> Guard:
    """Make the application.

    Parameters
    ----------
    settings
        What whoever starts it says.
    hosts
        Names that it is asked by; None for any.
    token
        That it asks for; None for none.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        settings.workers.start()
        yield
        await settings.workers.stop()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/assets", StaticFiles(directory=ASSETS))
    app.mount("/scene", StaticFiles(directory=Path(str(files("xtalcodec.viz.pages")))))

    @app.post("/upload/{key}")
    async def upload(key: str, request: Request) -> PlainTextResponse:
        place = DROPS.get(key)
        if place is None:
            return PlainTextResponse("This page is not open any more: load it again.", 404)
        try:
            place.add(await request.body(), unquote(request.headers.get("x-name", ""))[:300])
        except ValueError as error:
            return PlainTextResponse(str(error), 413)
        return PlainTextResponse("taken")

    @app.post("/upload/{key}/end")
    async def uploaded(key: str) -> PlainTextResponse:
        if key in DROPS:
            DROPS[key].end()
        return PlainTextResponse("all there")

    @app.post("/left/{key}")
    async def left(key: str) -> PlainTextResponse:
        LEAVING.get(key, lambda: None)()
        return PlainTextResponse("good-bye")

    _pages(settings)
    ui.run_with(
        app,
        title="xtalcodec",
        favicon=Path(str(files("xtalcodec.app").joinpath("assets/favicon.svg"))),
        language="en-US",
        dark=None,
        tailwind=False,
        reconnect_timeout=20.0,  # a busy browser answers late; one that is closed has its work ended after so many s
        show_welcome_message=False,
    )
    return Guard(app, hosts, token, LARGEST)


def _pages(settings: Settings) -> None:
    """Say which address shows what, and with which words of a link."""

    @ui.page("/")
    async def _reconstruct(crystal: str | None = None) -> None:
        await reconstruct.show(settings, crystal)

    @ui.page("/between")
    async def _between(request: Request, crystal: str | None = None, to: str | None = None) -> None:
        await between.show(settings, crystal, to, dict(request.query_params))

    @ui.page("/alter")
    async def _alter(request: Request, crystal: str | None = None) -> None:
        await alter.show(settings, crystal, dict(request.query_params))

    @ui.page("/complete")
    async def _complete(request: Request, crystal: str | None = None) -> None:
        await complete.show(settings, crystal, dict(request.query_params))

    @ui.page("/sample")
    async def _sample(request: Request) -> None:
        await sample.show(settings, dict(request.query_params))

    @ui.page("/map")
    async def _map(request: Request) -> None:
        await mapping.show(settings, dict(request.query_params))


def serve(codec: str, port: int, host: str | None = None, prior: str | None = None, workers: int = 1) -> None:
    """Serve the pages until interrupted.

    Parameters
    ----------
    codec
        Its name or folder.
    port
        To listen on.
    host
        Address to listen on; this machine alone if not given. With one, a token is asked for: it is in the address
        that is printed.
    prior
        A file of latents, or a folder or a name of a prior, to draw from.
    workers
        Processes that compute.
    """
    token = None if host is None else secrets.token_urlsafe(18)
    settings = Settings(codec, Workers(codec, workers), offers(codec, prior))
    guard = build(settings, LOOPBACK if host is None else None, token)
    # NiceGUI looks for its server among all objects there are, torch's old names too, which warn when looked at.
    warnings.filterwarnings("ignore", message="`torch.distributed.reduce_op`", category=FutureWarning)
    names()  # the first page need not wait for them
    shown = "localhost" if host is None else host
    print(f"xtalcodec is at http://{shown}:{port}/{f'?token={token}' if token else ''}", flush=True)  # noqa: T201
    uvicorn.run(guard, host=host or "127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=3)
