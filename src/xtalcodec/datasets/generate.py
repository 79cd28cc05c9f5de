"""The paper's data generation: views of crystals, painted and kept in a Zarr store, by any number of workers.

Every row depends on its crystal, the settings and its own random stream alone, and every task makes whole
shards, so the store is the same bytes whatever the workers, the ranks and the restarts were.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.datasets import stores
from xtalcodec.datasets.stores import Layout
from xtalcodec.datasets.views import ViewsConfig, look, paint_row, settings_of
from xtalcodec.io.limits import first_reasons
from xtalcodec.io.properties import Properties
from xtalcodec.io.read import Unusable
from xtalcodec.networks.threads import one_thread
from xtalcodec.parallel import Pool, WorkersLostError

SURVEYED = 64
"""Crystals that one task looks at before anything is painted."""
PROJECTED = 50_000
"""Crystals for which time and size are projected."""


class GenerateError(ValueError):
    """Generation that stopped: the message says why, and what is whole."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """The crystals that fit, read anew whenever they are gone through."""

    crystals: Iterable[Crystal]
    """All of them."""
    number: int
    """How many fit."""
    out: frozenset[int]
    """Places of those that do not, in the order of all."""

    def __len__(self) -> int:
        """Return how many fit."""
        return self.number

    def __iter__(self) -> Iterator[Crystal]:
        """Go through those that fit."""
        return (crystal for k, crystal in enumerate(self.crystals) if k not in self.out)


@dataclass(frozen=True, slots=True)
class Job:
    """A store and the rows to be painted for it."""

    path: Path
    config: ViewsConfig
    layout: Layout
    crystals: Fitting
    """In the order of the rows: all views of the first, then of the second, ….."""
    properties: Properties
    unfit: list[Unusable]
    """Crystals that the representation cannot show, with the reason."""
    whole: frozenset[int]
    """Shards that an earlier run has made."""
    damaged: list[str]
    """What is wrong with shards that were whole once, and are made again."""


@dataclass(frozen=True, slots=True)
class Task:
    """One shard to be made."""

    path: Path
    config: ViewsConfig
    layout: Layout
    shard: int
    crystals: list[Crystal]
    """One for each row of the shard."""
    properties: list[np.ndarray]


def make(task: Task) -> int:
    """Paint and write one shard; return its rows."""
    with one_thread():
        rows = task.layout.rows_of(task.shard)
        arrays = {
            name: np.zeros((len(rows), *column.shape), dtype=object if column.dtype == "string" else column.dtype)
            for name, column in task.layout.columns().items()
        }
        for k, (row, crystal, known) in enumerate(zip(rows, task.crystals, task.properties, strict=True)):
            painted = paint_row(crystal, row % task.config.views, task.config)
            for name in ("positions", "numbers"):
                values = painted.pop(name)
                arrays[name][k, : len(values)] = values
            for name, value in painted.items():
                arrays[name][k] = value
            if task.layout.properties:
                arrays["properties"][k] = known
        stores.write_shard(task.path, task.layout, task.shard, arrays)
    return len(rows)


def survey(task: tuple[int, list[Crystal], ViewsConfig]) -> tuple[int, int, list[tuple[int, str, str]]]:
    """Look at some crystals before anything is painted.

    Returns
    -------
    How many there are, the most atoms that a view shows, and place, name and reason of those that do not fit.
    """
    start, crystals, config = task
    most, unfit = 0, []
    for k, crystal in enumerate(crystals, start):
        try:
            most = max(most, *(len(look(crystal, view, config)[0].numbers) for view in range(config.views)))
        except CrystalError as error:
            unfit.append((k, crystal.name, str(error)))
    return len(crystals), most, unfit


def prepare(
    path: str | Path,
    crystals: Iterable[Crystal],
    config: ViewsConfig,
    pool: Pool,
    properties: Properties | None = None,
    unreadable: Sequence[Unusable] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> Job:
    """Look at every crystal and make an empty store, or go on with the one that is there.

    Parameters
    ----------
    path
        Of the store.
    crystals
        What to paint, in the order of the rows; gone through several times, one crystal in memory at a time.
    config
        How.
    pool
        Who looks at the crystals.
    properties
        What is known of them.
    unreadable
        Inputs that could not be used, to be kept in the store's attributes with those that do not fit.
    progress
        Called with the number of crystals looked at.

    Raises
    ------
    GenerateError
        No crystal fits.
    StoreError
        What is at `path` is no store, or one of other settings.
    """
    path, properties = Path(path), properties or Properties()
    settings = settings_of(config, crystals, properties)
    if not path.exists():
        _begin(path, crystals, config, pool, properties, settings, unreadable, progress)
    about = stores.attributes(path)
    stores.refuse_other_settings(path, about, settings)
    layout, out = stores.layout_of(about), frozenset(item["crystal"] for item in about["unfit"])
    stores.sweep(path)
    sizes = stores.sizes(path, layout)
    wrong = {shard: stores.damage(path, layout, shard, sizes[shard]) for shard in range(layout.shards)}
    return Job(
        path,
        config,
        layout,
        Fitting(crystals, layout.rows // config.views, out),
        properties,
        [Unusable(item["name"], item["reason"]) for item in about["unfit"]],
        frozenset(shard for shard, what in wrong.items() if what is None),
        [what for shard, what in wrong.items() if what and sizes[shard].all()],
    )


def _begin(
    path: Path,
    crystals: Iterable[Crystal],
    config: ViewsConfig,
    pool: Pool,
    properties: Properties,
    settings: dict[str, Any],
    unreadable: Sequence[Unusable],
    progress: Callable[[int], None],
) -> None:
    """Look at every crystal and make an empty store for those that fit."""
    fit, most = 0, 0
    unfit: list[dict[str, Any]] = []
    for looked, atoms, others in pool.run(survey, _surveys(crystals, config)):
        fit, most = fit + looked - len(others), max(most, atoms)
        unfit += [{"crystal": k, "name": name, "reason": reason} for k, name, reason in others]
        progress(looked)
    unfit.sort(key=lambda item: item["crystal"])
    if not fit:
        reasons = first_reasons([(item["name"], item["reason"]) for item in unfit])
        raise GenerateError(f"no crystal fits, of {len(unfit)}{reasons}")
    layout = Layout(fit * config.views, config.shard, config.representation.window.points, most, properties.names)
    stores.create(path, layout, settings, {"unfit": unfit, "unreadable": [asdict(item) for item in unreadable]})


def _surveys(crystals: Iterable[Crystal], config: ViewsConfig) -> Iterator[tuple[int, list[Crystal], ViewsConfig]]:
    """Cut the crystals into tasks of `survey`."""
    left = iter(crystals)
    for start in count(0, SURVEYED):
        some = list(islice(left, SURVEYED))
        if not some:
            return
        yield start, some, config


def tasks_of(job: Job) -> Iterator[Task]:
    """Tasks of the shards that are not whole."""
    rows = (crystal for crystal in job.crystals for _ in range(job.config.views))
    for shard in range(job.layout.shards):
        crystals = list(islice(rows, len(job.layout.rows_of(shard))))
        if shard not in job.whole:
            known = [job.properties.of(crystal) for crystal in crystals]
            yield Task(job.path, job.config, job.layout, shard, crystals, known)


def run(job: Job, pool: Pool, progress: Callable[[int], None] = lambda _: None) -> dict[str, Any]:
    """Make every shard that is not whole, and tell how fast and how large.

    Parameters
    ----------
    job
        What `prepare` returned.
    pool
        Who paints.
    progress
        Called with the number of rows made since the last call.

    Raises
    ------
    GenerateError
        A full disk, a worker that died: what is whole stays so, and the same call goes on from there.
    """
    progress(sum(len(job.layout.rows_of(shard)) for shard in job.whole))
    started, made, shards = time.perf_counter(), 0, 0
    try:
        for rows in pool.run(make, tasks_of(job)):
            made, shards = made + rows, shards + 1
            progress(rows)
    except (OSError, WorkersLostError) as error:
        whole = f"at least {len(job.whole) + shards} of {job.layout.shards} shards of {job.path} are whole"
        raise GenerateError(f"{error}; {whole}, and the same command goes on from there") from error
    return summary(job, made, time.perf_counter() - started, pool.workers)


def summary(job: Job, made: int, seconds: float, workers: int) -> dict[str, Any]:
    """Summarise speed and size of a run, and project both to `PROJECTED` crystals.

    Parameters
    ----------
    job
        What was done.
    made
        Rows made in this run.
    seconds
        What they took.
    workers
        How many made them.
    """
    layout = job.layout
    sizes = stores.sizes(job.path, layout).sum(0)
    per_view = dict(zip(layout.columns(), (sizes / layout.rows).tolist(), strict=True))
    views = PROJECTED * job.config.views
    return {
        "store": str(job.path),
        "sha256": stores.attributes(job.path)["sha256"],
        "crystals": len(job.crystals),
        "unfit": [asdict(item) for item in job.unfit],
        "views": layout.rows,
        "views_made": made,
        "seconds": seconds,
        "workers": workers,
        "views_per_second": made / seconds if made else None,
        "bytes": int(sizes.sum()),
        "bytes_per_view": per_view,
        "projection": {
            "crystals": PROJECTED,
            "views": views,
            "seconds": views * seconds / made if made else None,
            "bytes": int(views * sizes.sum() / layout.rows),
        },
    }
