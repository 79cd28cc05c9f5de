"""OPTIMADE, against its reference server."""

from itertools import islice

import numpy as np
import pytest

from xtalcodec.crystal import Crystal
from xtalcodec.datasets import load, source_of, stream
from xtalcodec.datasets.source import SourceError
from xtalcodec.datasets.sources.optimade import Optimade


@pytest.fixture
def url(optimade):
    (optimade / "requests").write_text("")
    return f"http://127.0.0.1:{(optimade / 'port').read_text()}"


def requests(optimade):
    return (optimade / "requests").read_text().splitlines()


def test_all_pages_are_read_in_order_and_what_cannot_be_used_is_told(optimade, url, prototypes):
    crystals, unusable = load(f"optimade:{url}?page_limit=4")
    shared = crystals.pop(3)
    assert shared.name == "shared"
    assert dict(shared.sites_shares()[0]) == pytest.approx({80: 0.75, 48: 0.25})
    expected = [c for c in prototypes if len(c) <= 6][:8]
    assert [c.name for c in crystals] == [c.name for c in expected]
    for crystal, true in zip(crystals, expected, strict=True):
        np.testing.assert_allclose(crystal.lattice, true.lattice, atol=1e-12)
        np.testing.assert_allclose((crystal.frac_coords - true.frac_coords), 0, atol=1e-9)
        assert crystal.numbers.tolist() == true.numbers.tolist()
    assert [(u.name, u.reason) for u in unusable] == [
        ("optimade:nowhere", "the database has no cartesian_site_positions of it"),
    ]
    assert len(requests(optimade)) == 3


def test_the_filter_is_the_servers(url):
    names = [c.name for c in load(f'optimade:{url}/v1/structures?filter=elements HAS "Hg" AND nelements=2')[0]]
    assert names == ["AB_hP6_154_a_b", "shared"]
    assert names == [c.name for c in load(f"optimade:{url}/?filter=elements%20HAS%20%22Hg%22%20AND%20nelements=2")[0]]


def test_a_bad_filter_is_refused_with_the_servers_reason(url):
    with pytest.raises(SourceError, match=r"(?s)refuses, with status 400: Unable to parse filter elements HAS"):
        load(f"optimade:{url}?filter=elements HAS")


def test_a_stream_that_a_server_cut_short_goes_on_where_it_stopped(optimade, url):
    line, came, told = f"optimade:{url}?page_limit=4", [], []
    (optimade / "broken").touch()
    try:
        with pytest.raises(SourceError, match="status 500"):
            came.extend(item.name for item in stream(line))
    finally:
        (optimade / "broken").unlink()
    assert len(came) == 4, "the first page has come"
    items = list(stream(line, progress=lambda *of: told.append(of)))
    assert [item.name for item in items][:4] == came
    assert told == [(k + 1, 10) for k in range(10)]
    assert len(requests(optimade)) == 4, "page 1, page 2 in vain, page 2, page 3"
    assert [item.name for item in stream(line)] == [item.name for item in items]
    assert len(requests(optimade)) == 4, "nobody is asked for what is kept"


def test_a_page_is_fetched_when_it_is_needed(optimade, url):
    assert isinstance(next(stream(f"optimade:{url}")), Crystal)
    assert len(requests(optimade)) == 1
    assert len(list(islice(stream(f"optimade:{url}?page_limit=2&filter=nsites>0"), 3))) == 3
    assert len(requests(optimade)) == 3


def test_a_damaged_page_is_fetched_again(optimade, url, cache):
    line = f"optimade:{url}?page_limit=4"
    names = [item.name for item in stream(line)]
    (page,) = cache.rglob("000001.json.gz")
    page.write_bytes(page.read_bytes()[:40])
    assert [item.name for item in stream(line)] == names
    assert len(requests(optimade)) == 4


def test_no_server_no_optimade_and_no_json_are_told(serve):
    with pytest.raises(SourceError, match=r"127.0.0.1:9 does not answer"):
        load("optimade:http://127.0.0.1:9")
    for body, reason in (
        (b"<html>", "its answer is no JSON"),
        (b"[1]", "its answer is not OPTIMADE's"),
        (b'{"data": [{"id": "x"}]}', "its answer is not OPTIMADE's"),
        (b'{"data": [], "meta": {"more_data_available": true}}', "there is more, and not where"),
    ):
        server = serve(lambda *_, body=body: (200, {}, body))
        with pytest.raises(SourceError, match=reason):
            load(f"optimade:{server.url}")


@pytest.mark.parametrize("link", ["{here}/v1/structures?page=2", "https://127.0.0.1:1/v1/structures?page=2", "?page=2"])
def test_links_stay_on_the_server_and_keep_the_fields(serve, link):
    """Behind a proxy, scheme and port of the link are the inner ones; some links forget the fields."""

    def answer(path, _):
        more = b'"links": {"next": {"href": "%s"}}, ' % link.replace("{here}", server.url).encode()
        return 200, {}, b"{" + (b"" if "page=2" in path else more) + b'"data": []}'

    server = serve(answer)
    assert load(f"optimade:{server.url}") == ([], [])
    assert len(server.asked) == 2
    assert all("cartesian_site_positions" in path for path in server.asked)


def test_no_answer_sends_us_to_another_server_or_round_in_a_circle(serve):
    server = serve(lambda *_: (200, {}, b'{"data": [], "links": {"next": "http://localhost:1/x"}}'))
    with pytest.raises(SourceError, match="next page is on another server, localhost, which is not asked"):
        load(f"optimade:{server.url}")
    server = serve(lambda *_: (200, {}, b'{"data": [], "links": {"next": "/v1/structures?page=2"}}'))
    with pytest.raises(SourceError, match="its pages go round in a circle"):
        load(f"optimade:{server.url}")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "needs the address of a database"),
        ("file:///etc/passwd", "needs the address of a database"),
        ("https://a.org?page_limit=0", "page_limit is a number"),
        ("https://a.org?filtre=nsites<3", "no option 'filtre'.*Did you mean 'filter'"),
        ("https://a.org?filter=", "option 'filter' has no value"),
    ],
)
def test_what_is_no_query_is_refused(query, reason):
    with pytest.raises(SourceError, match=reason):
        source_of(f"optimade:{query}")


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1.2/", "/structures", "/v1/structures"])
def test_a_base_address_may_be_written_with_its_version(end):
    assert source_of(f"optimade:https://a.org/optimade{end}") == Optimade("https://a.org/optimade")
