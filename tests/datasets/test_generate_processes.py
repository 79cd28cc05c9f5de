"""The job over real processes and real MPI ranks, some of which are killed: the store is the same bytes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from xtalcodec.datasets import load
from xtalcodec.datasets.generate import prepare, run
from xtalcodec.datasets.stores import RECORD
from xtalcodec.datasets.views import ViewsConfig
from xtalcodec.io.write import write_parquet
from xtalcodec.parallel import HERE
from xtalcodec.representations.unit_cell import UnitCellConfig
from xtalcodec.representations.window_field import WindowConfig

SHARDS = 60
"""Forty crystals, three views, two views a shard."""
CONFIG = ViewsConfig(UnitCellConfig(window=WindowConfig(points=8, label_radius=0.667)), views=3, shard=2)
BESIDE = Path(sys.executable).parent / "mpiexec"
MPIEXEC = str(BESIDE) if BESIDE.exists() else shutil.which("mpiexec")
COMMAND = ["generate", "crystals.parquet", "--representation", "unit_cell", "--points", "8", "--shard", "2"]
DYING = """
import os, sys
from mpi4py import MPI
from xtalcodec import cli
from xtalcodec.datasets import stores
write = stores.write_shard
def dying(path, layout, shard, rows):
    if shard == 5:
        os._exit(1)
    write(path, layout, shard, rows)
stores.write_shard = dying
cli.main()
"""
"""The command line, but the rank that gets the sixth shard dies."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, prototypes):
    """Crystals as a file, and their store, made in this process."""
    folder = tmp_path_factory.mktemp("processes")
    small = [c for c in prototypes if len(c) < 6 and np.linalg.norm(c.lattice, axis=1).max() < 7]
    write_parquet([*small[:40], max(prototypes, key=len)], folder / "crystals.parquet")
    crystals, _ = load(folder / "crystals.parquet")
    job = prepare(folder / "alone.zarr", crystals, CONFIG, HERE)
    run(job, HERE)
    assert len(job.unfit) == 1
    assert job.layout.shards == SHARDS
    return folder


def contents(path):
    return {str(f.relative_to(path)): f.read_bytes() for f in path.rglob("*") if f.is_file()}


def start(folder, *words, before=()):
    words = [*before, sys.executable, "-m", "xtalcodec", *COMMAND, *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def noted(path):
    return len(list((path / RECORD / "c").glob("*/0"))) if path.exists() else 0


def wait_for_shards(process, path, count):
    while noted(path) < count:
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.002)


def children_of(process):
    """Processes that paint for another."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in found if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")
def test_killed_workers_and_killed_runs_leave_what_is_whole_and_the_next_run_goes_on(folder):
    path = folder / "killed.zarr"
    process = start(folder, "--out", "killed.zarr", "--workers", "2")
    wait_for_shards(process, path, 2)
    os.kill(children_of(process)[0], signal.SIGKILL)
    output, _ = process.communicate()
    assert process.returncode == 2
    assert "a worker died" in output
    assert "the same command goes on from there" in output

    first = {
        f: f.stat().st_mtime_ns
        for k in range(30)
        for f in path.glob(f"*/c/{k}/**/*")
        if (path / RECORD / "c" / str(k) / "0").exists() and f.is_file()
    }
    process = start(folder, "--out", "killed.zarr", "--workers", "2")
    wait_for_shards(process, path, noted(path) + 2)
    workers = children_of(process)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}/fd/0").exists() for pid in workers):
        assert time.monotonic() < deadline, "workers outlive the run that was killed"
        time.sleep(0.05)

    left = SHARDS - noted(path)
    assert 0 < left < SHARDS - 2
    crystals, _ = load(folder / "crystals.parquet")
    assert run(prepare(path, crystals, CONFIG, HERE), HERE)["views_made"] == 2 * left
    assert {f: f.stat().st_mtime_ns for f in first} == first
    assert contents(path) == contents(folder / "alone.zarr")


@pytest.mark.slow
@pytest.mark.skipif(MPIEXEC is None, reason="no mpiexec")
def test_mpi_ranks_make_the_same_bytes_and_go_on_after_one_died(folder):
    pytest.importorskip("mpi4py")
    (folder / "dying.py").write_text(DYING)
    words = [*COMMAND, "--executor", "mpi", "--out", "mpi.zarr"]
    outcome = subprocess.run(
        [MPIEXEC, "-n", "3", sys.executable, "dying.py", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode not in (0, 3)
    assert 0 < noted(folder / "mpi.zarr") < SHARDS
    process = start(folder, "--executor", "mpi", "--out", "mpi.zarr", before=(MPIEXEC, "-n", "3"))
    output, _ = process.communicate()
    assert process.returncode == 3, output
    assert "shards are whole: going on" in output
    assert "on 2 workers" in output
    assert output.count("its cell does not fit") == 1
    assert contents(folder / "mpi.zarr") == contents(folder / "alone.zarr")


@pytest.mark.slow
def test_a_full_disk_stops_the_run_with_a_clear_error_and_it_goes_on_once_there_is_room(folder):
    disk = folder / "disk"
    disk.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a small file system")
    try:
        process = start(folder, "--out", "disk/s.zarr")
        output, _ = process.communicate()
        assert process.returncode == 2
        assert "No space left on device" in output
        whole = noted(disk / "s.zarr")
        assert 0 < whole < SHARDS
        assert f"{whole} of {SHARDS} shards" in output
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        crystals, _ = load(folder / "crystals.parquet")
        assert run(prepare(disk / "s.zarr", crystals, CONFIG, HERE), HERE)["views_made"] == 2 * (SHARDS - whole)
        assert contents(disk / "s.zarr") == contents(folder / "alone.zarr")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
