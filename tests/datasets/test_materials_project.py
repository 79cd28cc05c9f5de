"""The Materials Project, through its client, against recorded answers."""

import math
from importlib.util import find_spec

import pytest

from xtalcodec.datasets import load, source_of
from xtalcodec.datasets.source import SourceError

pytestmark = pytest.mark.skipif(find_spec("mp_api") is None, reason="the extra materials-project is not installed")


def arguments(query):
    from xtalcodec.datasets.sources.materials_project import arguments

    return arguments(source_of(f"materials-project:{query}").conditions)


def test_pages_are_read_until_an_empty_one_and_kept(materials_project, metals, monkeypatch):
    crystals, unusable = load("materials-project:elements=Cu&nsites<20")
    assert not unusable
    assert [c.name for c in crystals] == [c.name for c in metals]
    assert all(abs(a.lattice - b.lattice).max() < 1e-12 for a, b in zip(crystals, metals, strict=True))
    asked = [path for path in materials_project.asked if "summary" in path]
    assert len(asked) == 4
    assert all("elements=Cu" in path and "nsites_max=19" in path for path in asked)
    assert all("_sort_fields=material_id" in path and "deprecated=False" in path for path in asked)
    monkeypatch.delenv("MP_API_KEY")
    assert load("materials-project:elements=Cu&nsites<20")[0][0].name == "Cu", "what is kept needs no key"


@pytest.mark.usefixtures("materials_project")
def test_a_key_is_needed_and_must_be_right(monkeypatch, cache):
    monkeypatch.setenv("MP_API_KEY", "x" * 32)
    with pytest.raises(SourceError, match=r"the Materials Project does not answer: .*401.*no such key"):
        load("materials-project:elements=Cu")
    monkeypatch.setenv("MP_API_KEY", "short")
    with pytest.raises(SourceError, match="valid API key"):
        load("materials-project:elements=Cu")
    monkeypatch.delenv("MP_API_KEY")
    with pytest.raises(SourceError, match="set MP_API_KEY to your key"):
        load("materials-project:elements=Cu")
    assert not any(b"x" * 32 in file.read_bytes() for file in cache.rglob("*") if file.is_file())


def test_conditions_become_the_clients_arguments():
    assert arguments("elements=Ti,O&nsites<20") == {
        "deprecated": False,
        "elements": ["Ti", "O"],
        "num_sites": (None, 19),
    }
    assert arguments("nelements=2&nsites>=3&nsites<=8") == {
        "deprecated": False,
        "num_elements": (2, 2),
        "num_sites": (3, 8),
    }
    found = arguments("energy_above_hull<0.1&band_gap>1&is_stable=true&spacegroup_number=225,227&deprecated=true")
    assert found["energy_above_hull"] == (None, math.nextafter(0.1, 0))
    assert found["band_gap"] == (math.nextafter(1, 2), None)
    assert found["is_stable"] is found["deprecated"] is True
    assert found["spacegroup_number"] == [225, 227]
    assert arguments("crystal_system=Cubic")["crystal_system"].value == "Cubic"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("element=Ti", "no condition 'element'.*Did you mean 'elements'"),
        ("chunk_size=3", "no condition 'chunk_size'"),
        ("nsites<many", "nsites|num_sites<many: invalid literal"),
        ("band_gap<nan", "a finite number"),
        ("elements<Ti", "one =, and a value"),
        ("formula=TiO2&formula=VO2", "one =, and a value"),
        ("is_stable=yes", "one of true, false"),
        ("crystal_system=cube", "one of .*Cubic"),
    ],
)
def test_what_the_client_does_not_know_is_refused(query, reason):
    with pytest.raises(SourceError, match=reason):
        arguments(query)


@pytest.mark.parametrize("query", ["", "elements", "elements=", "nsites!3", "elements=Ti&&nsites<3"])
def test_what_is_no_condition_is_refused(query):
    with pytest.raises(SourceError, match="is no condition, such as elements=Ti,O"):
        source_of(f"materials-project:{query}")
