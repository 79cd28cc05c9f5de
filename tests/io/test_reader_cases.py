"""What people have, in one file a kind: the right crystals, or the true reason why not."""

import json
from pathlib import Path

import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.io.cif.checks import contents
from xtalcodec.io.read import Unusable, read
from xtalcodec.testing import mutate

FOLDER = Path(__file__).parent / "cases"
CASES = json.loads((FOLDER / "expected.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_each_kind_is_read_or_refused_with_the_reason(case):
    found = list(read(FOLDER / case["file"]))
    expected = case["expect"] if isinstance(case["expect"], list) else [case["expect"]]
    assert len(found) == len(expected), found
    for item, want in zip(found, expected, strict=True):
        if want == {"refused": True}:
            assert isinstance(item, Unusable), item
            assert case.get("reason", "") in item.reason
        else:
            assert not isinstance(item, Unusable), item
            assert contents(item) == pytest.approx(want, abs=1e-6)
            assert case.get("note", "") in "; ".join(item.notes)


@pytest.mark.parametrize("ends", [".cif", ".mcif", "CAR", ".xyz", ".json", ".res", ".csv"])
def test_damaged_cases_give_crystals_or_reasons(tmp_path, ends):
    sources = [FOLDER / case["file"] for case in CASES if case["file"].endswith(ends)]
    rng = np.random.default_rng(11)
    for k in range(60):
        source = sources[k % len(sources)]
        path = tmp_path / source.name
        path.write_bytes(mutate(source.read_bytes(), rng))
        items = list(read(path))
        assert items
        for item in items:
            assert isinstance(item, Crystal) or (0 < len(item.reason) <= 200 and item.reason.isprintable())
            assert isinstance(item, Crystal) or "Type-check" not in item.reason
