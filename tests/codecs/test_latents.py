import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xtalcodec.codecs.latents import CrystalCode, LatentsError, LatentSet
from xtalcodec.geometry.niggli import niggli
from xtalcodec.testing import crystals, shifts

few = settings(max_examples=15, deadline=None, derandomize=True)

UNIMODULAR = (np.eye(3, dtype=int), np.array([[1, 2, 0], [0, 1, 0], [-1, 0, 1]]), np.eye(3, dtype=int)[[1, 0, 2]])


@st.composite
def codes(draw):
    patches = draw(st.tuples(*[st.integers(1, 3)] * 3))
    shape = (int(np.prod(patches)), draw(st.integers(1, 4)))
    z = draw(arrays(np.float32, shape, elements=st.floats(-1e6, 1e6, width=32)))
    lattice = 3e3 * np.eye(3) + draw(arrays(np.float64, (3, 3), elements=st.floats(-900, 900)))  # never flat
    return CrystalCode(
        draw(st.text(st.characters(codec="utf-8"))),
        z,
        patches,
        lattice,
        draw(st.sampled_from(UNIMODULAR)),
        given_as=draw(st.sampled_from(["pymatgen", "ase"])),
        noise=draw(st.floats(0, 1)),
        plain=draw(st.booleans()),
    )


def assert_equal(a, b):
    """Assert that two codes agree to the last bit."""
    assert (a.name, a.patches, a.given_as, a.noise, a.plain) == (b.name, b.patches, b.given_as, b.noise, b.plain)
    for field in ("z", "lattice", "basis", "origin"):
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
        assert getattr(a, field).dtype == getattr(b, field).dtype


def code(name="salt", patches=(1, 1, 2), latent=3, **changes):
    z = np.linspace(-1, 1, int(np.prod(patches)) * latent, dtype=np.float32).reshape(-1, latent)
    values = {"name": name, "z": z, "patches": patches, "lattice": np.eye(3) * 3.1, "basis": np.eye(3, dtype=int)}
    values |= {"origin": np.array([0.1, 0.2, 0.3])}
    return CrystalCode(**(values | changes))


@few
@given(st.lists(codes(), max_size=4))
def test_a_file_gives_back_every_bit(tmp_path_factory, drawn):
    path = tmp_path_factory.mktemp("latents") / "z.parquet"
    LatentSet(tuple(drawn), "mp-0123456789ab").to_parquet(path)
    back = LatentSet.from_parquet(path)
    assert (back.codec, len(back)) == ("mp-0123456789ab", len(drawn))
    for a, b in zip(drawn, back, strict=True):
        assert_equal(a, b)


def test_folders_are_made_and_older_latents_replaced(tmp_path):
    path = tmp_path / "new" / "folder" / "z.parquet"
    for name in ("first", "second"):
        LatentSet((code(name),), "mp-1").to_parquet(path)
    assert [c.name for c in LatentSet.from_parquet(path)] == ["second"]
    assert [p.name for p in path.parent.iterdir()] == ["z.parquet"]


def test_a_part_decodes_as_the_whole_does():
    latents = LatentSet(tuple(code(name, given_as="ase") for name in "abcd"), "mp-1")
    assert latents[1].name == "b"
    assert latents[-1].name == "d"
    assert [c.name for c in latents] == list("abcd")
    part = latents[1:3]
    assert isinstance(part, LatentSet)
    assert ([c.name for c in part], part.codec, part[0].given_as) == (["b", "c"], "mp-1", "ase")
    assert [c.name for c in latents[::-2]] == ["d", "b"]
    with pytest.raises(IndexError):
        latents[4]


def test_numbers_count_latent_lattice_origin_basis_and_grid():
    assert code(patches=(1, 2, 3), latent=8).length == 48 + 9 + 3 + 9 + 3


def write(path, metadata, **columns):
    """A parquet file like one of latents, with other contents."""
    row = {"name": ["x"], "z": [[0.0, 1.0]], "patches": [[1, 1, 2]], "lattice": [[1.0, 0, 0, 0, 1, 0, 0, 0, 1]]}
    row |= {"basis": [[1, 0, 0, 0, 1, 0, 0, 0, 1]], "origin": [[0.0, 0.5, 0.0]]} | columns
    table = pa.table({k: v for k, v in row.items() if v is not None})
    pq.write_table(table.replace_schema_metadata({"xtalcodec": metadata} if metadata is not None else None), path)


GOOD = '{"format": "xtalcodec-latents-1", "codec": "mp-1", "kind": "ase"}'


def test_the_file_that_the_others_differ_from_is_good(tmp_path):
    write(tmp_path / "z.parquet", GOOD)
    assert len(LatentSet.from_parquet(tmp_path / "z.parquet")) == 1


@pytest.mark.parametrize(
    ("metadata", "columns", "reason"),
    [
        (None, {}, "no latents file of xtalcodec"),
        ("{", {}, "cannot be read as latents"),
        ("[]", {}, "cannot be read as latents"),
        (GOOD.replace("-1", "-9"), {}, "format 'xtalcodec-latents-9' is not 'xtalcodec-latents-1'"),
        (GOOD.replace('"codec": "mp-1", ', ""), {}, "'codec' is missing"),
        (GOOD.replace("ase", "rdkit"), {}, "given as 'rdkit', which is none of pymatgen, ase"),
        (GOOD, {"z": None}, "'z' is missing"),
        (GOOD, {"z": [[0.0, float("nan")]]}, "x: a number is not finite"),
        (GOOD, {"z": [[0.0, float("inf")]]}, "x: a number is not finite"),
        (GOOD, {"z": [[0.0, None]]}, "x: a number is not finite"),
        (GOOD, {"z": [[1.0, 2.0, 3.0]]}, "x: 3 latent numbers for 1×1×2 patches"),
        (GOOD, {"z": [[]]}, "x: 0 latent numbers"),
        (GOOD, {"patches": [[1, 1, 0]]}, "2 latent numbers for 1×1×0 patches"),
        (GOOD, {"patches": [[1, 2]]}, "cannot be read as latents"),
        (GOOD, {"patches": pa.array([None], pa.list_(pa.int32()))}, "cannot be read as latents"),
        (GOOD, {"lattice": [[float("nan")] * 9]}, "x: a number is not finite"),
        (GOOD, {"lattice": [[0.0] * 9]}, "x: its cell has no volume"),
        (GOOD, {"lattice": [[4.0, 0, 0, 0, 4, 0, 4, 4, 0]]}, "x: its cell has no volume"),
        (GOOD, {"lattice": [[1.0] * 8]}, "cannot be read as latents"),
        (GOOD, {"basis": [[1, 0, 0, 0, 1, 0, 0, 0, None]]}, "cannot be read as latents"),
        (GOOD, {"basis": [[2, 0, 0, 0, 1, 0, 0, 0, 1]]}, "x: its basis changes the volume"),
        (GOOD, {"basis": [[0] * 9]}, "x: its basis changes the volume"),
        (GOOD, {"origin": [[0.0, float("nan"), 0.0]]}, "x: a number is not finite"),
    ],
)
def test_what_cannot_be_decoded_is_told_with_the_file_once(tmp_path, metadata, columns, reason):
    path = tmp_path / "z.parquet"
    write(path, metadata, **columns)
    with pytest.raises(LatentsError, match=reason) as raised:
        LatentSet.from_parquet(path)
    assert str(raised.value).count(str(path)) == 1


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_told(tmp_path, share):
    path = tmp_path / "z.parquet"
    LatentSet((code(),), "mp-1").to_parquet(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(LatentsError, match=r"z\.parquet: cannot be read as latents"):
        LatentSet.from_parquet(path)


def test_a_missing_file_and_a_text_are_told(tmp_path):
    (tmp_path / "text.parquet").write_text("data_x\n")
    for name in ("missing.parquet", "text.parquet"):
        with pytest.raises(LatentsError, match=f"{name}: cannot be read as latents"):
            LatentSet.from_parquet(tmp_path / name)


@few
@given(crystals(max_sites=5, min_separation=None, left_handed=True), shifts(), shifts())
def test_on_the_grid_and_in_the_given_cell_are_inverse(crystal, shift, origin):
    given_ = crystal.translated(shift)
    reduced, basis = niggli(given_)
    placed = CrystalCode("x", np.zeros((1, 1), np.float32), (1, 1, 1), reduced.lattice, basis, origin)
    lying = placed.on_grid(given_)
    np.testing.assert_allclose(lying.lattice, reduced.lattice, atol=1e-8)
    np.testing.assert_array_equal(lying.numbers, given_.numbers)
    moved = lying.frac_coords - reduced.frac_coords - origin
    np.testing.assert_allclose(moved, moved.round(), atol=1e-8)
    back = placed.in_given_cell(lying.frac_coords, lying.numbers)
    np.testing.assert_allclose(back.lattice, given_.lattice, atol=1e-8)
    np.testing.assert_array_equal(back.numbers, given_.numbers)
    moved = back.frac_coords - given_.frac_coords
    np.testing.assert_allclose(moved, moved.round(), atol=1e-8)
    assert ((back.frac_coords >= 0) & (back.frac_coords < 1)).all()
    again = placed.on_grid(back)
    moved = again.frac_coords - lying.frac_coords
    np.testing.assert_allclose(moved, moved.round(), atol=1e-8)


@few
@given(
    st.sampled_from(UNIMODULAR),
    arrays(np.float64, 3, elements=st.floats(-2, 2)),
    arrays(np.float64, (3, 3), elements=st.floats(-3, 3) | st.sampled_from([-1e-20, -1e-17, -5e-324, 1 - 2**-53, 1.0])),
)
def test_a_coordinate_of_one_never_comes_out(basis, origin, frac_coords):
    """In floating point −1e-20 % 1 is 1."""
    for at in (origin, np.zeros(3)):
        placed = CrystalCode("x", np.zeros((1, 1), np.float32), (1, 1, 1), 4 * np.eye(3), basis, at)
        found = placed.in_given_cell(frac_coords, np.array([1, 2, 3])).frac_coords
        assert ((found >= 0) & (found < 1)).all()
