"""The store by itself, with made-up rows."""

import json

import numpy as np
import pytest

from xtalcodec.datasets import stores
from xtalcodec.datasets.stores import Layout, StoreError

LAYOUT = Layout(rows=10, shard=4, points=3, atoms=5, properties=("gap", "energy"))
SETTINGS = {"views": 2, "representation": {"name": "unit_cell", "edge": 10.0}}


def rows(count, layout=LAYOUT, fill=None):
    rng = np.random.default_rng(count)
    made = {}
    for name, column in layout.columns().items():
        values = rng.integers(0, 9, (count, *column.shape)) if fill is None else np.full((count, *column.shape), fill)
        made[name] = values.astype(str).astype(object) if column.dtype == "string" else values.astype(column.dtype)
    return made


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "s.zarr"
    stores.create(path, LAYOUT, SETTINGS, {"unfit": []})
    return path


def whole(path, layout=LAYOUT):
    sizes = stores.sizes(path, layout)
    return [stores.damage(path, layout, k, sizes[k]) is None for k in range(layout.shards)]


def test_shards_cover_the_rows_once():
    assert [row for k in range(LAYOUT.shards) for row in LAYOUT.rows_of(k)] == list(range(LAYOUT.rows))


@pytest.mark.parametrize("fill", [None, 0])
def test_what_is_written_is_read_in_any_order_of_shards(store, fill):
    made = [rows(len(LAYOUT.rows_of(k)), fill=fill) for k in range(3)]
    assert whole(store) == [False] * 3
    for k in (2, 0, 1):
        stores.write_shard(store, LAYOUT, k, made[k])
        assert whole(store)[k]
    for name in LAYOUT.columns():
        np.testing.assert_array_equal(
            np.asarray(stores.load(store, name)[:]).astype(made[0][name].dtype), np.concatenate([m[name] for m in made])
        )
    sizes = stores.sizes(store, LAYOUT)
    files = [f for f in store.rglob("c/**/*") if f.is_file() and stores.RECORD not in f.parts]
    assert sizes.sum() == sum(f.stat().st_size for f in files)
    assert len(files) == sizes.size


def test_the_store_tells_its_layout_units_and_settings(store):
    about = stores.attributes(store)
    assert stores.layout_of(about) == LAYOUT
    assert about["settings"] == SETTINGS
    assert "Å" in stores.load(store, "positions").attrs["about"]
    assert stores.load(store, "properties").attrs["names"] == ["gap", "energy"]


def test_what_a_killed_run_left_in_a_shard_does_not_get_into_it(store, tmp_path):
    stores.write_shard(store, LAYOUT, 2, rows(2))
    fresh = tmp_path / "fresh.zarr"
    stores.create(fresh, LAYOUT, SETTINGS, {"unfit": []})
    stores.write_shard(fresh, LAYOUT, 2, rows(2))
    expected = {f.relative_to(fresh): f.read_bytes() for f in fresh.rglob("*") if f.is_file()}
    for inside in LAYOUT.files(2).values():
        (store / inside).write_bytes(b"half-written")
    (store / stores.RECORD / "c" / "2" / "0").unlink()
    assert not whole(store)[2]
    stores.write_shard(store, LAYOUT, 2, rows(2))
    assert {f.relative_to(store): f.read_bytes() for f in store.rglob("*") if f.is_file()} == expected


@pytest.mark.parametrize("name", list(LAYOUT.columns()))
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_damaged_file_is_named(store, name, how):
    stores.write_shard(store, LAYOUT, 1, rows(4))
    file = store / LAYOUT.files(1)[name]
    file.unlink() if how == "gone" else file.write_bytes(file.read_bytes()[:-1])
    wrong = stores.damage(store, LAYOUT, 1, stores.sizes(store, LAYOUT)[1])
    assert str(file) in wrong


def test_a_full_disk_is_told_with_the_file_and_the_shard_is_not_whole(store, monkeypatch):
    import os

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device.*density/c/0") as caught:
        stores.write_shard(store, LAYOUT, 0, rows(4))
    assert caught.value.errno == 28
    assert not whole(store)[0]


def test_other_settings_are_refused_by_name(store):
    about = stores.attributes(store)
    stores.refuse_other_settings(store, about, json.loads(json.dumps(SETTINGS)))
    other = {"views": 3, "representation": {"name": "unit_cell", "edge": 12.0}, "seed": 0}
    with pytest.raises(StoreError) as caught:
        stores.refuse_other_settings(store, about, other)
    for words in ("views is 2 there and 3 here", "representation.edge is 10.0 there and 12.0 here", "seed is absent"):
        assert words in str(caught.value)
    assert "name" not in str(caught.value).replace(str(store), "")


def test_what_is_no_store_is_told(store, tmp_path):
    with pytest.raises(StoreError, match=r"zarr\.json is missing"):
        stores.attributes(tmp_path)
    file = store / "zarr.json"
    text = file.read_text()
    for broken in ("", text[: len(text) // 2], "[]", "{}", text.replace(stores.KIND, "other"), "\udcff"):
        file.write_text(broken, errors="surrogateescape")
        with pytest.raises(StoreError, match=r"no store of fields|its kind is"):
            stores.attributes(store)
    file.write_text(text.replace('"views": 2', '"views": 3'))
    with pytest.raises(StoreError, match="do not have the hash"):
        stores.attributes(store)


@pytest.mark.parametrize("name", ["density", stores.RECORD])
@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_an_array_without_its_description_is_told(store, name, damage):
    file = store / name / "zarr.json"
    file.unlink() if damage == "gone" else file.write_text(file.read_text()[:100])
    with pytest.raises(StoreError, match=f"{name}/zarr.json is missing or broken"):
        stores.load(store, name)


def test_a_record_that_is_cut_is_told(store):
    stores.write_shard(store, LAYOUT, 0, rows(4))
    (store / stores.RECORD / "c" / "0" / "0").write_bytes(b"123")
    with pytest.raises(StoreError, match="shard_bytes cannot be read"):
        stores.sizes(store, LAYOUT)


def test_creating_is_all_or_nothing(store, tmp_path):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OSError, match="not empty"):
        stores.create(store, LAYOUT, SETTINGS, {})
    assert sorted(tmp_path.iterdir()) == before


def test_half_written_files_are_swept(store):
    (store / "density" / "c").mkdir(parents=True)
    (store / "density" / "c" / "0.abc.partial").write_bytes(b"x")
    stores.sweep(store)
    assert not list(store.rglob("*.partial"))
