"""The job, in this process: rows, restarts, refusals."""

import re
import resource
from dataclasses import replace

import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.datasets import stores
from xtalcodec.datasets.generate import GenerateError, prepare, run
from xtalcodec.datasets.stores import StoreError
from xtalcodec.datasets.views import ViewsConfig, look
from xtalcodec.io.properties import Properties
from xtalcodec.io.read import Unusable
from xtalcodec.parallel import HERE, InProcess, Pool
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCellConfig
from xtalcodec.representations.window_field import ViewBatch, WindowConfig, density, species_map

small = WindowConfig(points=8)
UNIT_CELL = ViewsConfig(UnitCellConfig(window=small), views=2, shard=5)
REPEATING = ViewsConfig(RepeatingConfig(window=small), views=2, shard=5)
BY_EDGE = ViewsConfig(RepeatingConfig(window=small, fits="shortest_edge"), views=2, shard=5)
CELL = "its cell does not fit: "


@pytest.fixture(scope="module")
def chosen(prototypes):
    """Eleven prototypes, of which some fit neither representation."""
    return [*prototypes[:270:27], max(prototypes, key=lambda c: np.linalg.norm(c.lattice, axis=1).min())]


def generate(path, crystals, config, **more):
    job = prepare(path, crystals, config, HERE, **more)
    return job, run(job, HERE)


def contents(path):
    return {str(f.relative_to(path)): f.read_bytes() for f in path.rglob("*") if f.is_file()}


def column(path, name):
    return np.asarray(stores.load(path, name)[:])


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (UNIT_CELL, rf"{CELL}an atom lies [\d.]+ Å from the centre, the window ends at 5 Å"),
        (REPEATING, r"the window of 10 Å is smaller than its cell: \d+ sites stay outside"),
        (BY_EDGE, rf"{CELL}the shortest edge is 1\d\.\d\d Å, the limit is 10 Å"),
    ],
    ids=["unit_cell", "repeating", "repeating by its edge"],
)
def test_rows_are_the_views_made_again_and_the_rest_is_listed(tmp_path, chosen, config, reason):
    path = tmp_path / "s.zarr"
    job, told = generate(path, chosen, config, unreadable=[Unusable("x.cif", "empty")])
    assert len(job.unfit) + len(job.crystals) == len(chosen)
    assert job.unfit
    assert all(re.fullmatch(reason, item.reason) for item in job.unfit)
    about = stores.attributes(path)
    assert [(x["name"], x["reason"]) for x in about["unfit"]] == [(x.name, x.reason) for x in job.unfit]
    assert about["unreadable"] == [{"name": "x.cif", "reason": "empty"}]
    assert about["atoms"] == column(path, "atoms").max()
    assert told["views"] == told["views_made"] == 2 * len(job.crystals)
    stored = {name: column(path, name) for name in job.layout.columns()}
    for row, crystal in enumerate(c for c in job.crystals for _ in range(2)):
        seen, _ = look(crystal, row % 2, config)
        atoms, n, here = ViewBatch.collate([seen]), len(seen.numbers), {k: v[row] for k, v in stored.items()}
        assert (here["material_id"], here["view"], here["atoms"]) == (crystal.name, row % 2, n)
        np.testing.assert_array_equal(here["density"], density(atoms, small)[0].numpy())
        np.testing.assert_array_equal(here["species_map"], species_map(atoms, small)[0].numpy())
        np.testing.assert_array_equal(here["numbers"][:n], seen.numbers)
        np.testing.assert_array_equal(here["positions"][:n], seen.positions.astype(np.float32))
        assert not here["numbers"][n:].any()
        for name in ("lattice", "offset", "rotation"):
            np.testing.assert_array_equal(here[name], getattr(seen, name))
        cartesian = crystal.frac_coords[seen.site] @ here["lattice"] + here["offset"]
        images = (here["positions"][:n] - cartesian) @ np.linalg.inv(here["lattice"])
        np.testing.assert_allclose(images, images.round(), atol=1e-5)


def test_bytes_per_view_and_the_projection_add_up(tmp_path, chosen):
    path = tmp_path / "s.zarr"
    _, told = generate(path, chosen, UNIT_CELL)
    files = {
        name: sum(f.stat().st_size for f in (path / name / "c").rglob("*") if f.is_file())
        for name in told["bytes_per_view"]
    }
    assert told["bytes"] == sum(files.values())
    for name, size in files.items():
        assert told["bytes_per_view"][name] * told["views"] == pytest.approx(size)
    plan = told["projection"]
    assert plan["views"] == 100_000
    assert plan["bytes"] == pytest.approx(100_000 / told["views"] * told["bytes"], rel=1e-6)
    assert plan["seconds"] * told["views_per_second"] == pytest.approx(100_000)


def test_a_row_does_not_depend_on_its_neighbours(tmp_path, chosen):
    generate(tmp_path / "a.zarr", chosen, REPEATING)
    generate(tmp_path / "b.zarr", chosen[::-1], replace(REPEATING, shard=3))
    order = {
        name: [tuple(x) for x in zip(column(p, "material_id"), column(p, "view"), strict=True)]
        for name, p in (("a", tmp_path / "a.zarr"), ("b", tmp_path / "b.zarr"))
    }
    there = [order["b"].index(x) for x in order["a"]]
    for name in ("density", "species_map", "positions", "lattice", "offset"):
        np.testing.assert_array_equal(column(tmp_path / "a.zarr", name), column(tmp_path / "b.zarr", name)[there])


def test_a_stopped_run_goes_on_without_repeating_what_is_whole(tmp_path, chosen):
    generate(tmp_path / "a.zarr", chosen, UNIT_CELL)
    path = tmp_path / "b.zarr"
    stopped = Pool(Stopping(2), 1)
    with pytest.raises(KeyboardInterrupt):
        run(prepare(path, chosen, UNIT_CELL, HERE), stopped)
    (path / "density" / "c" / "9.partial").write_bytes(b"")
    times = {f: f.stat().st_mtime_ns for f in path.rglob("*/c/**/*") if f.is_file() and f.suffix != ".partial"}
    assert len(times) == 2 * 11
    job = prepare(path, chosen, UNIT_CELL, HERE)
    assert job.whole == {0, 1}
    told = run(job, HERE)
    assert told["views_made"] == told["views"] - 10
    assert {f: f.stat().st_mtime_ns for f in times} == times
    assert contents(path) == contents(tmp_path / "a.zarr")
    _, told = generate(path, chosen, UNIT_CELL)
    assert told["views_made"] == 0
    assert told["views_per_second"] is None


class Stopping(InProcess):
    """Runs so many tasks and then is interrupted."""

    def __init__(self, tasks):
        self.left = tasks

    def submit(self, fn, /, *args, **kwargs):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return super().submit(fn, *args, **kwargs)


def test_a_shard_that_lost_a_file_is_made_again_and_told(tmp_path, chosen):
    path = tmp_path / "s.zarr"
    generate(path, chosen, UNIT_CELL)
    before = contents(path)
    file = path / "density/c/1/0/0/0"
    file.write_bytes(file.read_bytes()[:100])
    job, told = generate(path, chosen, UNIT_CELL)
    assert any(f"{file} has 100 bytes" in what for what in job.damaged)
    assert told["views_made"] == 5
    assert contents(path) == before


def test_other_settings_crystals_or_properties_are_refused(tmp_path, chosen):
    path = tmp_path / "s.zarr"
    generate(path, chosen, UNIT_CELL)
    before = contents(path)
    for config, crystals, table, words in (
        (replace(UNIT_CELL, seed=1), chosen, None, "seed is 0 there and 1 here"),
        (UNIT_CELL, chosen[:-1], None, "crystals.number is 11 there and 10 here"),
        (REPEATING, chosen, None, "representation.name is unit_cell there and repeating here"),
        (UNIT_CELL, chosen, Properties(("gap",), {}), "properties is"),
    ):
        with pytest.raises(StoreError, match=words):
            prepare(path, crystals, config, HERE, table)
    assert contents(path) == before


def test_a_folder_that_is_no_store_is_left_alone(tmp_path, chosen):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="is no store of fields"):
        prepare(tmp_path, chosen, UNIT_CELL, HERE)
    assert contents(tmp_path) == {"notes.txt": b"mine"}


def test_properties_lie_beside_their_crystals(tmp_path, chosen):
    table = Properties(("gap", "energy"), {c.name: np.array([k, -k], dtype=float) for k, c in enumerate(chosen[:6])})
    generate(tmp_path / "s.zarr", chosen, REPEATING, properties=table)
    names, found = column(tmp_path / "s.zarr", "material_id"), column(tmp_path / "s.zarr", "properties")
    assert stores.load(tmp_path / "s.zarr", "properties").attrs["names"] == ["gap", "energy"]
    for name, values in zip(names, found, strict=True):
        np.testing.assert_array_equal(values, table.values.get(name, [np.nan, np.nan]))
    assert np.isnan(found).any()


def test_no_crystal_that_fits_makes_no_store(tmp_path):
    huge = Crystal(np.eye(3) * 12, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([1, 1]), "huge")
    with pytest.raises(GenerateError, match=r"(?s)no crystal fits, of 1.*huge: its cell does not fit"):
        prepare(tmp_path / "s.zarr", [huge], UNIT_CELL, HERE)
    with pytest.raises(GenerateError, match="no crystal fits, of 0"):
        prepare(tmp_path / "s.zarr", [], UNIT_CELL, HERE)
    assert not list(tmp_path.iterdir())


def test_a_file_that_may_not_grow_stops_the_run_and_leaves_the_rest_whole(tmp_path, prototypes):
    """Narrow Gaussians: a view is as large as its crystal has atoms, so the last shards are the large ones."""
    narrow = WindowConfig(sigma=0.15, label_radius=0.1)
    config = ViewsConfig(UnitCellConfig(window=narrow), views=1, shard=2)
    some = [c for c in sorted(prototypes, key=len) if len(c) in (1, 9)]
    crystals = [*some[:4], *some[-4:]]
    generate(tmp_path / "a.zarr", crystals, config)
    path = tmp_path / "b.zarr"
    job = prepare(path, crystals, config, HERE)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    small, large = (tmp_path / f"a.zarr/density/c/{k}/0/0/0" for k in (0, 3))
    resource.setrlimit(resource.RLIMIT_FSIZE, ((small.stat().st_size + large.stat().st_size) // 2, hard))
    try:
        with pytest.raises(GenerateError, match=r"File too large.*b.zarr/density/c/\d/0/0/0.*at least 2 of 4 shards"):
            run(job, HERE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    job, told = generate(path, crystals, config)
    assert 0 < told["views_made"] < 8
    assert contents(path) == contents(tmp_path / "a.zarr")
