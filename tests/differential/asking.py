"""The requests of a case: ordinary, odd and hostile."""

from __future__ import annotations

from tests.differential.dice import HEAD_END, Dice, chunked, text
from tests.world.running import TOKEN

PORT = b"@PORT@"
# Makes each run of a case another purchase; as long as what stands in its place.
RUN = b"@RUN@@@@"

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
# What a line's value may become when its head comes again: other words, or no value at all.
VALUES = (
    b"00-7",
    b"00-8-a b",
    b"caf\xc3\xa9",
    b"",
    b" ",
    b"v ",
    b"\tv",
    b"a\0b",
    b"a\rb",
    b"a\nX-More: b",
    b"a\r\nContent-Length: 3",
    b"a\r\nTransfer-Encoding: chunked",
    b"a\r\n folded",
    b"a\r\n\r\nGET /v1/models HTTP/1.1",
    b"l" * 9000,
)
VARYING = (b"\r\ntraceparent: ", b"\r\nX-Request-Id: ")
ONCE = b"\r\nUser-Agent: "
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


# Where the upstream may want a payment for each request, or wants a sign-in; and where neither.
PAID = b"/seller/v1/chat/completions?run=" + RUN
PAID_BY_MEMBERS = b"/member/pay-per-use/chat?run=" + RUN
FOR_MEMBERS = b"/member/credit/chat?run=" + RUN
PLACES = (TARGETS[0],) * 6 + (PAID, PAID, PAID_BY_MEMBERS, FOR_MEMBERS)


def request(dice: Dice, place: bytes) -> tuple[bytes, str]:
    """One request and its method; most go to ``place``."""
    method = dice.one(
        b"POST", b"POST", b"POST", b"POST", b"GET", b"GET", b"PUT", b"DELETE", b"OPTIONS"
    )
    if dice.often(6):
        method = dice.one(b"HEAD", b"HEAD", b"PATCH", b"BREW", b"post", b"CONNECT", b"TRACE")
    target = place if dice.often(80) else dice.one(*TARGETS)
    version = (
        b"HTTP/1.1"
        if dice.often(95)
        else dice.one(b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"RTSP/1.0", b"http/1.1")
    )
    with_body = method not in {b"GET", b"HEAD", b"DELETE"} or dice.often(10)
    body = text(dice, dice.random.choice((0, 1, 17, 300, 3000))) if with_body else b""
    if dice.often(1):
        body = text(dice, 150_000)
    token = TOKEN.encode() if dice.often(96) else b"wrong"
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
    if dice.often(60):
        name = dice.one(b"traceparent", b"X-Request-Id")
        fields.append(b"%b: 00-%d" % (name, dice.random.randrange(50)))
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


def again(dice: Dice, asked: bytes) -> bytes:
    """The same request, but for the value of one line of its head."""
    head, end, body = asked.partition(HEAD_END)
    there = [name for name in VARYING if name in head]
    before, name, rest = head.partition(dice.one(*there) if there and dice.often(90) else ONCE)
    if not name:
        return asked
    _, crlf, behind = rest.partition(b"\r\n")
    value = b"00-%d" % dice.random.randrange(50) if dice.often(60) else dice.one(*VALUES)
    return before + name + value + crlf + behind + end + body
