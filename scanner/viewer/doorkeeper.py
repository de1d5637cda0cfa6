"""Who may talk to the viewer: whoever has the token that the command told, and no web page but the viewer's own."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from secrets import compare_digest, token_urlsafe
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "token"
_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
_REFUSAL = b"Open the address that cxrscan view told in the terminal; it ends with a token.\n"
_HEADERS = [
    (b"referrer-policy", b"no-referrer"),  # the address holds the token
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
]


def new_token() -> str:
    """A secret for one start of the viewer."""
    return token_urlsafe(32)


class Doorkeeper:
    """ASGI middleware that passes on what comes with the token, in the address or in the cookie that it sets.

    The name of the host is checked, since a web page can make its own name lead to this computer (DNS rebinding), and
    the page's origin, since a browser adds cookies to requests of other pages too.

    Parameters
    ----------
    app
        The application behind.
    token
        The secret.
    """

    def __init__(self, app: Any, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """See the ASGI specification."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        query = parse_qs(scope["query_string"].decode("latin-1"))
        cookie_name = f"cxrscan-{(scope.get('server') or ('', 0))[1]}"  # browsers tell no port apart
        in_address = self._is_token(query.get(TOKEN, [""])[0])
        if not (_is_own(headers) and (in_address or self._is_token(_cookie(headers.get("cookie", ""), cookie_name)))):
            await _refuse(scope, receive, send)
            return
        cookie = f"{cookie_name}={self._token}; Path=/; HttpOnly; SameSite=Strict".encode()

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                added = [*_HEADERS, *([(b"set-cookie", cookie)] if in_address else [])]
                message = {**message, "headers": [*message.get("headers", []), *added]}
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _is_token(self, text: str) -> bool:
        return compare_digest(text.encode("utf-8", "replace"), self._token.encode())


def _is_own(headers: dict[str, str]) -> bool:
    """Whether a request is for this computer by name, and from the viewer's own page or from no page."""
    host, origin = headers.get("host", ""), headers.get("origin")
    try:
        hostname = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return hostname in _HOSTS and (origin is None or origin == f"http://{host}")


def _cookie(header: str, name: str) -> str:
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""


async def _refuse(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(_REFUSAL)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": [*headers, *_HEADERS]})
    await send({"type": "http.response.body", "body": _REFUSAL})
