"""A run of `sample` that is stopped keeps what it has."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from ase.build import bulk

from xtalcodec import datasets
from xtalcodec.cli import sample_folder
from xtalcodec.cli.sample_folder import SampleFolder
from xtalcodec.codecs.latents import CrystalCode
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.generation import checked
from xtalcodec.evaluation.generation.proposals import Proposal


def proposal(number):
    crystal = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64), f"sample-{number}")
    code = CrystalCode(crystal.name, np.zeros((1, 2), np.float32), (1, 1, 1), 3 * np.eye(3), np.eye(3, dtype=np.int64))
    return Proposal(code, None, checked(crystal.name, crystal, 0.9), None)


def stopped_by(error, after):
    yield from (proposal(k) for k in range(1, after + 1))
    raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_files_and_table_are_there_when_a_run_is_stopped(tmp_path, capsys, error):
    folder = SampleFolder(tmp_path, "cif", None, 9, valid_only=False)
    with pytest.raises(type(error)):
        list(folder.taking(stopped_by(error, 3)))
    assert "stopped at 3 of 9 samples" in capsys.readouterr().err
    assert len(folder.written) == 3
    assert pq.read_table(folder.table).column("name").to_pylist() == ["sample-1", "sample-2", "sample-3"]
    assert len(datasets.load([str(tmp_path)])[0]) == 3


def test_the_table_is_written_while_samples_come(tmp_path, monkeypatch):
    monkeypatch.setattr(sample_folder, "OFTEN", 0.0)
    folder = SampleFolder(tmp_path, "cif", None, 9, valid_only=False)
    coming = folder.taking(proposal(k) for k in range(1, 10))
    for _ in range(4):
        next(coming)
    assert pq.read_table(folder.table).num_rows == 4, "what a SIGKILL would leave"


def test_the_table_is_whole_before_samples_are_ranked(tmp_path):
    folder = SampleFolder(tmp_path, "cif", None, 3, valid_only=False)
    list(folder.taking(proposal(k) for k in range(1, 4)))
    assert pq.read_table(folder.table).num_rows == 3


@pytest.mark.parametrize(("before", "suffix"), [("json", ".json"), ("extxyz", ".extxyz"), ("poscar", ".vasp")])
def test_files_of_an_earlier_run_in_any_format_are_told(tmp_path, capsys, before, suffix):
    list(SampleFolder(tmp_path, before, None, 3, valid_only=False).taking(proposal(k) for k in range(1, 4)))
    assert "also holds" not in capsys.readouterr().err
    list(SampleFolder(tmp_path, "cif", None, 2, valid_only=False).taking(proposal(k) for k in range(1, 3)))
    assert f"also holds 3 {suffix} files that this run did not write" in capsys.readouterr().err


def test_samples_that_the_format_cannot_hold_are_remembered(tmp_path):
    one = proposal(1)
    half_empty = one.about.crystal.shares() * 0.5
    half_empty[:, 0] = 0.5
    crystal = replace(one.about.crystal, occupancies=half_empty)
    folder = SampleFolder(tmp_path, "poscar", None, 2, valid_only=False)
    list(folder.taking([replace(one, about=replace(one.about, crystal=crystal)), proposal(2)]))
    assert [unusable.name for unusable in folder.refused] == ["sample-1"]
    assert len(folder.written) == 1
