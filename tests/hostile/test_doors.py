"""Who is not let in gets nothing: no request upstream, no payment, no word to anybody else.

The seller answers each request that comes with a 402 which the sidecar would pay, so whatever
slips through shows twice.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.paying import paying
from tests.hostile.recorder import recording
from tests.hostile.smuggling_cases import ADMIT, ask
from tests.world.running import TOKEN

CALL = b"POST /v1/chat/completions HTTP/1.1"
HOST = b"Host: {host}\r\n"
BODY = b'{"model": "m"}'
FRAMED = (
    b"Content-Type: application/json",
    b"Content-Length: %d" % len(BODY),
    b"Connection: close",
)


def post(*fields: bytes, admit: bytes = ADMIT, line: bytes = CALL) -> bytes:
    """A call that would be paid for, if it were let in."""
    return ask(line, *FRAMED, *fields, body=BODY, admit=admit)


def shows(field: bytes) -> bytes:
    """A call with our Host and this instead of the token."""
    return post(admit=HOST + field)


REFUSED = {
    # DNS rebinding: the page's own name leads here, and its browser says so.
    "rebound name": post(admit=ADMIT.replace(b"{host}", b"rebound.example")),
    "rebound name, our port": post(
        admit=ADMIT.replace(b"127.0.0.1", b"x").replace(b"{host}", b"evil.example:8402")
    ),
    "another loopback": post(admit=ADMIT.replace(b"{host}", b"127.0.0.2:8402")),
    "any address": post(admit=ADMIT.replace(b"{host}", b"0.0.0.0:8402")),
    "forwarded host": post(b"X-Forwarded-Host: {host}", admit=ADMIT.replace(b"{host}", b"evil")),
    # CSRF: a form, a fetch, an image of another site.
    "Origin of a page": post(b"Origin: https://evil.example"),
    "Origin null": post(b"Origin: null"),
    "Origin with our name as its user": post(b"Origin: http://{host}@evil.example"),
    "Origin of another port": post(b"Origin: http://127.0.0.1:1"),
    "two Origins": post(b"Origin: http://{host}", b"Origin: https://evil.example"),
    "cross-site": post(b"Sec-Fetch-Site: cross-site"),
    "same-site": post(b"Sec-Fetch-Site: same-site"),
    "preflight": ask(
        b"OPTIONS /v1/chat/completions HTTP/1.1",
        b"Origin: https://evil.example",
        b"Access-Control-Request-Method: POST",
        b"Connection: close",
        admit=HOST,
    ),
    "simple form": post(b"Origin: https://evil.example", admit=HOST),
    # Tokens.
    "no token": shows(b""),
    "empty token": shows(b"Authorization: Bearer \r\n"),
    "wrong token": shows(b"Authorization: Bearer sk-other\r\n"),
    "token cut short": shows(b"Authorization: Bearer %b\r\n" % TOKEN[:-1].encode()),
    "token and more": shows(b"Authorization: Bearer %bx\r\n" % TOKEN.encode()),
    "token in capitals": shows(b"Authorization: Bearer %b\r\n" % TOKEN.upper().encode()),
    "token without its scheme": shows(b"Authorization: %b\r\n" % TOKEN.encode()),
    "Basic": shows(b"Authorization: Basic dXNlcjpwYXNz\r\n"),
    "token in the query": post(
        admit=HOST, line=b"POST /v1/chat/completions?api_key=%b HTTP/1.1" % TOKEN.encode()
    ),
    "token in a cookie": shows(b"Cookie: token=%b\r\n" % TOKEN.encode()),
    "token as proxy authorization": shows(b"Proxy-Authorization: Bearer %b\r\n" % TOKEN.encode()),
    "underscore x_api_key": shows(b"X_Api_Key: %b\r\n" % TOKEN.encode()),
    "no ASCII": shows(b"Authorization: Bearer \xff\xfe\r\n"),
    "a payment instead": shows(b"X-PAYMENT: e30=\r\nPAYMENT-SIGNATURE: e30=\r\n"),
    # Targets: the other origin is named in each.
    "CONNECT": ask(b"CONNECT {other} HTTP/1.1"),
    "absolute form": post(line=b"POST http://{other}/v1/a HTTP/1.1"),
    "absolute form of ours": post(line=b"POST http://{host}/v1/a HTTP/1.1"),
    "absolute form, other Host": post(
        line=b"POST http://{host}/v1/a HTTP/1.1", admit=ADMIT.replace(b"{host}", b"{other}")
    ),
    "two slashes": post(line=b"POST //{other}/v1/a HTTP/1.1"),
    "backslash": post(line=b"POST /\\{other}/v1/a HTTP/1.1"),
    "a route, then two slashes": post(line=b"POST /seller//{other}/v1/a HTTP/1.1"),
    "a route, then dots": post(line=b"POST /seller/../../{other} HTTP/1.1"),
    "encoded slashes": post(line=b"POST /%2f%2f{other}/v1/a HTTP/1.1"),
    "user part": post(line=b"POST @{other}/v1/a HTTP/1.1"),
    "no slash": post(line=b"POST .{other}/v1/a HTTP/1.1"),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
async def test_refused(tmp_path: Path, data: bytes) -> None:
    """No request upstream, no payment, not a byte at a second origin, and no CORS header."""
    async with recording() as other, paying(tmp_path, other) as world:
        answer = await world.say(data.replace(b"{other}", b"127.0.0.1:%d" % other.port))

    assert answer.split(b" ")[1] in {b"400", b"401", b"403", b"405"}
    assert b"access-control-allow" not in answer.lower()
    assert (0, b"") == (world.seller.connections, bytes(world.seller.received))
    assert (0, b"") == (other.connections, bytes(other.received))


async def test_header_overrides(tmp_path: Path) -> None:
    """A caller's own payment, sign-in, Host and forwarding fields do not reach the seller."""
    fields = (
        b"X-PAYMENT: forged",
        b"PAYMENT-SIGNATURE: forged",
        b"Payment_Signature: forged",
        b"SIGN-IN-WITH-X: forged",
        b"X-Sign-In-With-X: forged",
        b"X-Wallet-Address: forged",
        b"X-Forwarded-Host: forged",
        b"X-Forwarded-For: forged",
        b"Forwarded: for=forged",
        b"Proxy-Authorization: forged",
        b"Cookie: forged=1",
        b"Connection: payment-signature, x-payment, host, content-length",
    )
    async with recording() as other, paying(tmp_path, other) as world:
        answer = await world.say(post(*fields))

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert 1 == len(world.payments())
    assert b"forged" not in world.seller.received
    assert TOKEN.encode() not in world.seller.received
    assert 0 == other.connections


async def test_let_in(tmp_path: Path) -> None:
    """The same call with its token, from no page or from one of ours, is served and paid once."""
    async with recording() as other, paying(tmp_path, other) as world:
        plain = await world.say(post())
        ours = await world.say(post(b"Origin: http://{host}", b"Sec-Fetch-Site: same-origin"))

    assert plain.startswith(b"HTTP/1.1 200 ")
    assert ours.startswith(b"HTTP/1.1 200 ")
    assert 2 == len(world.payments())
