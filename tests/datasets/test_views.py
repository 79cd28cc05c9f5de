from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.datasets.views import ViewsConfig, crystal_digest, look, paint_row, settings_of
from xtalcodec.io.properties import Properties
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.representations.unit_cell import UnitCellConfig
from xtalcodec.representations.window_field import ViewBatch, WindowConfig, density, density_nearest, species_map
from xtalcodec.testing import crystals

few = settings(max_examples=15, deadline=None, derandomize=True)
small = WindowConfig(points=10)
both = pytest.mark.parametrize(
    "representation", [UnitCellConfig(window=small), RepeatingConfig(window=small, rotate=True)]
)
SILICON = Crystal(np.eye(3) * 5.43, np.array([[0, 0, 0], [0.25, 0.25, 0.25]]), np.array([14, 14]), "Si")


def fits(crystal, view, config):
    try:
        look(crystal, view, config)
    except CrystalError:
        return False
    return True


@both
@few
@given(crystal=crystals(max_sites=3), seed=st.integers(0, 2**40), view=st.integers(0, 5))
def test_a_view_is_its_own_whatever_was_looked_at_before(representation, crystal, seed, view):
    config = ViewsConfig(representation, seed=seed)
    assume(fits(crystal, view, config))
    once, _ = look(crystal, view, config)
    look(SILICON, view, config)
    again, _ = look(crystal, view, config)
    np.testing.assert_array_equal(once.positions, again.positions)
    np.testing.assert_allclose(once.lattice, crystal.lattice @ once.rotation.T, atol=1e-12)


@both
def test_views_crystals_names_and_seeds_have_streams_of_their_own(representation):
    config = ViewsConfig(representation)
    renamed = Crystal(SILICON.lattice, SILICON.frac_coords, SILICON.numbers, "other")
    moved = SILICON.translated(np.array([0.0, 0.0, 1e-9]))
    rotations = [
        look(crystal, view, c)[0].rotation
        for crystal, view, c in (
            (SILICON, 0, config),
            (SILICON, 1, config),
            (renamed, 0, config),
            (moved, 0, config),
            (SILICON, 0, ViewsConfig(representation, seed=1)),
        )
    ]
    assert len({r.tobytes() for r in rotations}) == 5


def test_the_first_repeating_view_has_the_origin_in_the_corner():
    config = ViewsConfig(RepeatingConfig(window=small))
    assert not look(SILICON, 0, config)[0].offset.any()
    assert look(SILICON, 1, config)[0].offset.any()


@both
@pytest.mark.parametrize("images", ["all", "nearest"])
def test_a_row_is_the_painted_view(representation, images):
    config = ViewsConfig(representation, images=images)
    row = paint_row(SILICON, 2, config)
    seen, _ = look(SILICON, 2, config)
    atoms = ViewBatch.collate([seen])
    painted = (density if images == "all" else density_nearest)(atoms, small)[0].numpy()
    np.testing.assert_array_equal(row["density"], painted)
    np.testing.assert_array_equal(row["species_map"], species_map(atoms, small)[0].numpy())
    assert row["atoms"] == len(row["positions"]) == len(row["numbers"])


def test_the_coin_is_the_views_own():
    dense = Crystal(np.eye(3) * 3, np.array([[0, 0, 0], [0.3, 0, 0]]), np.array([14, 8]), "dense")
    config = ViewsConfig(RepeatingConfig(window=WindowConfig(label_radius=0.9)), ties="coin")
    once, again = (paint_row(dense, 1, config)["species_map"] for _ in range(2))
    np.testing.assert_array_equal(once, again)
    nearest = paint_row(dense, 1, ViewsConfig(config.representation))["species_map"]
    assert ((once > 0) == (nearest > 0)).all()
    assert (once != nearest).any()


def test_everything_that_shapes_a_store_is_in_its_settings():
    def told(config=None, given=(SILICON,), table=None):
        return str(settings_of(config or ViewsConfig(), list(given), table or Properties()))

    changed = [
        ViewsConfig(views=2),
        ViewsConfig(seed=1),
        ViewsConfig(shard=2),
        ViewsConfig(images="nearest"),
        ViewsConfig(ties="coin"),
        ViewsConfig(RepeatingConfig()),
        ViewsConfig(UnitCellConfig(window=small)),
    ]
    tables = [Properties(("gap",), {"Si": np.array([x])}) for x in (1.0, 2.0)]
    all_of_them = [told(), told(given=(SILICON, SILICON)), *map(told, changed), *(told(table=t) for t in tables)]
    assert len(set(all_of_them)) == len(all_of_them)
    assert crystal_digest(SILICON) != crystal_digest(SILICON.translated(np.array([0.5, 0, 0])))


def test_a_disordered_crystal_is_unfit_and_told_from_others():
    one, other = (Crystal.of_shares(np.eye(3) * 4, np.zeros((1, 3)), [[(26, x)]], "x") for x in (0.6, 0.7))
    with pytest.raises(CrystalError, match="it is disordered"):
        paint_row(one, 0, ViewsConfig())
    assert crystal_digest(one) != crystal_digest(other)


def test_the_digest_of_an_ordered_crystal_stays():
    """Views are seeded by it: stores that were painted before can be painted again."""
    want = "e8170d232fac205f1fe0dd890ecedf7db1441ac4fd28547200f9d901f18a8af1"
    assert crystal_digest(SILICON).hex() == want


def test_a_name_that_no_text_can_be_has_a_digest():
    """As of a file whose name is not UTF-8."""
    assert crystal_digest(replace(SILICON, name="\udcff")) != crystal_digest(SILICON)
