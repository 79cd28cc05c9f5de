"""Data sets of the Hugging Face hub, through its client, against recorded answers."""

import pytest
import recorded

from xtalcodec.datasets import load, source_of
from xtalcodec.datasets.source import SourceError


def configs(**patterns):
    """The card of a data set with these configs, each with a pattern for each split."""
    return {
        "configs": [
            {"config_name": name, "data_files": [{"split": s, "path": p} for s, p in splits.items()]}
            for name, splits in patterns.items()
        ]
    }


def names(line):
    crystals, unusable = load(line)
    assert not unusable
    return [crystal.name for crystal in crystals]


def test_config_and_split_choose_files_by_the_card(hub, metals):
    files = {f"pbe/train-{k}.parquet": recorded.table(metals[k : k + 1]) for k in range(3)}
    files |= {"pbe/test-0.parquet": recorded.table(metals[3:4]), "scan/all.parquet": recorded.table(metals[4:])}
    files |= {"metals.py": b"raise SystemExit('a script was run')", "README.md": b""}
    splits = {"train": "pbe/train-*", "test": "pbe/test-*"}
    server = hub(files, configs(pbe=splits, scan={"train": "scan/*.parquet"}))
    assert names("hf:us/metals?config=pbe") == ["Cu", "Al", "Fe"]
    assert names("hf:us/metals?config=pbe&split=test") == ["Mg"]
    assert names("hf:us/metals?config=scan&revision=main") == ["Ag"]
    before = sum(server.asked[path] for path in server.asked if "train-0" in path)
    assert names("hf:us/metals?config=pbe") == ["Cu", "Al", "Fe"]
    assert sum(server.asked[path] for path in server.asked if "train-0" in path) <= before + 1, (
        "only asked if it is new"
    )
    assert not any(path.endswith(".py") for path in server.asked), "a script is not even fetched"
    for line, reason in (
        ("hf:us/metals", "has several configs, name one with .config=: pbe, scan"),
        ("hf:us/metals?config=pbe_sol", "no config 'pbe_sol'; have pbe, scan"),
        ("hf:us/metals?config=pbe&split=val", "no split 'val'; have test, train"),
        ("hf:us/metals?config=pbe&revision=old", "the hub does not give us/metals"),
    ):
        with pytest.raises(SourceError, match=reason):
            load(line)


def test_without_parquet_of_its_own_the_hubs_is_read(hub, metals):
    folders = {"default/train/0000.parquet": metals[:2], "default/train/0001.parquet": metals[2:4]}
    folders |= {"default/partial-test/0000.parquet": metals[4:]}
    converted = {name: recorded.table(part) for name, part in folders.items()}
    hub({"metals.csv": b"a,b\n"}, None, converted)
    assert names("hf:us/metals") == ["Cu", "Al", "Fe", "Mg"]
    with pytest.raises(SourceError, match="only a part of 'test' as parquet; split=partial-test reads that part"):
        load("hf:us/metals?split=test")
    assert names("hf:us/metals?split=partial-test") == ["Ag"]


def test_columns_may_be_named(hub, metals):
    def text(crystal):
        return crystal.to_pymatgen().to(fmt="poscar")

    wrong = {"cif": lambda _: "no cif", "run": lambda c: f"run-{c.name}", "relaxed": text}
    hub({"a/0.parquet": recorded.table(metals, **wrong)}, configs(default={"train": "a/*"}))
    assert names("hf:us/metals?structure=relaxed&id=run") == [f"run-{c.name}" for c in metals]
    crystals, unusable = load("hf:us/metals?structure=cif")
    assert not crystals
    assert [item.name for item in unusable][:2] == ["hf:us/metals/a/0.parquet#1", "hf:us/metals/a/0.parquet#2"]
    with pytest.raises(SourceError, match="no column 'final'; have "):
        load("hf:us/metals?structure=final")


def test_a_data_set_without_crystals_or_that_is_not_there_is_told(hub, monkeypatch):
    hub({"README.md": b""}, None)
    with pytest.raises(SourceError, match="has no parquet files that its card or the hub assign to a split"):
        load("hf:us/metals")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SourceError, match="the hub does not give us/metals"):
        load("hf:us/metals")


@pytest.mark.parametrize("query", ["", "metals", "a/b/c", "us/../x", "us/metals:Cu", "us/metals?trust_remote_code=1"])
def test_what_is_no_data_set_is_refused(query):
    with pytest.raises(SourceError, match=r"needs a data set, as in hf:LeMaterial/LeMat-Bulk|no option 'trust_remote"):
        source_of(f"hf:{query}")
