"""Requests and answers by a seed: ordinary, odd and hostile, split wherever bytes can be split."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

End = Literal["keep", "close", "reset"]
PORT = b"@PORT@"
TOKEN = b"sk-app"


@dataclass(frozen=True)
class Script:
    """What the upstream writes in answer to one request, piece by piece, and what it does then."""

    pieces: tuple[bytes, ...]
    end: End = "keep"


@dataclass(frozen=True)
class Case:
    """One connection of an app.

    ``answers``: how many it waits for before it sends the next ``part``, and ends; a connection
    that is closed on it ends it too.
    """

    seed: int
    parts: tuple[tuple[tuple[bytes, ...], int], ...]
    scripts: tuple[Script, ...]
    methods: tuple[str, ...]


class Dice:
    """The choices of one case."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.seed = seed

    def often(self, percent: float) -> bool:
        return self.random.random() * 100 < percent

    def one(self, *what: bytes) -> bytes:
        return self.random.choice(what)

    def split(self, data: bytes) -> tuple[bytes, ...]:
        """In one piece, mostly; else wherever it may be cut."""
        if not data or self.often(60):
            return (data,)
        usual = [data.find(b"\r\n\r\n") + step for step in (0, 1, 2, 3, 4, 5)]
        cuts = {
            self.random.choice(usual) if self.often(60) else self.random.randrange(len(data))
            for _ in range(self.random.choice((1, 1, 2, 4)))
        }
        ends = sorted(cut for cut in cuts if 0 < cut < len(data))
        starts = [0, *ends]
        return tuple(data[a:b] for a, b in zip(starts, [*ends, len(data)], strict=True))


def text(dice: Dice, size: int) -> bytes:
    """A body that has in it what ends other things."""
    parts = (
        b"x",
        b"\r\n",
        b"\r\n\r\n",
        b"0\r\n\r\n",
        b"POST / HTTP/1.1\r\n",
        b"data: e\n\n",
        b"\0\xff",
    )
    some = b"".join(dice.random.choices(parts, k=min(size, 1000)))
    return (some * (size // max(1, len(some)) + 1))[:size]


def chunked(dice: Dice, body: bytes) -> bytes:
    """The body in chunks, now and then with what few send."""
    made = b""
    while body:
        size = min(len(body), dice.random.choice((1, 5, 40, 300)))
        extension = b";a=b" if dice.often(4) else b""
        digits = b"%X" if dice.often(20) else b"%04x" if dice.often(5) else b"%x"
        made += digits % size + extension + b"\r\n" + body[:size] + b"\r\n"
        body = body[size:]
    trailer = b"X-Trailer: t\r\n" if dice.often(4) else b""
    return made + b"0\r\n" + trailer + b"\r\n"


ODD_FIELDS = (
    b"X-Empty:",
    b"X-Tight:v",
    b"X-Wide:   v   ",
    b"X-Tab:\tv\t",
    b"X-Latin: caf\xe9",
    b"X-Utf8: caf\xc3\xa9",
    b"x_under_score: 1",
    b"Cookie: a=b",
    b"X-Payment: aaaa",
    b"X-Forwarded-For: 1.2.3.4",
    b"Origin: http://127.0.0.1:" + PORT,
    b"Origin: https://evil.example",
    b"Sec-Fetch-Site: cross-site",
    b"Accept-Encoding: br, gzip;q=0.5",
    b"Accept-Encoding: zstd",
    b"Idempotency-Key: k",
    b"Connection: keep-alive, X-Hop",
    b"Connection: close",
    b"connection: Keep-Alive",
    b"X-Hop: 1",
    b"Keep-Alive: timeout=5",
    b"TE: trailers",
    b"Upgrade: h2c",
    b"Upgrade: websocket",
    b"Expect: 100-continue",
    b"Proxy-Authorization: x",
    b"User-Agent: again",
    b"Content-Type: again",
    b"Sec-WebSocket-Key1: x",
    b"traceparent: 00-1-2-3",
    b"X-Long: " + b"l" * 5000,
)
HOSTILE_FIELDS = (
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding : chunked",
    b"Content-Length: 3",
    b"Content-Length: 0",
    b"Content-Length: +5",
    b"Content-Length: 5 ",
    b"Content-Length:5",
    b"CONTENT-LENGTH: 5",
    b"Content-Length: 0x5",
    b"Content-Length: 5,5",
    b"Content-Length: ",
    b"Content-Length: 99999999999999999999",
    b"Content_Length: 5",
    b" folded: x",
    b"\tfolded",
    b"No colon",
    b": no name",
    b"Bad Name: x",
    b"X-Nul: a\0b",
    b"X-Bare: a\rb",
    b"X-Feed: a\nX-More: b",
    b"X-Del: \x7f",
    b"Host: other",
    b"X-Huge: " + b"h" * 17_000,
    b"",
)
TARGETS = (
    b"/v1/chat/completions",
    b"/v1/models?x=1&y=%20",
    b"/up/v1/chat",
    b"/",
    b"/a%2fb",
    b"//x",
    b"/../x",
    b"/x#y",
    b"*",
    b"http://127.0.0.1/x",
    b"/\xc3\xa9",
    b"/a b",
    b"/v1?" + b"q" * 9000,
)


def request(dice: Dice) -> tuple[bytes, str]:
    """One request and its method."""
    method = dice.one(
        b"POST", b"POST", b"POST", b"POST", b"GET", b"GET", b"PUT", b"DELETE", b"OPTIONS"
    )
    if dice.often(6):
        method = dice.one(b"HEAD", b"HEAD", b"PATCH", b"BREW", b"post", b"CONNECT", b"TRACE")
    target = TARGETS[0] if dice.often(80) else dice.one(*TARGETS)
    version = (
        b"HTTP/1.1"
        if dice.often(95)
        else dice.one(b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"RTSP/1.0", b"http/1.1")
    )
    with_body = method not in {b"GET", b"HEAD", b"DELETE"} or dice.often(10)
    body = text(dice, dice.random.choice((0, 1, 17, 300, 3000))) if with_body else b""
    if dice.often(1):
        body = text(dice, 150_000)
    token = TOKEN if dice.often(96) else b"wrong"
    host = b"127.0.0.1:" + PORT if dice.often(97) else dice.one(b"evil.example", b"")
    fields = [
        b"Host: " + host,
        dice.one(b"Authorization: Bearer ", b"authorization: bearer ", b"x-api-key: ") + token,
        b"Content-Type: application/json",
        b"User-Agent: app/1",
    ]
    is_chunked = with_body and dice.often(8)
    if is_chunked:
        fields.append(dice.one(b"Transfer-Encoding: chunked", b"transfer-encoding: Chunked"))
    elif with_body:
        fields.append(
            dice.one(b"Content-Length: ", b"content-length: ", b"Content-Length:")
            + b"%d" % len(body)
        )
    if dice.often(15):
        fields.append(dice.one(*ODD_FIELDS))
    if dice.often(6):
        fields.append(dice.one(*HOSTILE_FIELDS))
    if dice.often(15):
        dice.random.shuffle(fields)
    head = b"\r\n".join([b"%b %b %b" % (method, target, version), *fields])
    blank = b"\r\n\r\n" if dice.often(98) else dice.one(b"\n\n", b"\r\n\n", b"\r\r\n\r\n")
    lead = b"" if dice.often(98) else dice.one(b"\r\n", b"\r\n\r\n", b" ", b"\0")
    return lead + head + blank + (chunked(dice, body) if is_chunked else body), method.decode()


ANSWER_FIELDS = (
    b"Set-Cookie: a=b",
    b"X-Request-Id: r-1",
    b"Date: Thu, 01 Jan 1970 00:00:00 GMT",
    b"Server: up",
    b"X-Echo: Bearer sk-upstream-secret",
    b"Payment-Required: e30=",
    b"Keep-Alive: timeout=5",
    b"Trailer: X",
    b"Upgrade: h2c",
    b"X-Latin: caf\xe9",
    b"X-Tab:\tv\t",
    b"Content-Encoding: gzip",
    b"Connection: X-Hop",
    b"X-Hop: 1",
    b"Retry-After: 1",
    b"Content-Type: twice/twice",
    b"X-Long: " + b"l" * 40_000,
    b"X-Bad\0: 1",
    b" folded",
    b"No colon",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Content-Length: 3",
    b"Content-Length: 3x",
    b"X-Signed: 0x" + b"ab" * 65,
)


def answer(dice: Dice) -> Script:  # noqa: C901 - one line for each oddity
    """One answer of the upstream."""
    status = dice.one(
        b"200 OK", b"200 OK", b"200 OK", b"201 Created", b"404 Not Found", b"429 Slow", b"500 Oops"
    )
    if dice.often(8):
        status = dice.one(
            b"204 No Content",
            b"205 Reset",
            b"304 Not Modified",
            b"302 Found",
            b"402 Payment Required",
            b"401 Unauthorized",
            b"299 Odd",
            b"200",
            b"200 ",
            b"599 x",
            b"600 x",
            b"999 x",
        )
    version = (
        b"HTTP/1.1" if dice.often(97) else dice.one(b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2", b"ICY")
    )
    body = text(dice, dice.random.choice((0, 1, 17, 300, 3000)))
    if dice.often(1):
        body = text(dice, 300_000)
    fields = [b"Content-Type: " + dice.one(b"application/json", b"text/event-stream")]
    kind = dice.random.choice(("length",) * 6 + ("chunked",) * 5 + ("close",))
    if kind == "length":
        wrong = dice.random.choice((-1, 1, 500)) if dice.often(4) else 0
        name = (
            b"Content-Length: "
            if dice.often(60)
            else dice.one(b"content-length: ", b"Content-length:")
        )
        fields.append(name + b"%d" % max(0, len(body) + wrong))
    elif kind == "chunked":
        fields.append(b"Transfer-Encoding: chunked")
        body = chunked(dice, body)
        if dice.often(5):
            at = dice.random.randrange(len(body))
            body = (
                body[:at] + dice.one(b"z", b"\r\n", b"-1\r\n", b"ffffffffff\r\n", b"\n") + body[at:]
            )
    if dice.often(25):
        fields.append(dice.one(*ANSWER_FIELDS))
    if dice.often(5):
        fields.append(dice.one(b"Location: /v1/x", b"Location: https://evil.example/"))
    closes = dice.often(10)
    if closes:
        fields.append(b"Connection: close")
    early = (
        b""
        if dice.often(96)
        else dice.one(
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
            b"\r\n",
            b"garbage\r\n\r\n",
        )
    )
    data = early + b"\r\n".join([b"%b %b" % (version, status), *fields]) + b"\r\n\r\n" + body
    end: End = "close" if kind == "close" or closes or dice.often(4) else "keep"
    if dice.often(5):
        data, end = data[: dice.random.randrange(len(data))], "reset" if dice.often(30) else "close"
    if dice.often(2):
        data += dice.one(b"x", b"\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    return Script(dice.split(data), end)


def make_case(seed: int) -> Case:
    """The case of this seed."""
    dice = Dice(seed)
    count = dice.random.choice((1, 1, 2, 3))
    made = [request(dice) for _ in range(count)]
    methods = tuple(method for _, method in made)
    scripts = tuple(answer(dice) for _ in range(count * 3))
    if count > 1 and dice.often(25):
        # In one piece: split, a refused second request races with the first one's way upstream.
        whole = b"".join(data for data, _ in made)
        parts: tuple[tuple[tuple[bytes, ...], int], ...] = (((whole,), count),)
    else:
        parts = tuple((dice.split(data), number + 1) for number, (data, _) in enumerate(made))
    return Case(seed, parts, scripts, methods)
