"""Crystals per second of bulk runs on one and two workers, memory of every process, size, and what millions take.

python benchmarks/bulk.py crystals.parquet [more.parquet …] [--crystals 100000] [--out bulk.json]

The tables are repeated until there are so many crystals. They are converted and encoded without refinement by the
command line itself, once on one worker and once on two processes, from a start to an end; the two results must be the
same bytes. Memory is the largest resident set of each process, as Linux notes it (/proc/PID/status, VmHWM).
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("tables", nargs="+", type=Path, help="parquet files of crystals")
parser.add_argument("--crystals", type=int, default=100_000)
parser.add_argument("--codec", default="mp")
parser.add_argument("--project", type=int, default=5_000_000, help="crystals that the projection is for")
parser.add_argument("--nodes", type=int, default=32)
parser.add_argument("--cores", type=int, default=2, help="workers on each node of the projection")
parser.add_argument("--out", type=Path, default=None, help="write the numbers here as JSON")
options = parser.parse_args()


class Peaks:
    """The largest resident sets of a process and of those that it started, sampled while it runs."""

    def __init__(self, pid: int) -> None:
        """Begin to look."""
        self.kib: dict[int, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, args=(pid,))
        self._thread.start()

    def _look(self, pid: int) -> None:
        while not self._over.wait(0.2):
            waiting = [pid]
            while waiting:
                one = waiting.pop()
                try:
                    status = Path(f"/proc/{one}/status").read_text()
                    waiting += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
                    peak = next(int(x.split()[1]) for x in status.splitlines() if x.startswith("VmHWM"))
                except (OSError, StopIteration):  # it has ended
                    continue
                self.kib[one] = max(self.kib.get(one, 0), peak)

    def end(self) -> list[float]:
        """Return the peaks in GiB, the largest first."""
        self._over.set()
        self._thread.join()
        return sorted((round(kib / 2**20, 3) for kib in self.kib.values()), reverse=True)


def run(*words: str) -> dict[str, Any]:
    """Run the command line; return seconds and peak memory. Inputs that could not be used are no failure."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - the package's own command line
        [sys.executable, "-m", "xtalcodec", *words], env=environment, stderr=subprocess.DEVNULL
    )
    peaks = Peaks(process.pid)
    status = process.wait()
    seconds = time.perf_counter() - start
    memory = peaks.end()
    if status not in (0, 3):
        raise SystemExit(f"xtalcodec {' '.join(words)} ended with status {status}")
    return {"seconds": seconds, "peak_gib": memory}


def repeated(folder: Path) -> tuple[list[str], int]:
    """Links to the tables under names of their own, until there are crystals enough; and how many that are."""
    rows, links = 0, []
    while rows < options.crystals:
        for table in options.tables:
            links.append(folder / f"{len(links):04d}-{table.stem}.parquet")
            links[-1].symlink_to(table.resolve())
            rows += pq.read_metadata(table).num_rows
            if rows >= options.crystals:
                break
    return [str(link) for link in links], rows


def same(a: Path, b: Path) -> bool:
    """Whether two folders of shards are the same bytes."""
    names = [sorted(path.name for path in folder.glob("*.parquet")) for folder in (a, b)]
    return names[0] == names[1] and all((a / name).read_bytes() == (b / name).read_bytes() for name in names[0])


def size(folder: Path) -> int:
    """Bytes of the shards in a folder."""
    return sum(path.stat().st_size for path in folder.glob("*.parquet"))


def measured(name: str, verb: list[str], inputs: list[str], folder: Path, crystals: int) -> dict[str, Any]:
    """Run a verb on one worker and on two."""
    found: dict[str, Any] = {}
    for workers in (1, 2):
        out = folder / f"{name}-{workers}"
        found[str(workers)] = run(*verb, *inputs, "--out", str(out), "--workers", str(workers))
        found[str(workers)]["per_second"] = crystals / found[str(workers)]["seconds"]
    found["ratio"] = found["2"]["per_second"] / found["1"]["per_second"]
    found["same_bytes"] = same(folder / f"{name}-1", folder / f"{name}-2")
    found["bytes_per_crystal"] = size(folder / f"{name}-2") / crystals
    rate = found["2"]["per_second"] / 2 * options.nodes * options.cores
    found["projection"] = {
        "crystals": options.project,
        "workers": options.nodes * options.cores,
        "minutes": options.project / rate / 60,
        "gigabytes": options.project * found["bytes_per_crystal"] / 1e9,
    }
    return found


with tempfile.TemporaryDirectory() as temporary:
    folder = Path(temporary)
    inputs, crystals = repeated(folder)
    result: dict[str, Any] = {"crystals": crystals, "cpu": platform.processor() or platform.machine()}
    result["cores"] = os.cpu_count()
    result["load"] = os.getloadavg()[0]  # of others: numbers on a busy machine say little
    result["convert"] = measured("convert", ["data", "convert"], inputs, folder, crystals)
    shards = [str(folder / "convert-2")]
    encode = ["encode", "--no-refine", "--codec", options.codec]
    result["encode"] = measured("encode", encode, shards, folder, crystals)

for verb in ("convert", "encode"):
    told = result[verb]
    print(f"{verb}: {told['1']['per_second']:.0f} and {told['2']['per_second']:.0f} crystals/s on 1 and 2 workers")
    print(f"  ratio {told['ratio']:.2f}, the same bytes: {told['same_bytes']}")
    print(f"  peak memory (GiB): {told['1']['peak_gib']} and {told['2']['peak_gib']}")
    print(f"  {told['bytes_per_crystal']:.0f} bytes per crystal")
    plan = told["projection"]
    print(
        f"  {plan['crystals']} crystals on {plan['workers']} workers: {plan['minutes']:.1f} min, "
        f"{plan['gigabytes']:.1f} GB, if the file system and the first process keep up"
    )
if options.out:
    options.out.write_text(json.dumps(result, indent=2) + "\n")
if not (result["convert"]["same_bytes"] and result["encode"]["same_bytes"]):
    raise SystemExit("one and two workers gave different bytes")
