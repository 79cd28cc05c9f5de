"""Which words are sources and which are paths."""

import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.datasets import asks, available, load, source_of, stream
from xtalcodec.datasets.source import SourceError
from xtalcodec.datasets.sources.aflow_prototypes import AflowPrototypes
from xtalcodec.datasets.sources.folders import Folder
from xtalcodec.datasets.sources.jarvis import Jarvis
from xtalcodec.io.write import write

POLONIUM = Crystal(np.eye(3) * 3.35, np.zeros((1, 3)), np.array([84]), "Po")


def test_a_name_and_a_colon_are_the_source_and_a_folder_before_them_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert isinstance(source_of("aflow-prototypes"), AflowPrototypes)
    write(POLONIUM, tmp_path / "aflow-prototypes" / "Po.cif", "cif")
    write(POLONIUM, tmp_path / "jarvis:dft_3d", "poscar")
    assert source_of("jarvis:dft_3d") == Jarvis("dft_3d")
    assert source_of("./jarvis:dft_3d") == Folder("./jarvis:dft_3d")
    with pytest.raises(SourceError, match=r"source and a file here: write aflow-prototypes: for the one, \./aflow"):
        load("aflow-prototypes")
    assert isinstance(source_of("aflow-prototypes:"), AflowPrototypes)
    assert [c.name for c in load("./aflow-prototypes")[0]] == ["Po"]
    assert [c.name for c in load("folder:aflow-prototypes")[0]] == ["Po"]
    assert [c.name for c in load(tmp_path / "aflow-prototypes")[0]] == ["Po"]


def test_names_and_paths_mix(tmp_path):
    write(POLONIUM, tmp_path / "Po.cif", "cif")
    crystals, unusable = load(["aflow-prototypes", str(tmp_path), str(tmp_path / "missing.cif")])
    assert len(crystals) == 289
    assert [item.reason for item in unusable] == ["there is no such file"]


def test_every_word_is_understood_before_anything_is_read():
    with pytest.raises(SourceError, match="no data source 'nothing'"):
        stream(["aflow-prototypes", "nothing"])


@pytest.mark.parametrize("word", ["aflow-prototype", "aflow-prototype:", "afow-prototypes:x"])
def test_a_typo_gets_the_choices_and_a_guess(word):
    with pytest.raises(
        ValueError,
        match=r"there is no file .*no data source.*have aflow-prototypes, disordered-examples, folder, hf, jarvis",
    ):
        load(word)


def test_a_guess_is_made_for_a_line_with_an_address():
    with pytest.raises(ValueError, match=r"no data source 'optmade'.*Did you mean 'optimade'\?"):
        load("optmade:https://a.org/optimade")


def test_a_crystal_of_a_source_is_not_taken_for_a_query():
    assert asks("jarvis:dft_3d")
    assert asks("aflow-prototypes")
    assert not any(map(asks, ("jarvis:dft_3d:JVASP-1", "aflow-prototypes:AB_hP6_154_a_b", "Po.cif", "hf:a/b:x")))


def test_a_word_in_a_data_file_is_never_looked_up(tmp_path):
    """A file that names a source is a file: its crystal is unusable, and nobody is asked."""
    (tmp_path / "a.json").write_text('{"structure": "aflow-prototypes:", "id": "optimade:http://127.0.0.1:9"}')
    (tmp_path / "b.csv").write_text("cif\njarvis:dft_3d\n")
    crystals, unusable = load(tmp_path)
    assert not crystals
    assert len(unusable) == 2


def test_every_source_says_what_it_is():
    names = {
        "aflow-prototypes",
        "disordered-examples",
        "folder",
        "hf",
        "jarvis",
        "materials-project",
        "optimade",
        "table",
    }
    assert names <= set(available())
    assert all(len(text) > 20 for text in available().values())
