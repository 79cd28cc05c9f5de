"""Who may ask, and how much: a guard before every request, of pages, files and the socket alike."""

import hmac
import html
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "xtalcodec-token"
_DIGITS = 18
"""Of the length of a body, at most: Python reads no number of thousands of digits."""

POLICY = (
    "default-src 'self'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'; "  # NiceGUI's own; no text of a file ever becomes a script
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self' ws: wss:; font-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)

ASK = """<!doctype html><html lang="en"><meta charset="utf-8"><title>xtalcodec: token</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<body style="font: 16px/1.5 system-ui, sans-serif; max-width: 34em; margin: 12vh auto; padding: 0 16px">
<main><h1 style="font-size: 22px">xtalcodec</h1><p>{why}</p>
<form>{rest}<label>Token <input name="token" type="password" autocomplete="off" required autofocus></label>
<button>Open</button></form></main>"""


class Guard:
    """Refuses strangers, foreign pages and bodies without end."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] | None, token: str | None, largest: int) -> None:
        """Take the rules.

        Parameters
        ----------
        app
            What is guarded.
        hosts
            Names that the server is asked by, in lower case; None for any. Other names are those of pages that point
            at this machine.
        token
            Without it nothing is answered; None where none is asked for.
        largest
            Bytes of a request's body.
        """
        self.app, self.token, self.largest = app, token, largest
        self.hosts = None if hosts is None else set(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let pass."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {key.decode("latin1"): value.decode("latin1") for key, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal is None:
            await self.app(scope, self._bounded(receive), _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> ASGIApp | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        name = _split(f"//{host}").hostname or ""
        if (host and not name) or (self.hosts is not None and name not in self.hosts):
            return PlainTextResponse("This server does not go by that name.", 403)
        if origin is not None and _split(origin).netloc.lower() != host.lower():
            return PlainTextResponse("Another site's page asks; that is refused.", 403)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > _DIGITS or int(length) > self.largest:
            return PlainTextResponse(f"That is larger than {self.largest >> 20} MiB, which is refused.", 413)
        return self._stranger(scope, headers)

    def _stranger(self, scope: Scope, headers: dict[str, str]) -> ASGIApp | None:
        if self.token is None or self._right(_cookie(headers.get("cookie", ""))):
            return None
        words = parse_qsl(scope["query_string"].decode("latin1"), keep_blank_values=True)
        asked = next((value for key, value in words if key == "token"), "")
        rest = [(key, value) for key, value in words if key != "token"]
        if asked and self._right(asked):
            path = "/" + scope["path"].lstrip("/")  # with two of them it would be another host
            answer = RedirectResponse(f"{path}?{urlencode(rest)}" if rest else path, 303)
            answer.set_cookie(COOKIE, self.token, httponly=True, samesite="lax")
            return answer
        why = "That token is not right." if asked else "This server asks for its token: whoever started it has it."
        kept = "".join(f'<input type="hidden" name="{html.escape(k)}" value="{html.escape(v)}">' for k, v in rest)
        return HTMLResponse(ASK.format(why=html.escape(why), rest=kept), 401)

    def _right(self, given: str) -> bool:
        return self.token is not None and hmac.compare_digest(given.encode(), self.token.encode())

    def _bounded(self, receive: Receive) -> Receive:
        """Count the bytes of a body that does not say its length."""
        left = self.largest

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            if message["type"] == "http.request":
                left -= len(message.get("body", b""))
                if left < 0:
                    return {"type": "http.disconnect"}
            return message

        return bounded


def _with_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
        await send(message)

    return with_headers


def _split(address: str) -> SplitResult:
    """Return the parts of an address; those of an empty one where it is malformed."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _cookie(text: str) -> str:
    try:
        found = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
