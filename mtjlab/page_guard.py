"""Whom the live page answers: the token, the address it was called by, where the call comes from, how large it is.

The page controls a bench, so everything that is not known to be right is refused, before anything else looks at it.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "mtjlab_page"
MOST_BODY_BYTES = 4096
MOST_URL_BYTES = 2048
LEAST_TOKEN = 16
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class PageGuard:
    """ASGI middleware that refuses what it does not know.

    Args:
        app: what is guarded.
        token: that every request has, in its cookie or as `Authorization: Bearer`.
        names: host names that the page may be called by, beside addresses.
        is_local: whether it listens on loopback alone; then no other address is right either.
        open_paths: paths that are answered without the token.
    """

    def __init__(
        self, app: ASGIApp, token: str, names: Iterable[str], *, is_local: bool, open_paths: Iterable[str] = ()
    ) -> None:
        self._app, self._token, self._is_local = app, token, is_local
        self._names = {name.lower() for name in names} | set(LOOPBACK_NAMES)
        self._open = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websockets here
        refusal = self._refusal(scope)
        if refusal:
            await _refuse(send, *refusal)
            return
        body = await _whole_body(receive) if scope["method"] == "POST" else b""
        if body is None:
            await _refuse(send, 413, "too large")
            return

        is_open = False

        async def guarded_send(message: Message) -> None:
            nonlocal is_open
            is_open = message["type"] == "http.response.start" or bool(message.get("more_body"))
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                more = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in given]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self._app(scope, _replayed(body, receive), guarded_send)
        if is_open:  # a stream that the end of the server has cut off
            await send({"type": "http.response.body", "body": b""})

    def has_token(self, scope: Scope) -> bool:
        """Whether a request has the token."""
        headers = _headers(scope)
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(bearer.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and self.is_token(cookie.value)

    def is_token(self, given: str) -> bool:
        """Compared in a time that tells nothing of how much of it is right."""
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = _headers(scope)
        if len(scope["raw_path"]) + len(scope["query_string"]) > MOST_URL_BYTES:
            return 414, "the address is too long"
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return 405, "not a method of this page"
        if not self._is_own_host(headers.get("host", "")):
            return 421, "not a name of this page: start it with --allow-name NAME to be called so"
        if not _is_same_site(scope, headers):
            return 403, "a call from another site"
        if _announced(headers) > MOST_BODY_BYTES:
            return 413, "too large"
        if scope["path"] not in self._open and not self.has_token(scope) and not self._brings_token(scope):
            return 401, "the token is missing or wrong: open the address that `mtjlab serve` printed"
        return None

    def _brings_token(self, scope: Scope) -> bool:
        """The address that is opened first has the token in it."""
        if scope["path"] != "/" or scope["method"] != "GET":
            return False
        given = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=5).get("token", [])
        return len(given) == 1 and self.is_token(given[0])

    def _is_own_host(self, host: str) -> bool:
        """A name of ours, or an address: what another site's name is made to point to is called by that name."""
        name = _host_name(host)
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return not self._is_local


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _headers(scope: Scope) -> dict[str, str]:
    """By lower-case name; one that stands twice counts as neither."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        found[key] = "\0" if key in found else value.decode("latin-1")
    return found


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_same_site(scope: Scope, headers: dict[str, str]) -> bool:
    """What a browser says of where a call comes from; programs that are no browsers say nothing."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return False
    origin = headers.get("origin")
    return origin is None or origin == f"{scope['scheme']}://{headers.get('host', '')}"


def _announced(headers: dict[str, str]) -> int:
    length = headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 12 else MOST_BODY_BYTES + 1


async def _whole_body(receive: Receive) -> bytes | None:
    """None if it is too large, also where it did not say so before."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > MOST_BODY_BYTES:
            return None
        if message["type"] != "http.request" or not message.get("more_body"):
            return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body that was read already, then what comes after it."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


async def _refuse(send: Send, status: int, why: str) -> None:
    body = json.dumps({"error": why}).encode()
    fixed = HEADERS | {"content-type": "application/json", "content-length": str(len(body))}
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode()) for name, value in fixed.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})
