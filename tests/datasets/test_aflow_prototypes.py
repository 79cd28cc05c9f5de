import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.datasets import load


@pytest.fixture(scope="module")
def prototypes() -> list[Crystal]:
    crystals, unusable = load("aflow-prototypes")
    assert not unusable
    return crystals


def test_all_288_have_a_name_of_their_own(prototypes):
    assert len(prototypes) == 288
    assert len({crystal.name.casefold() for crystal in prototypes}) == 288
    assert "AB_hP6_154_a_b" in {crystal.name for crystal in prototypes}
    assert min(map(len, prototypes)) == 1
    assert max(map(len, prototypes)) == 105


def test_their_space_groups_are_those_of_their_labels(prototypes):
    import moyopy

    wrong = []
    for crystal in prototypes:
        cell = moyopy.Cell(crystal.lattice.tolist(), crystal.frac_coords.tolist(), crystal.numbers.tolist())
        if str(moyopy.MoyoDataset(cell, symprec=1e-2).number) not in crystal.name.split("_"):
            wrong.append(crystal.name)
    # AFLOW names some prototypes by the group of the real crystal, below the symmetry of pymatgen's idealised one.
    assert len(wrong) < 12, wrong


def test_too_many_sites_are_told():
    crystals, unusable = load(["aflow-prototypes"], max_sites=50)
    assert len(crystals) + len(unusable) == 288
    assert max(map(len, crystals)) <= 50
    assert {item.reason.split("; ")[1] for item in unusable} == {"the limit is 50"}
