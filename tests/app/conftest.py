"""One server and one browser for all tests of the page. A machine without Chromium skips them, and says so."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "build" / "app"
"""Where screenshots go, with `SHOTS=1 pytest tests/app`: look at them. No test asks for them."""
FLAGS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""Drawn by the processor, and asking nothing of the network."""
PATIENCE = 120_000
"""ms; a busy machine is no failure."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


PROCESS = {}
"""Address of each server → its process."""


@contextlib.contextmanager
def serving(*words):
    """A server as a user starts it; yields the address that it prints."""
    command = [sys.executable, "-m", "xtalcodec", "app", "--port", str(free_port()), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        line = process.stdout.readline()
        address = line.split()[-1].rstrip("/") if line.strip() else ""
        assert address.startswith("http://"), f"it printed {line!r}"
        for _ in range(300):
            host, port = address.split("/")[2].rsplit(":", 1)
            with (
                contextlib.suppress(OSError),
                socket.create_connection((host.replace("localhost", "127.0.0.1"), int(port))),
            ):
                break
            time.sleep(0.05)
        PROCESS[address] = process.pid
        yield address
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@pytest.fixture(scope="session")
def flow(mp, tmp_path_factory):
    """Folder of a small flow of the codec that ships, which has learnt nothing."""
    from xtalcodec.crystal import Crystal
    from xtalcodec.priors.flow.crystals import FlowCrystals
    from xtalcodec.priors.flow.prior import FlowPrior
    from xtalcodec.priors.flow.settings import FlowConfig

    sites = np.array([[0.1, 0, 0], [0.6, 0.5, 0.5], [0.6, 0.5, 0], [0.6, 0, 0.5], [0.1, 0.5, 0.5]])
    calcium, barium = (Crystal(4 * np.eye(3), sites, np.array([z, 22, 8, 8, 8])) for z in (20, 56))
    widths = {"width": 16, "cell_width": 16, "composition_width": 16, "heads": 2}
    layers = {"layers": 1, "cell_layers": 1, "composition_layers": 1}
    config = FlowConfig(**widths, **layers, most_sites=8, most_elements=4)
    folder = tmp_path_factory.mktemp("priors") / "titanates"
    FlowPrior.untrained(FlowCrystals(mp, [calcium, barium], config, 64), 0).save(folder)
    return folder


@pytest.fixture(scope="session")
def address(flow):
    pytest.importorskip("nicegui", reason="the extra app is not installed")
    with serving("--prior", str(flow)) as found:
        yield found


@pytest.fixture
def workers(address):
    """Tell the processes that compute for the server: those it has started, but for the one that watches them."""

    def ids():
        pid = PROCESS[address]
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        lines = {one: Path(f"/proc/{one}/cmdline").read_bytes() for one in found}
        return {one for one, line in lines.items() if b"spawn_main" in line}

    return ids


@pytest.fixture
def holding(workers):
    """Hold workers where they are, also those that come: what they are given stays under way, however fast they are."""

    def send(word):
        for one in workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(one), word)

    @contextlib.contextmanager
    def hold():
        over = threading.Event()

        def stop():
            while not over.wait(0.02):
                with contextlib.suppress(FileNotFoundError):  # a worker that ended while it was looked at
                    send(signal.SIGSTOP)

        thread = threading.Thread(target=stop)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            send(signal.SIGCONT)

    return hold


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as play:
        running = play.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def reader(browser, address):
    """Open a page as a reader of one's own would; what the browser complains of fails the test."""
    complaints, contexts = [], []

    def open_page(path="", width=1280, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.on("dialog", lambda dialog: complaints.append(f"a dialog: {dialog.message}"))
        page.on("request", lambda request: complaints.append(request.url) if not local(request.url, address) else None)
        page.goto(address + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def local(url, address):
    return url.startswith((address, address.replace("http:", "ws:"), "data:", "blob:"))


@pytest.fixture(scope="session")
def cifs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cifs")
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    for name, a in (("Sr", 3.905), ("Ba", 4.0)):
        Structure.from_spacegroup("Pm-3m", Lattice.cubic(a), [name, "Ti", "O"], sites).to(
            str(folder / f"{name}TiO3.cif")
        )
    (folder / "broken.cif").write_text("data_x\n_cell_length_a 4\n_cell_length_b what\n")
    shutil.copy(folder / "SrTiO3.cif", folder / "<img src=x onerror=alert(1)>.cif")
    return folder


@pytest.fixture(scope="session")
def shot():
    wanted = bool(os.environ.get("SHOTS"))
    if wanted:
        SHOTS.mkdir(parents=True, exist_ok=True)

    def take(page, name, **options):
        if not wanted:
            return
        page.evaluate("document.fonts.ready")
        page.wait_for_timeout(250)  # until the last picture is drawn
        page.screenshot(path=SHOTS / f"{name}.png", **options)

    return take
