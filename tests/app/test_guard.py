"""The guard refuses strangers, pages of other sites, and bodies without end."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from xtalcodec.app.guard import Guard


async def echo(request: Request):
    return PlainTextResponse(f"{len(await request.body())}")


@pytest.fixture
def client():
    testing = pytest.importorskip("starlette.testclient")

    def make(**rules):
        app = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST"])])
        values = {"hosts": ("localhost",), "token": None, "largest": 100} | rules
        return testing.TestClient(Guard(app, **values), base_url="http://localhost:8050")

    return make


def test_only_its_own_names_and_pages_are_answered(client):
    assert client().get("/").status_code == 200
    assert client().get("/", headers={"host": "evil.example:8050"}).status_code == 403
    assert client().get("/", headers={"origin": "http://evil.example"}).status_code == 403
    assert client().get("/", headers={"origin": "http://localhost:9999"}).status_code == 403
    assert client().post("/", headers={"origin": "http://localhost:8050"}).status_code == 200


def test_large_bodies_are_refused(client):
    assert client().post("/", content=b"x" * 100).text == "100"
    assert client().post("/", content=b"x" * 101).status_code == 413
    assert client().post("/", content=b"", headers={"content-length": "-1"}).status_code == 413


def test_the_token_is_asked_for_and_remembered(client):
    one = client(hosts=None, token="secret")  # noqa: S106
    assert one.get("/").status_code == 401
    assert "not right" in one.get("/?token=wrong").text
    assert one.get("/?token=secret").status_code == 200  # after the redirection, by the cookie
    assert one.get("/").status_code == 200
    assert client(hosts=None, token="secret").get("/", headers={"cookie": "xtalcodec-token=wrong"}).status_code == 401  # noqa: S106


def test_what_is_malformed_is_refused(client):
    assert client().get("/", headers={"host": "["}).status_code == 403
    assert client(hosts=None).get("/", headers={"host": "["}).status_code == 403
    assert client().get("/", headers={"origin": "http://["}).status_code == 403
    for length in (b"\xb2", b"9" * 5000):
        assert client().post("/", content=b"", headers={"content-length": length}).status_code == 413


def test_the_rest_of_a_link_outlives_the_token(client):
    one = client(hosts=None, token="secret")  # noqa: S106
    asked = one.get("/between?crystal=a%2Bb&to=&token=wrong")
    assert '<input type="hidden" name="crystal" value="a+b">' in asked.text
    assert "&lt;b&gt;" in one.get("/?crystal=<b>").text
    answer = one.get("/between?crystal=a%2Bb&token=secret&to=", follow_redirects=False)
    assert answer.headers["location"] == "/between?crystal=a%2Bb&to="
    two = client(hosts=None, token="secret")  # noqa: S106
    elsewhere = two.get("http://localhost:8050//evil.example/?token=secret", follow_redirects=False)
    assert elsewhere.headers["location"] == "/evil.example/"


def test_answers_carry_the_policy(client):
    headers = client().get("/").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
