"""The paper's measures of windows."""

from dataclasses import replace

import numpy as np
import pytest

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.windows import measure, nearest, same_count, short, species, window_summary
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCellConfig


def made(lattice, frac_coords, numbers, name: str = "") -> Crystal:
    return Crystal(lattice, np.array(frac_coords, dtype=float), np.array(numbers), name)


CAESIUM_CHLORIDE = made(4.12 * np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]], [55, 17], "CsCl")
LINE = made(np.diag([3.0, 3, 30]), [[0, 0, k / 8] for k in range(8)], [6] * 8, "line")


@pytest.fixture(scope="module", params=[UnitCellConfig, RepeatingConfig])
def rows(request):
    """The weights of mp-unit-cell, also on windows that they were not trained on."""
    codec = open_codec(CodecConfig("windows", request.param(patches=6)))
    codec.network.load_state_dict(Codec.from_pretrained("mp-unit-cell").network.state_dict())
    return measure(codec, [CAESIUM_CHLORIDE, LINE], seed=3, refine=False)


def test_a_crystal_comes_back_and_its_density_too(rows):
    row = rows[0]
    assert row.fits
    assert row.reconstruction.matched
    assert same_count(row)
    true, decoded = species(row)
    assert (true == decoded).all()
    assert np.mean((row.true_density - row.decoded_density) ** 2) < 1e-3
    assert row.true_density.max() > 2


def test_a_repeating_window_shows_its_lattice(rows):
    if rows[0].alone is None:
        assert len(rows[0].true.numbers) == 2  # one cell
    else:
        assert rows[0].alone.matched
        assert len(rows[0].true.numbers) > 20


def test_what_does_not_fit_counts_as_unmatched(rows):
    assert not rows[1].fits
    assert "fit" in rows[1].reconstruction.reason or "smaller" in rows[1].reconstruction.reason
    scores = window_summary(rows)
    assert (scores["n"], scores["fit"]) == (2, 1)
    assert (scores["match_rate"], scores["match_rate_fitting"], scores["count_per_window"]) == (0.5, 1.0, 1.0)


def test_other_seeds_see_other_windows():
    codec = open_codec(CodecConfig("windows", UnitCellConfig(patches=6)))
    codec.network.load_state_dict(Codec.from_pretrained("mp-unit-cell").network.state_dict())
    first, again, other = (
        measure(codec, [CAESIUM_CHLORIDE], seed=s, refine=False)[0].true.positions for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_missing_wrong_and_extra_atoms_are_seen(rows):
    row = rows[0]
    missing = replace(row, decoded=FoundAtoms.known(row.true.positions[1:], row.true.numbers[1:]))
    assert not same_count(missing)
    assert (species(missing)[1] == 0).sum() == 1
    positions = np.concatenate([row.true.positions, [[5.0, 5.0, 4.0]]])
    extra = replace(row, decoded=FoundAtoms.known(positions, np.append(row.true.numbers, 1)))
    assert not same_count(extra)
    wrong = replace(row, decoded=FoundAtoms.known(row.true.positions, row.true.numbers + 1))
    assert window_summary([wrong])["species_per_atom"] == 0.0
    assert window_summary([missing])["true_to_decoded_percentiles"]["99"] > 1
    nothing = replace(row, decoded=FoundAtoms.known(np.zeros((0, 3)), np.zeros(0, dtype=np.int64)))
    assert window_summary([nothing])["count_per_window"] == 0.0


def test_the_nearest_of_none_is_infinitely_far():
    assert np.isinf(nearest(np.ones((2, 3)), np.zeros((0, 3)))[0]).all()


def test_short_is_about_the_primitive_cell():
    supercell = made(np.diag([4.12, 4.12, 8.24]), [[0, 0, 0], [0, 0, 0.5]], [84, 84])
    assert short(supercell)
    assert not short(made(np.diag([4.12, 4.12, 8.24]), [[0, 0, 0], [0, 0, 0.5]], [84, 83]))


def test_a_codec_of_no_window_is_refused(mp):
    with pytest.raises(TypeError, match="'mp' is of no window"):
        measure(mp, [CAESIUM_CHLORIDE])
