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
        app = Starlette(routes=[Route("/", echo, methods=["GET", "POST"])])
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


def test_answers_carry_the_policy(client):
    headers = client().get("/").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
