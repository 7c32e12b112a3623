"""What the upstream of a case says: ordinary, odd and hostile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sidecar.sandbox.options import SandboxOptions
from sidecar.sandbox.terms import Terms, encoded
from tests.differential.dice import Dice, chunked, text

End = Literal["keep", "close", "reset"]
JWT = b"@JWT@"


@dataclass(frozen=True)
class Script:
    """What the upstream writes in answer to one request, piece by piece, and what it does then.

    ``late``: it begins after as long as so many pieces take.
    """

    pieces: tuple[bytes, ...]
    end: End = "keep"
    late: int = 0


ANSWER_FIELDS = (
    b"Set-Cookie: a=b",
    b"X-Request-Id: r-1",
    b"Date: Thu, 01 Jan 1970 00:00:00 GMT",
    b"Server: up",
    b"X-Echo: Bearer sk-upstream-secret",
    b"X-Echo: Bearer " + JWT,
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


def challenge(dice: Dice) -> Script:
    """A 402 that can be paid; now and then with what few send."""
    terms = Terms(SandboxOptions(challenge_in_body=dice.often(10)))
    made = terms.challenge("http://seller.example/", terms.offers)
    fields = [f"{name}: {value}".encode() for name, value in made.headers.items()]
    fields.append(b"Content-Type: application/json")
    if dice.often(20):
        fields.append(dice.one(*ANSWER_FIELDS))
    is_chunked = dice.often(20)
    fields.append(
        b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % len(made.body)
    )
    body = chunked(dice, made.body) if is_chunked else made.body
    closes = dice.often(10)
    if closes:
        fields.append(b"Connection: close")
    data = b"\r\n".join([b"HTTP/1.1 402 Payment Required", *fields]) + b"\r\n\r\n" + body
    if dice.often(4):
        return Script(dice.split(data[: dice.random.randrange(len(data))]), "close")
    return Script(dice.split(data), "close" if closes else "keep")


def receipt(dice: Dice) -> Script:
    """What was paid for, mostly with its receipt; now and then any answer at all."""
    if dice.often(25):
        return answer(dice, asked_again=True)
    document = {
        "success": dice.often(95),
        "transaction": "0x" + "ab" * 32,
        "network": SandboxOptions().network,
    }
    fields = [b"Content-Type: application/json"]
    if dice.often(85):
        fields.append(b"PAYMENT-RESPONSE: " + encoded(document).encode())
    body = text(dice, dice.random.choice((0, 17, 3000)))
    is_chunked = dice.often(40)
    fields.append(
        b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % len(body)
    )
    body = chunked(dice, body) if is_chunked else body
    status = dice.one(b"200 OK", b"200 OK", b"200 OK", b"500 Oops", b"404 Not Found")
    data = b"\r\n".join([b"HTTP/1.1 " + status, *fields]) + b"\r\n\r\n" + body
    return Script(dice.split(data))


def answer(  # noqa: C901 - one line for each oddity
    dice: Dice, *, for_members: bool = False, asked_again: bool = False
) -> Script:
    """One answer of the upstream; ``for_members``: it refuses who is not signed in.

    ``asked_again``: the sidecar may ask again at once, and would race with a hang-up that the
    answer does not tell of.
    """
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
    if for_members and dice.often(20):
        status = b"401 Unauthorized"
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
    end: End = (
        "close" if kind == "close" or closes or (dice.often(4) and not asked_again) else "keep"
    )
    if dice.often(5):
        data, end = data[: dice.random.randrange(len(data))], "reset" if dice.often(30) else "close"
    if dice.often(2):
        data += dice.one(b"x", b"\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    return Script(dice.split(data), end)
