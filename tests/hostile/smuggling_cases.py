"""Requests that two readers could read in two ways, and what RFC 9112 makes of each.

``{host}`` and ``{token}`` stand for what the sidecar wants to see: the caller is let in, so only
the form of the request is in question. Each case is followed on its connection by a probe, a
whole request of its own, which shows where the sidecar believes the case to end.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.hostile.recorder import Seen

GET, POST = b"GET /v1/a HTTP/1.1", b"POST /v1/a HTTP/1.1"
ADMIT = b"Host: {host}\r\nAuthorization: {token}\r\n"
PROBE = b"GET /v1/probe HTTP/1.1\r\n" + ADMIT + b"Connection: close\r\n\r\n"
SMUGGLED = b"GET /v1/smuggled HTTP/1.1\r\n" + ADMIT + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
ABC = b"3\r\nabc\r\n0\r\n\r\n"
READ, READ_ABC = Seen("GET", "/v1/a"), Seen("POST", "/v1/a", b"abc")


@dataclass(frozen=True, slots=True)
class Case:
    """``parts`` are sent one after the other. ``sees`` is empty where a refusal is due."""

    name: str
    parts: tuple[bytes, ...]
    sees: tuple[Seen, ...] = ()
    probed: bool = True


def ask(line: bytes, *fields: bytes, body: bytes = b"", admit: bytes = ADMIT) -> bytes:
    """One request with the fields that let it in, and these."""
    return line + b"\r\n" + admit + b"".join(each + b"\r\n" for each in fields) + b"\r\n" + body


def _refused() -> dict[str, bytes | tuple[bytes, ...]]:
    return {**_bad_framing(), **_bad_chunks(), **_bad_lines(), **_bad_fields(), **_bad_targets()}


def _bad_framing() -> dict[str, bytes | tuple[bytes, ...]]:
    cases = {
        "length and chunked": ask(POST, b"Content-Length: 3", CHUNKED, body=ABC),
        "chunked and length": ask(POST, CHUNKED, b"Content-Length: 13", body=ABC),
        "length 0 and chunked": ask(POST, b"Content-Length: 0", CHUNKED, body=ABC),
        "chunked hides a request": ask(
            POST, b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n" + SMUGGLED
        ),
        "length hides a request": ask(
            POST, b"Content-Length: %d" % len(SMUGGLED), b"Content-Length: 0", body=SMUGGLED
        ),
        "two lengths that differ": ask(
            POST, b"Content-Length: 3", b"Content-Length: 4", body=b"abcd"
        ),
        "two equal lengths": ask(POST, b"Content-Length: 3", b"Content-Length: 3", body=b"abc"),
        "two codings": ask(POST, CHUNKED, CHUNKED, body=ABC),
        "two codings that differ": ask(POST, CHUNKED, b"Transfer-Encoding: identity", body=ABC),
        "chunked in 1.0": ask(b"POST /v1/a HTTP/1.0", CHUNKED, body=ABC),
    }
    for value in (b"3, 3", b"+3", b"-3", b"0x3", b"3.0", b"3 3", b"0_3", b"", b"abc", b"9" * 23):
        name = f"length {value.decode() or 'empty'}"
        cases[name] = ask(POST, b"Content-Length: " + value, body=b"abc")
    for value in (
        b"gzip, chunked",
        b"chunked, gzip",
        b"chunked, chunked",
        b"identity",
        b"xchunked",
        b"chunked;q=1",
        b"chunked,",
        b'"chunked"',
        b"gzip",
        b"",
    ):
        name = f"coding {value.decode() or 'empty'}"
        cases[name] = ask(POST, b"Transfer-Encoding: " + value, body=ABC)
    return {**cases}


def _bad_chunks() -> dict[str, bytes | tuple[bytes, ...]]:
    bodies = {
        "size is no hex": b"zz\r\nabc\r\n0\r\n\r\n",
        "size with 0x": b"0x3\r\nabc\r\n0\r\n\r\n",
        "size with a sign": b"+3\r\nabc\r\n0\r\n\r\n",
        "size below zero": b"-3\r\nabc\r\n0\r\n\r\n",
        "size with a space before": b" 3\r\nabc\r\n0\r\n\r\n",
        "size with a space after": b"3 \r\nabc\r\n0\r\n\r\n",
        "size overflows 64 bits": b"10000000000000003\r\nabc\r\n0\r\n\r\n",
        "size is empty": b"\r\nabc\r\n0\r\n\r\n",
        "size ends with LF": b"3\nabc\r\n0\r\n\r\n",
        "data is too long": b"3\r\nabcd\r\n0\r\n\r\n",
        "data ends with LF": b"3\r\nabc\n0\r\n\r\n",
        "extension with LF": b"3;a\nb\r\nabc\r\n0\r\n\r\n",
        "extension with CR": b"3;a\rb\r\nabc\r\n0\r\n\r\n",
        "end with LF": b"3\r\nabc\r\n0\n\n",
        "trailer with LF": b"3\r\nabc\r\n0\r\nX-A: b\n\r\n",
        "trailer with a Host": b"3\r\nabc\r\n0\r\nHost: evil.example\r\n\r\n",
        "trailer without colon": b"3\r\nabc\r\n0\r\nnonsense\r\n\r\n",
    }
    cases: dict[str, bytes | tuple[bytes, ...]] = {
        f"chunk {name}": ask(POST, CHUNKED, body=body) for name, body in bodies.items()
    }
    cases["chunk of nonsense later"] = (ask(POST, CHUNKED, body=b"3\r\nabc\r\n"), b"zz\r\n")
    return cases


def _bad_lines() -> dict[str, bytes | tuple[bytes, ...]]:
    return {
        "bare LF everywhere": ask(GET).replace(b"\r\n", b"\n"),
        "bare LF after the line": GET + b"\n" + ADMIT + b"\r\n",
        "bare CR after the line": GET + b"\r" + ADMIT + b"\r\n",
        "tabs in the line": ask(b"GET\t/v1/a\tHTTP/1.1"),
        "space after the line": ask(GET + b" "),
        "space before the line": b" " + ask(GET),
        "NUL in the target": ask(b"GET /v1/\x00a HTTP/1.1"),
        "NUL in the method": ask(b"GE\x00T /v1/a HTTP/1.1"),
        "small method": ask(b"get /v1/a HTTP/1.1"),
        "unknown method": ask(b"SMUGGLE /v1/a HTTP/1.1"),
        "CONNECT": ask(b"CONNECT evil.example:443 HTTP/1.1"),
        "CONNECT to a path": ask(b"CONNECT /v1/a HTTP/1.1"),
        "TRACE": ask(b"TRACE /v1/a HTTP/1.1"),
        "SOURCE of ICE": ask(b"SOURCE /v1/a ICE/1.0"),
        "RTSP/1.0": ask(b"GET /v1/a RTSP/1.0"),
        "RTSP/1.1": ask(b"POST /v1/a RTSP/1.1", b"Content-Length: 3", body=b"abc"),
        "RTSP/2.0": ask(b"GET /v1/a RTSP/2.0"),
        "RTSP/1.0 and spaces": ask(b"OPTIONS  /v1/a  RTSP/1.0"),
        "RTSP/1.0 after empty lines": b"\r\n\r\n" + ask(b"GET /v1/a RTSP/1.0"),
        "RTSP/1.0 in two pieces": (b"GET /v1/a RT", ask(b"SP/1.0")),
        "HTTP/0.9": b"GET /v1/a\r\n",
        "HTTP/1.2": ask(b"GET /v1/a HTTP/1.2"),
        "HTTP/2.0": ask(b"GET /v1/a HTTP/2.0"),
        "HTTP/1": ask(b"GET /v1/a HTTP/1"),
        "HTTP/1.10": ask(b"GET /v1/a HTTP/1.10"),
        "http/1.1": ask(b"GET /v1/a http/1.1"),
        "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        "TLS client hello": bytes.fromhex("16030100a5010000a10303") + bytes(154),
        "overlong line": ask(b"GET /v1/" + b"a" * 20_000 + b" HTTP/1.1"),
        "long target": ask(b"GET /v1/" + b"a" * 9_000 + b" HTTP/1.1"),
    }


def _bad_fields() -> dict[str, bytes | tuple[bytes, ...]]:
    cases = {
        "obs-fold": ask(GET, b"X-A: b\r\n c"),
        "obs-fold of a length": ask(POST, b"Content-Length:\r\n 3", body=b"abc"),
        "obs-fold of a coding": ask(POST, b"Transfer-Encoding:\r\n chunked", body=ABC),
        "fold before the first field": GET + b"\r\n X-A: b\r\n" + ADMIT + b"\r\n",
        "space before a colon": ask(POST, b"Content-Length : 3", body=b"abc"),
        "tab before a colon": ask(POST, b"Transfer-Encoding\t: chunked", body=ABC),
        "no colon": ask(GET, b"nonsense"),
        "no name": ask(GET, b": b"),
        "space in a name": ask(GET, b"Bad Name: b"),
        "NUL in a name": ask(GET, b"X-\x00A: b"),
        "NUL in a value": ask(GET, b"X-A: \x00b"),
        "CR in a value": ask(GET, b"X-A: b\rX-B: c"),
        "LF in a value": ask(GET, b"X-A: b\nX-B: c"),
        "LF hides a coding": ask(GET, b"X-A: b\nTransfer-Encoding: chunked"),
        "control in a value": ask(GET, b"X-A: b\x01"),
        "non-ASCII name": ask(GET, b"X-\xc3\xa9: b"),
        "8,000 times two fields": ask(GET, *[b"A: b"] * 16_000),
        "10,000 fields": ask(GET, *[b"A: b"] * 10_000),
        "a field of 20,000": ask(GET, b"X-A: " + b"b" * 20_000),
        "two types": ask(GET, b"Content-Type: a/b", b"Content-Type: a/c"),
    }
    token, host = b"Authorization: {token}\r\n", b"Host: {host}\r\n"
    for name, admit in {
        "no Host": token,
        "two Hosts": ADMIT + b"Host: evil.example\r\n",
        "two equal Hosts": ADMIT + host,
        "Host of another": b"Host: evil.example\r\n" + token,
        "Host without a port": b"Host: 127.0.0.1\r\n" + token,
        "Host with another port": b"Host: 127.0.0.1:1\r\n" + token,
        "Host with a user": b"Host: evil@{host}\r\n" + token,
        "Host as a user": b"Host: {host}@evil.example\r\n" + token,
        "Host with a path": b"Host: {host}/\r\n" + token,
        "Host with a list": b"Host: {host}, evil.example\r\n" + token,
        "Host empty": b"Host:\r\n" + token,
    }.items():
        cases[name] = ask(GET, admit=admit)
    return {**cases}


def _bad_targets() -> dict[str, bytes | tuple[bytes, ...]]:
    targets = (
        b"http://evil.example/v1/a",
        b"http://{host}/v1/a",
        b"https://evil.example/",
        b"evil.example:443",
        b"*",
        b"//evil.example/v1/a",
        b"/\\evil.example/v1/a",
        b"\\evil.example",
        b"/v1//a",
        b"/v1/a#b",
        b"/v1/a?b#c",
        b"/v1/../a",
        b"/v1/./a",
        b"/v1/..",
        b"/v1/%2e%2e/a",
        b"/v1/.%2E/a",
        b"/v1/..;/a",
        b"/v1/..%3b/a",
        b"/v1/%2fa",
        b"/v1/%5Ca",
        b"/v1/%00a",
        b"/v1/a%0d%0aX-A:b",
        b"/v1/%zz",
        b"/v1/a%",
        b"/v1/a b",
        b"/v1/\xc3\xa9",
        b"/v1/\x7f",
        b"@evil.example/",
        b"v1/a",
        b"?a",
    )
    return {
        f"target {target.decode('latin-1')!r}": ask(b"GET " + target + b" HTTP/1.1")
        for target in targets
    }


def _read() -> tuple[Case, ...]:
    upgrade = ask(GET, b"Connection: Upgrade", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk")
    websocket = ask(GET, b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: eA==")
    split = ask(POST, b"Content-Length: %d" % len(SMUGGLED))
    body = SMUGGLED.replace(b"{host}", b"h").replace(b"{token}", b"t")
    one = {
        "plain": ask(GET),
        "two spaces in the line": ask(b"GET  /v1/a HTTP/1.1"),
        "empty lines before": b"\r\n\r\n" + ask(GET),
        "Host in tabs": ask(GET, admit=ADMIT.replace(b" {host}", b"\t{host} \t")),
        "empty Connection": ask(GET, b"Connection:"),
        "TE": ask(GET, b"TE: trailers", b"Connection: TE"),
        "Latin-1 value": ask(GET, b"X-A: \xe9"),
    }
    three = {
        "length": ask(POST, b"Content-Length: 3", body=b"abc"),
        "length with zeros": ask(POST, b"Content-Length: 0003", body=b"abc"),
        "chunked": ask(POST, CHUNKED, body=ABC),
        "Chunked": ask(POST, b"Transfer-Encoding: Chunked", body=ABC),
        "chunk size with zeros": ask(POST, CHUNKED, body=b"0003\r\nabc\r\n000\r\n\r\n"),
        "chunk extension": ask(POST, CHUNKED, body=b'3;a="b"\r\nabc\r\n0;c\r\n\r\n'),
        "trailers": ask(
            POST, CHUNKED, b"Trailer: X-A", body=b"3\r\nabc\r\n0\r\nX-A: b\r\nX-B: c\r\n\r\n"
        ),
        "underscore coding": ask(
            POST, b"Transfer_Encoding: chunked", b"Content-Length: 3", body=b"abc"
        ),
        "underscore length": ask(POST, b"Content_Length: 9", b"Content-Length: 3", body=b"abc"),
        "unknown Expect": ask(POST, b"Expect: 200-maybe", b"Content-Length: 3", body=b"abc"),
        "Connection names the length": ask(
            POST, b"Connection: content-length, host", b"Content-Length: 3", body=b"abc"
        ),
    }
    return (
        *(Case(name, (data,), (READ,)) for name, data in one.items()),
        *(Case(name, (data,), (READ_ABC,)) for name, data in three.items()),
        Case("HTTP/1.0", (ask(b"GET /v1/a HTTP/1.0"),), (READ,), probed=False),
        Case(
            "a GET with a body",
            (ask(GET, b"Content-Length: 3", body=b"abc"),),
            (Seen("GET", "/v1/a", b"abc"),),
        ),
        Case(
            "a request as a body",
            (ask(POST, b"Content-Length: %d" % len(body), body=body),),
            (Seen("POST", "/v1/a", body),),
        ),
        Case("pipelined, then RTSP", (ask(GET), ask(b"GET /v1/a RTSP/1.0")), (READ,)),
        Case("RTSP in a body", *_about_rtsp()),
        Case("pipelined", (ask(GET) + ask(POST, CHUNKED, body=ABC),), (READ, READ_ABC)),
        Case("in single pieces", (GET, b"\r\n", ADMIT, b"\r", b"\n"), (READ,)),
        Case("Upgrade h2c", (upgrade,), (READ,), probed=False),
        # What follows an upgrade that is not made is not read as requests.
        Case("Upgrade h2c, then a body in two", (upgrade + split, SMUGGLED), (READ,)),
        Case("Upgrade websocket, then frames", (websocket + b"\x81\x05hello",), (READ,)),
        Case("a query with all that paths may not hold", *_wild_query()),
    )


def _about_rtsp() -> tuple[tuple[bytes, ...], tuple[Seen, ...]]:
    body = b'{"content": "GET /v1/a RTSP/1.0"}'
    data = ask(POST, b"Content-Length: %d" % len(body), body=body)
    return (data,), (Seen("POST", "/v1/a", body),)


def _wild_query() -> tuple[tuple[bytes, ...], tuple[Seen, ...]]:
    target = "/v1/a?b=//evil.example/../%2f%0d%0a%zz;@:&c"
    return (ask(b"GET " + target.encode() + b" HTTP/1.1"),), (Seen("GET", target),)


CASES = (
    *(
        Case(name, data if isinstance(data, tuple) else (data,))
        for name, data in _refused().items()
    ),
    *_read(),
)
