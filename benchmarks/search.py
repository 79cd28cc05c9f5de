"""Search of many vectors: time of a question, and what the graph misses of what the exact search finds.

python benchmarks/search.py mp_val.parquet [--vectors 1000000] [--questions 200] [--codec mp] [--json FILE]

Vectors are made up near real ones: each is between the vectors of two of the crystals, nearer to one of them, with
noise. Questions are more of them, which the index does not hold. The index is a folder as `xtalcodec index` makes
it, mapped from disk; times are from the vector to names and formulas.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from xtalcodec import Codec
from xtalcodec.datasets import load
from xtalcodec.io.ended import RECORD
from xtalcodec.latent_space.index import Found, Index, begin, gather

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("data", nargs="+")
parser.add_argument("--vectors", type=int, default=1_000_000)
parser.add_argument("--questions", type=int, default=200)
parser.add_argument("--codec", default="mp")
parser.add_argument("--json", type=Path)
options = parser.parse_args()
rng = np.random.default_rng(0)
BLOCK = 50_000

embedding = Codec.from_pretrained(options.codec).embedding
real = embedding.vectors(load(options.data)[0])


def near_real(count: int) -> np.ndarray:
    """Vectors of length 1 near those of two crystals, at 0.02 along each axis."""
    a, b = rng.integers(len(real), size=(2, count))
    share = rng.random((count, 1)).astype(np.float32) ** 2
    mixed = (1 - share) * real[a] + share * real[b] + 0.02 * rng.standard_normal(real[a].shape, dtype=np.float32)
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def tables() -> Iterator[pa.Table]:
    """Shards, as `xtalcodec index` writes them."""
    for start in range(0, options.vectors, BLOCK):
        count = min(BLOCK, options.vectors - start)
        flat = pa.array(near_real(count).reshape(-1))
        vectors = pa.FixedSizeListArray.from_arrays(flat, embedding.size)
        names = pa.array([f"crystal-{start + k}" for k in range(count)])
        columns = {"material_id": names, "formula": names, "sites": pa.array([1] * count), "crystal": vectors}
        shard = pa.table(columns | {"structure": vectors})
        pq.write_table(shard.drop_columns(["crystal", "structure"]), part / f"part-{start // BLOCK:06d}.parquet")
        yield shard


def asked(index: Index, questions: np.ndarray) -> tuple[list[list[Found]], np.ndarray]:
    """What is found, and seconds of each question: of the clock, and of CPU."""
    found, seconds = [], []
    for question in questions:
        start = time.perf_counter(), time.process_time()
        found.append(index.nearest(question, 10))
        seconds.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return found, np.array(seconds)


def times(what: str, seconds: np.ndarray) -> dict[str, float]:
    """Medians, and what one question of twenty takes longer than."""
    names = f"{what}, ms", f"{what}, ms of CPU", f"{what}, slowest of 20, ms of CPU"
    values = *np.median(seconds, 0), np.percentile(seconds[:, 1], 95)
    return {name: 1000 * float(value) for name, value in zip(names, values, strict=True)}


with TemporaryDirectory() as temporary:
    os.environ["XTALCODEC_CACHE"] = str(Path(temporary, "cache"))
    folder, part = Path(temporary, "index"), Path(temporary, "index", "all")
    begin(folder, embedding.identity)
    part.mkdir()
    gather(part, tables(), options.vectors, embedding.size, ["crystal", "structure"])
    shards = len(list(part.glob("part-*.parquet")))
    (part / RECORD).write_text(json.dumps({"shards": shards}))
    questions = near_real(options.questions)
    exact, slow = asked(Index(folder, embedding.identity), questions)  # no graph is there yet
    index = Index(folder, embedding.identity)
    start, cpu = time.perf_counter(), time.process_time()
    index.make_graphs(lambda _, __: lambda ___: None, ["crystal"])
    made, cpu = time.perf_counter() - start, time.process_time() - cpu
    index = Index(folder, embedding.identity)
    start = time.perf_counter()
    index.graph("crystal")
    opening = time.perf_counter() - start
    graph, fast = asked(index, questions)
    files = sum(path.stat().st_size for path in Path(temporary, "cache").rglob("*.*"))
    shared = [len({one.name for one in a} & {one.name for one in b}) / 10 for a, b in zip(exact, graph, strict=True)]
    result = {
        "vectors": options.vectors,
        **times("exact search", slow),
        "graph made, s": made,
        "graph made, s of CPU": cpu,
        "graph opened, s": opening,
        "graph, MB": files / 1e6,
        **times("search by the graph", fast),
        "recall@10 of the exact search": float(np.mean(shared)),
        "recall@1": float(np.mean([a[0].name == b[0].name for a, b in zip(exact, graph, strict=True)])),
    }
print(*(f"{key:35} {value:.6g}" for key, value in result.items()), sep="\n")
if options.json:
    options.json.write_text(json.dumps(result, indent=1))
