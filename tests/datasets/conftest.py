"""Servers on this machine: the reference server of OPTIMADE, and recorded answers of the others."""

import json
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own for every test."""
    monkeypatch.setenv("XTALCODEC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def metals():
    """Five crystals, the last of four sites."""
    from xtalcodec.crystal import Crystal

    made = [Crystal.from_ase(bulk(symbol), symbol) for symbol in ("Cu", "Al", "Fe", "Mg")]
    return [*made, Crystal.from_ase(bulk("Ag", cubic=True), "Ag")]


@pytest.fixture
def serve():
    """Start servers on the loopback that answer by a function, and count what they are asked."""
    running = []

    def start(answer):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.asked[self.path] += 1
                status, headers, body = answer(self.path, self.headers)
                whole = headers.pop("Content-Length", str(len(body)))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": whole}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)
                self.close_connection = int(whole) != len(body)

            do_HEAD = do_GET  # noqa: N815 - the name that the server looks for

            def log_message(self, *_):
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.asked, server.url = Counter(), f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="session")
def optimade(tmp_path_factory):
    """The reference server with eight prototypes, a shared site and a crystal without positions; its folder."""
    pytest.importorskip("optimade.server")
    from xtalcodec.datasets import load

    folder = tmp_path_factory.mktemp("optimade")
    crystals = [c for c in load("aflow-prototypes")[0] if len(c) <= 6][:8]
    entries = [entry(crystal) for crystal in crystals]
    shared, nowhere = entry(crystals[0]), entry(crystals[1])
    shared["species"][0] |= {"chemical_symbols": ["Hg", "Cd"], "concentration": [0.75, 0.25]}
    shared["structure_features"] = ["disorder"]
    nowhere["cartesian_site_positions"] = None
    entries.insert(3, shared | {"id": "shared"})
    entries.insert(6, nowhere | {"id": "nowhere"})
    (folder / "crystals.json").write_text(json.dumps(entries))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, HERE / "optimade_server.py", folder], stdout=log, stderr=log)
    try:
        for _ in range(1200):
            if (folder / "port").exists() and (folder / "port").read_text():
                break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield folder
    finally:
        process.kill()
        process.wait()


def entry(crystal):
    """A crystal as OPTIMADE's specification has it."""
    symbols, counts = np.unique(crystal.symbols, return_counts=True)
    reduced = {s: int(n // np.gcd.reduce(counts)) for s, n in zip(symbols, counts, strict=True)}
    shares = sorted(reduced.values(), reverse=True)
    letters = "".join(a + (str(n) if n > 1 else "") for a, n in zip("ABCDE", shares, strict=False))
    return {
        "id": crystal.name,
        "elements": symbols.tolist(),
        "nelements": len(symbols),
        "elements_ratios": (counts / counts.sum()).tolist(),
        "chemical_formula_reduced": "".join(s + (str(n) if n > 1 else "") for s, n in reduced.items()),
        "chemical_formula_anonymous": letters,
        "chemical_formula_descriptive": crystal.formula,
        "dimension_types": [1, 1, 1],
        "nperiodic_dimensions": 3,
        "lattice_vectors": crystal.lattice.tolist(),
        "cartesian_site_positions": (crystal.frac_coords @ crystal.lattice).tolist(),
        "nsites": len(crystal),
        "species": [{"name": s, "chemical_symbols": [s], "concentration": [1.0]} for s in symbols.tolist()],
        "species_at_sites": crystal.symbols,
        "assemblies": None,
        "structure_features": [],
        "last_modified": None,
    }


KEY = "k" * 32
"""As long as a key of the Materials Project."""


@pytest.fixture
def materials_project(serve, metals, monkeypatch):
    """The Materials Project's client, which asks a server of ours with three pages."""
    import recorded

    with quietly():
        settings = pytest.importorskip("mp_api.client.core.settings").MAPI_CLIENT_SETTINGS
    server = serve(recorded.materials_project(metals, KEY))
    monkeypatch.setattr(settings, "ENDPOINT", server.url + "/")
    monkeypatch.setenv("MP_API_KEY", KEY)
    return server


@pytest.fixture
def hub(serve, tmp_path, monkeypatch):
    """The hub's client, which asks a server of ours; called with the files of a data set."""
    import huggingface_hub.constants
    import recorded

    def start(*args, **kwargs):
        server = serve(recorded.hub(*args, **kwargs))
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        return server

    return start


@pytest.fixture
def jarvis(serve, monkeypatch):
    """jarvis-tools, whose list of data sets has one at a server of ours; called with the server's answers."""
    with quietly():
        figshare = pytest.importorskip("jarvis.db.figshare")

    def start(answer):
        server = serve(answer)
        monkeypatch.setattr(figshare, "get_db_info", lambda: {"metals": [f"{server.url}/7", "m.json", "", ""]})
        return server

    return start


@contextmanager
def quietly():
    """Without the warnings of libraries that are imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
