import shutil

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from xtalcodec.datasets.field_store import FieldStore
from xtalcodec.datasets.generate import prepare, run
from xtalcodec.datasets.split import held_out
from xtalcodec.datasets.stores import StoreError
from xtalcodec.datasets.views import ViewsConfig, paint_row
from xtalcodec.io.properties import Properties
from xtalcodec.parallel import HERE
from xtalcodec.representations.unit_cell import UnitCellConfig
from xtalcodec.representations.window_field import WindowConfig

CONFIG = ViewsConfig(UnitCellConfig(window=WindowConfig(points=6)), views=3, shard=8)


@pytest.fixture(scope="module")
def crystals(prototypes):
    return prototypes[:240:12]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, crystals):
    path = tmp_path_factory.mktemp("whole") / "s.zarr"
    run(prepare(path, crystals, CONFIG, HERE), HERE)
    return path


@pytest.fixture
def path(tmp_path, whole):
    """A copy to be damaged."""
    return shutil.copytree(whole, tmp_path / "s.zarr")


def test_rows_are_tensors_of_one_view(path, crystals):
    store, by_name = FieldStore(path), {c.name: c for c in crystals}
    assert store.settings["representation"]["name"] == "unit_cell"
    for index in (0, 1, len(store) - 1, -1):
        row = store[index]
        expected = paint_row(by_name[row["material_id"]], int(row["view"]), CONFIG)
        n = int(row["atoms"])
        for name in ("density", "species_map", "lattice", "offset", "rotation"):
            np.testing.assert_array_equal(row[name].numpy(), expected[name])
        np.testing.assert_array_equal(row["numbers"][:n], expected["numbers"])
        np.testing.assert_allclose(row["positions"][:n], expected["positions"], rtol=1e-6)
    with pytest.raises(IndexError, match="views, not"):
        store[len(store)]


def test_only_what_is_asked_for_is_read(path):
    store = FieldStore(path, ["density", "view"])
    assert set(store[0]) == {"density", "view"}
    with pytest.raises(ValueError, match="Did you mean 'density'"):
        FieldStore(path, ["densty"])


def test_properties_come_with_their_names(tmp_path, crystals):
    table = Properties(("gap",), {crystals[0].name: np.array([1.5])})
    run(prepare(tmp_path / "p.zarr", crystals[:2], CONFIG, HERE, table), HERE)
    store = FieldStore(tmp_path / "p.zarr")
    assert store.layout.properties == ("gap",)
    assert store[0]["properties"].tolist() == [1.5]


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_come_from_a_loader(path, workers):
    store = FieldStore(path)
    store[0]  # its threads run when the loader forks
    loader = DataLoader(store, batch_size=4, num_workers=workers)
    batches = list(loader)
    assert torch.equal(torch.cat([b["density"] for b in batches]), torch.stack([r["density"] for r in store]))
    assert batches[0]["positions"].shape == (4, store.layout.atoms, 3)
    assert batches[0]["material_id"][0] == store[0]["material_id"]


@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_no_crystal_is_on_both_sides_of_a_split(path, fraction):
    store = FieldStore(path, ["material_id", "view"])
    rest, aside = store.split(fraction, seed=1)
    names = [{row["material_id"] for row in side} for side in (rest, aside)]
    assert not names[0] & names[1]
    assert sorted(rest.indices + aside.indices) == list(range(len(store)))
    every = {row["material_id"] for row in store}
    expected = {name for name, out in zip(sorted(every), held_out(sorted(every), fraction, 1), strict=True) if out}
    assert names == [every - expected, expected]
    assert len(aside) == CONFIG.views * len(expected)
    assert {0.0: not expected, 0.3: 0 < len(expected) < len(every) / 2, 1.0: expected == every}[fraction]
    if fraction == 0.3:
        assert store.split(fraction, seed=2)[1].indices != aside.indices


def test_a_crystal_stays_on_its_side_when_others_join(whole, tmp_path, crystals):
    run(prepare(tmp_path / "few.zarr", crystals[::2], CONFIG, HERE), HERE)
    sides = []
    for path in (whole, tmp_path / "few.zarr"):
        _, aside = FieldStore(path, ["material_id"]).split(0.4)
        sides.append({row["material_id"] for row in aside})
    assert sides[1] == sides[0] & {c.name for c in crystals[::2]}


def test_a_store_that_is_not_finished_is_refused(tmp_path, crystals):
    prepare(tmp_path / "s.zarr", crystals, CONFIG, HERE)
    with pytest.raises(StoreError, match=r"is not finished: (\d+) of \1 shards"):
        FieldStore(tmp_path / "s.zarr")


def test_a_truncated_store_is_refused_with_the_file(path):
    file = path / "density/c/1/0/0/0"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(StoreError, match=f"{file} has"):
        FieldStore(path)
    file.unlink()
    with pytest.raises(StoreError, match=f"{file} is missing"):
        FieldStore(path)


def test_any_reader_of_zarr_reads_it(path):
    import zarr

    group = zarr.open_group(path, mode="r")
    assert {
        "density",
        "species_map",
        "positions",
        "numbers",
        "lattice",
        "offset",
        "rotation",
        "material_id",
        "view",
    } <= set(group)
    rows = group["material_id"][:] == group["material_id"][3]
    assert rows.sum() == 3
    assert np.isfinite(group["density"].oindex[rows]).all()
