"""Columns of a data set: as the data has them, and computed ones against values known by hand."""

from dataclasses import replace

import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.datasets.columns import ColumnError, Entry, available, column


@pytest.fixture
def entries():
    """Rock salt, caesium chloride, copper; of the last one, less is known."""
    salt = Crystal(
        2.82 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([11, 17])
    )
    caesium = Crystal(4.12 * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([55, 17]))
    copper = Crystal(2.56 * np.eye(3), np.zeros((1, 3)), np.array([29]))
    known = [
        {"band_gap": 5.0, "kind": "salt", "metal": False, "id": "a", "vector": [1, 2]},
        {"band_gap": 6, "kind": "salt", "metal": False, "id": "b"},
        {"kind": "metal", "metal": True, "id": "c"},
    ]
    return [Entry.of(replace(one, properties=has)) for one, has in zip((salt, caesium, copper), known, strict=True)]


def test_numbers_and_texts_of_the_data(entries):
    gap, kind, metal = (column(entries, name) for name in ("band_gap", "kind", "metal"))
    assert (gap.label, gap.categories, gap.known) == ("Band gap, eV", None, 2)
    np.testing.assert_array_equal(gap.values, [5, 6, np.nan])
    assert [gap.text(k) for k in range(3)] == ["5", "6", ""]
    assert (kind.categories, kind.values.tolist()) == (("salt", "metal"), [0, 0, 1])
    assert [metal.text(k) for k in range(3)] == ["no", "no", "yes"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("number_of_elements", [2, 2, 1]),
        ("sites", [2, 2, 1]),
        ("mean_atomic_number", [14, 36, 29]),
        ("most_electronegative", ["Cl", "Cl", "Cu"]),
        ("share:Cl", [0.5, 0.5, 0]),
        ("volume_per_atom", [2.82**3, 4.12**3 / 2, 2.56**3]),
        ("density", [2.164, 3.998, 6.290]),  # 58.443, 168.358 and 63.546 u in these cells
        ("crystal_system", ["cubic"] * 3),
        ("space_group", [225, 221, 221]),
    ],
)
def test_what_follows_from_composition_and_cell(entries, name, values):
    found = column(entries, name)
    if isinstance(values[0], str):
        assert [found.text(k) for k in range(3)] == values
    else:
        np.testing.assert_allclose(found.values, values, rtol=1e-3)


def test_an_index_knows_compositions_alone(entries):
    bare = [Entry(one.name, one.formula, one.sites) for one in entries]
    for name in ("number_of_elements", "sites", "mean_atomic_number", "most_electronegative", "share:Cl"):
        np.testing.assert_allclose(column(bare, name).values, column(entries, name).values)
    with pytest.raises(ColumnError, match="density takes crystals, which an index does not keep"):
        column(bare, "density")
    assert set(available(bare)) == {"number_of_elements", "sites", "mean_atomic_number", "most_electronegative"}


def test_what_is_offered_comes_from_the_data_first(entries):
    offered = available(entries)
    assert offered[:4] == ["band_gap", "kind", "metal", "id"]
    assert "vector" not in offered
    assert "crystal_system" in offered
    assert "crystal_system" not in available(entries, symmetry=False)


def test_a_column_that_is_not_there_is_told(entries):
    with pytest.raises(
        ColumnError, match=r"no property of the data 'bandgap'; have band_gap, .* Did you mean 'band_gap'"
    ):
        column(entries, "bandgap")
    with pytest.raises(ColumnError, match="share:Xx: there is no element 'Xx'"):
        column(entries, "share:Xx")
    with pytest.raises(ColumnError, match="vector has lists of values"):
        column(entries, "vector")
