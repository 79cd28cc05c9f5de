"""Every symbol of both tables of settings, against the operations that the table's own Hall symbol gives."""

import warnings
from collections import Counter

import gemmi
import numpy as np
import pytest
import spglib

from xtalcodec.crystal import CrystalError
from xtalcodec.io.cif.read import crystal_of_block
from xtalcodec.io.symmetry.space_groups import Named, candidates

SITE = np.array([0.1234567, 0.2765431, 0.0812347])
SYMBOL, HALL, NUMBER = "_symmetry_space_group_name_H-M", "_space_group_name_Hall", "_symmetry_Int_Tables_number"
GEMMI = [(g.number, g.hall, (g.xhm(), g.hm, g.short_name())) for g in gemmi.spacegroup_table()]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # spglib's, of how it will raise errors one day
    SPGLIB = [
        (s.number, s.hall_symbol, (s.international_full, f"{s.international_full}:{s.choice}".rstrip(":")))
        for s in (spglib.get_spacegroup_type(k) for k in range(1, 531))
    ]


def cif(tags: dict[str, str | int], operations: list, seed: int) -> str:
    """Write one site on a general position of a cell that has the operations' symmetry and no more."""
    vectors = np.diag([5.1, 6.3, 7.7]) + 0.6 * np.random.default_rng(seed).normal(size=(3, 3))
    rotations = [np.array(operation.rot) / 24 for operation in operations]
    metric = np.mean([r.T @ vectors @ vectors.T @ r for r in rotations], axis=0)
    lengths = np.sqrt(np.diag(metric))
    angles = np.degrees(np.arccos([metric[i, j] / lengths[i] / lengths[j] for i, j in ((1, 2), (0, 2), (0, 1))]))
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = ["data_x", *(f"{tag}\n;{value}\n;" for tag, value in tags.items())]
    lines += [f"_cell_{name} {value:.6f}" for name, value in zip(names, [*lengths, *angles], strict=True)]
    lines += ["loop_", "_atom_site_label", *(f"_atom_site_fract_{x}" for x in "xyz")]
    lines += [f"Si1 {SITE[0]} {SITE[1]} {SITE[2]}"]
    return "\n".join(lines) + "\n"


def outcome(number: int, hall: str, tags: dict[str, str | int]) -> str:
    """Say whether the crystal has exactly the images that the table's operations make."""
    operations = list(gemmi.symops_from_hall(hall))
    try:
        crystal = crystal_of_block(cif(tags, operations, number), 2000)
    except CrystalError as error:
        return str(error)
    images = np.array([np.array(o.rot) / 24 @ SITE + np.array(o.tran) / 24 for o in operations])
    away = crystal.frac_coords[:, None] - images
    met = abs(away - np.round(away)).max(-1) < 1e-4
    return "right" if len(crystal) == len(images) and met.any(1).all() and met.any(0).all() else "wrong"


def sweep(table: list, tags_of) -> Counter[str]:
    return Counter(outcome(number, hall, tags_of(number, hall, symbols)) for number, hall, symbols in table)


@pytest.mark.slow
@pytest.mark.parametrize("table", [GEMMI, SPGLIB], ids=["gemmi", "spglib"])
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "with number"])
def test_no_setting_is_read_as_another(table, beside):
    table = table[::3] if beside else table  # a number beside a name takes settings away and brings none

    def number(n):
        return {NUMBER: n} if beside else {}

    assert sweep(table, lambda n, hall, _: {HALL: hall, **number(n)}) == {"right": len(table)}
    for k in range(len(table[0][2])):
        found = sweep(table, lambda n, _, symbols, k=k: {SYMBOL: symbols[k], **number(n)})
        assert not found["wrong"]
        refused = {why: count for why, count in found.items() if why != "right"}
        assert all("choices of origin: " in why or " is ambiguous: " in why for why in refused), refused
        assert all(" or " in why for why in refused)
        # Only a symbol without its origin is ambiguous, and with the letter e that of the second glide plane too.
        assert sum(refused.values()) <= (0 if table is GEMMI and k == 0 else 72), refused


@pytest.mark.parametrize(
    ("spelling", "hall"),
    [
        ("P 21/c", "-P 2ybc"), ("P2_1/c", "-P 2ybc"), ("p 1 2(1)/c 1", "-P 2ybc"), ("P 21/n", "-P 2yn"),
        ("C 2/c", "-C 2yc"), ("P m 3 m", "-P 4 2 3"), ("Fm3m", "-F 4 2 3"), ("F m 3 c", "-F 4a 2 3"),
        ("Fd-3m :2", "-F 4vw 2vw 3"), ("F d -3 m S", "F 4d 2 3 -1d"), ("F d -3 m Z", "-F 4vw 2vw 3"),
        ("R -3 c H", '-R 3 2"c'), ("R3c:h", 'R 3 -2"c'), ("H 3 2", 'R 3 2"'), ("R-3m :R", "-P 3* 2"),
        ("A e m 2", "A 2 -2b"), ("C m c e", "-C 2bc 2"), ("P 4/m 2/m 2/m", "-P 4 2"), ("B 2/b", "-B 2b"),
    ],
)  # fmt: skip
def test_spellings(spelling, hall):
    number = gemmi.find_spacegroup_by_ops(gemmi.symops_from_hall(hall)).number
    assert outcome(number, hall, {SYMBOL: spelling}) == "right"


def test_nought_is_no_space_group():
    assert candidates(Named("0")) == []
