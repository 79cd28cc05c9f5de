"""JSON taken piece by piece is what `json` makes of the whole."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xtalcodec.io.json import text as json_text
from xtalcodec.io.json.text import JsonText

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module", params=[1, 3, 20])
def piece(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "_PIECE", request.param)
        yield


@pytest.mark.usefixtures("piece")
@settings(max_examples=60)
@given(st.lists(VALUES, max_size=4), st.sampled_from([None, 1]), st.booleans())
def test_elements_are_those_of_the_whole_array(values, indent, ascii_only):
    written = json.dumps(values, indent=indent, ensure_ascii=ascii_only)
    text = JsonText(io.StringIO(written).read)
    assert repr(list(text.elements())) == repr(json.loads(written))
    text.end()


@pytest.mark.usefixtures("piece")
@settings(max_examples=60)
@given(st.dictionaries(TEXT, VALUES, max_size=4), st.sampled_from([None, 1]))
def test_fields_are_those_of_the_whole_object(values, indent):
    written = json.dumps(values, indent=indent)
    text = JsonText(io.StringIO(written).read)
    assert repr({key: text.value() for key in text.fields()}) == repr(json.loads(written))
    text.end()


def everything(written: str) -> list:
    text = JsonText(io.StringIO(written).read)
    found = list(text.elements())
    text.end()
    return found


BAD = ["", "<html>", "[", "[1", "[1,", "[1,]", "[1 2]", "[1.]", '[{"a": 1}', '[{"a": 1}{}]', '["a]', "[nul]", "[1]]"]


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("written", BAD)
def test_what_json_refuses_is_refused(written):
    with pytest.raises(ValueError, match=r"\(character \d+\)$|where it ends$"):
        everything(written)
    with pytest.raises(json.JSONDecodeError):
        json.loads(written)


def test_a_mistake_is_told_where_it_is_and_nothing_more_is_read(monkeypatch):
    monkeypatch.setattr(json_text, "_PIECE", 50)
    file = io.StringIO('[{"a": 1}, {"a" 2}, ' + " " * 10_000)
    with pytest.raises(ValueError, match=r"delimiter \(character 16\)"):
        list(JsonText(file.read).elements())
    assert file.tell() == 50


def test_a_value_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(json_text, "_PIECE", 16)
    monkeypatch.setattr(json_text, "MAX_BYTES", 1 << 10)
    file = io.StringIO('["' + "x" * 10_000)
    with pytest.raises(ValueError, match="one of its values holds more than"):
        list(JsonText(file.read).elements())
    assert file.tell() < 4 << 10
