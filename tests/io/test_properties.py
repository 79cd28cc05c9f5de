import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.io.properties import Properties, PropertiesError, read_properties


def named(name):
    return Crystal(np.eye(3) * 4, np.zeros((1, 3)), np.array([14]), name)


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "id_prop.csv"
        path.write_text(text)
        return path

    return write


def test_the_table_of_cgcnn_has_no_header(table):
    found = read_properties(table("mp-1,1.5\nmp-2,-3e-2\n"))
    assert found.names == ("property_1",)
    np.testing.assert_array_equal(found.of(named("mp-2")), [-0.03])
    assert np.isnan(found.of(named("mp-3"))).all()
    assert found.unknown([named("mp-1"), named("mp-3")]) == 1


def test_a_header_names_the_columns_and_empty_cells_are_not_known(table):
    found = read_properties(table("id, gap, energy\nmp-1, 1.5, \n\nmp-2,,nan\n"))
    assert found.names == ("gap", "energy")
    np.testing.assert_array_equal(found.of(named("mp-1")), [1.5, np.nan])
    np.testing.assert_array_equal(found.of(named("mp-2")), [np.nan, np.nan])


def test_names_that_look_like_numbers_are_ids(table):
    assert read_properties(table("1,2.0\n3,4.0\n")).of(named("3")) == [4.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no table"),
        ("mp-1\n", "no table"),
        ("mp-1,1\nmp-2,1,2\n", "line 2: 2 values"),
        ("mp-1,1\nmp-1,2\n", "line 2: 'mp-1' comes twice"),
        ("mp-1,1\nmp-2,high\n", "line 2: 'high' is no number"),
        ("id,gap,gap\nmp-1,1,2\n", "names that differ"),
    ],
)
def test_a_broken_table_is_told_with_its_line(table, text, message):
    with pytest.raises(PropertiesError, match=message):
        read_properties(table(text))


def test_bytes_that_are_no_text_are_no_table(tmp_path):
    (tmp_path / "x.csv").write_bytes(bytes(range(256)))
    with pytest.raises(PropertiesError, match="no CSV table"):
        read_properties(tmp_path / "x.csv")


def test_the_digest_tells_tables_apart_and_not_their_order(table):
    digests = [
        read_properties(table(text)).digest()
        for text in ("a,1\nb,2\n", "b,2\na,1\n", "a,1\nb,3\n", "id,gap\na,1\nb,2\n", "a,1\n")
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4
    assert Properties().digest() not in digests
