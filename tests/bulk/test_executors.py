"""A run over real processes, MPI ranks and a Dask cluster, some of which are killed: the same bytes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from xtalcodec.io.write import write_many

BESIDE = Path(sys.executable).parent / "mpiexec"
MPIEXEC = str(BESIDE) if BESIDE.exists() else shutil.which("mpiexec")
SHARDS = 30
"""Ninety files, three a shard."""
DEADLINE = 120
"""Seconds after which something hangs."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, prototypes):
    """Crystals as CIFs, and their conversion by this process alone."""
    folder = tmp_path_factory.mktemp("executors")
    write_many([c for c in prototypes if len(c) < 20][: 3 * SHARDS], folder / "cifs", "cif", 0.1)
    output, status = finish(start(folder, "alone"))
    assert status == 0, output
    assert len(shards(folder / "alone")) == SHARDS
    return folder


def start(folder, out, *words, before=()):
    command = [
        *before,
        sys.executable,
        "-m",
        "xtalcodec",
        "data",
        "convert",
        "cifs",
        "--chunk",
        "3",
        "--out",
        out,
        *words,
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(process):
    output, _ = process.communicate(timeout=DEADLINE)
    return output, process.returncode


def shards(path):
    return {file: file.stat().st_mtime_ns for file in path.glob("part-*.parquet")}


def contents(path):
    return {file.name: file.read_bytes() for file in path.iterdir() if file.name != ".lock"}


def wait_until(condition, process):
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert process.poll() is None, process.stdout and process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def written(path):
    """Whether a JSON file is there to its last brace: the scheduler writes in place."""
    return path.exists() and path.read_text().endswith("}")


def workers_of(process):
    """Processes that work for another."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in found if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")
def test_a_killed_worker_and_a_killed_run_lose_nothing_finished(folder):
    out = folder / "killed"
    process = start(folder, "killed", "--workers", "2")
    wait_until(lambda: len(shards(out)) >= 2, process)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    output, status = finish(process)
    assert status == 2, output
    assert "a worker died" in output
    assert "the same command goes on from there" in output
    first = shards(out)

    process = start(folder, "killed", "--workers", "2")
    wait_until(lambda: len(shards(out)) >= len(first) + 2, process)
    process.kill()
    finish(process)
    second = shards(out)
    assert len(second) < SHARDS

    output, status = finish(start(folder, "killed"))
    assert status == 0, output
    assert second.items() <= shards(out).items()
    assert first.items() <= second.items()
    assert contents(out) == contents(folder / "alone")


@pytest.mark.slow
@pytest.mark.skipif(MPIEXEC is None, reason="no mpiexec")
def test_mpi_ranks_make_the_same_bytes(folder):
    pytest.importorskip("mpi4py")
    output, status = finish(start(folder, "mpi", "--executor", "mpi", before=(MPIEXEC, "-n", "3")))
    assert status == 0, output
    assert output.count("90 crystals are in mpi") == 1
    assert contents(folder / "mpi") == contents(folder / "alone")


@contextmanager
def processes(*commands):
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for command in commands]
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_a_dask_cluster_that_loses_a_worker_makes_the_same_bytes(folder):
    pytest.importorskip("distributed")
    here = ["--scheduler-file", str(folder / "scheduler.json")]
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard", *here]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    with processes(scheduler, [*worker, *here], [*worker, *here]) as (_, first, _second):
        wait_until(lambda: written(folder / "scheduler.json"), first)
        address = json.loads((folder / "scheduler.json").read_text())["address"]
        process = start(folder, "dask", "--executor", "dask", "--scheduler", address, "--workers", "2")
        wait_until(lambda: len(shards(folder / "dask")) >= 3, process)
        first.kill()
        output, status = finish(process)
    assert status == 0, output
    assert contents(folder / "dask") == contents(folder / "alone")
