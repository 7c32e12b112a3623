"""What a seller sends once it holds a payment, or in order never to be paid and never to end.

Whatever comes, the payment is written down once, the app gets an answer, and the next app too.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.hostile.paying import Paying, challenge, paying, payments_in
from tests.hostile.recorder import OK, Respond, Seen, recording
from tests.hostile.smuggling_cases import ask

BODY = b'{"model": "m"}'
FIRST, SECOND = b"/v1/first", b"/v1/second"
_STATUS = re.compile(rb"^HTTP/1\.1 (\d{3}) ", re.MULTILINE)
OK_HEAD = b"HTTP/1.1 200 OK\r\n"
TAIL = b"Content-Length: 2\r\n\r\n{}"
ANSWERS = {
    "a field that is not ASCII": OK_HEAD + b"X-A: \xff\xfe\xe2\x80\xae\r\n" + TAIL,
    "a receipt that is not ASCII": OK_HEAD + b"PAYMENT-RESPONSE: \xff\xfe\r\n" + TAIL,
    "a receipt of 40 KB": OK_HEAD + b"PAYMENT-RESPONSE: " + b"A" * 40_000 + b"\r\n" + TAIL,
    "a field of 40 KB": OK_HEAD + b"X-A: " + b"a" * 40_000 + b"\r\n" + TAIL,
    "a field of 1 MB": OK_HEAD + b"X-A: " + b"a" * 1_000_000 + b"\r\n" + TAIL,
    "fifty thousand fields": OK_HEAD + b"X-A: b\r\n" * 50_000 + TAIL,
    "a field with a NUL": OK_HEAD + b"X-A: \x00\r\n" + TAIL,
    "a folded field": OK_HEAD + b"X-A: b\r\n HTTP/1.1 200 OK\r\n" + TAIL,
    "a bare CR in a field": OK_HEAD + b"X-A: b\rSet-Cookie: c\r\n" + TAIL,
    "a line that is none": b"HTTP/1.1 OK 200\r\n" + TAIL,
    "no HTTP": b"\x00\x01\x02\r\n\r\n",
    "nothing, and the end": b"",
    "two lengths": OK_HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length and chunks": OK_HEAD + b"Transfer-Encoding: chunked\r\n" + TAIL,
    "chunks of nonsense": OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a second answer behind it": OK + b"HTTP/1.1 200 OK\r\nX-Evil: 1\r\n" + TAIL,
}


def call(target: bytes) -> bytes:
    """One call of an app, on a connection of its own."""
    fields = (b"Content-Length: %d" % len(BODY), b"Connection: close")
    return ask(b"POST " + target + b" HTTP/1.1", *fields, body=BODY)


def once_paid(answer: bytes) -> Respond:
    """A seller that asks, and answers a payment for the first call so; it serves the second."""

    def respond(seen: Seen) -> bytes:
        if not payments_in(seen):
            return challenge()
        return answer if seen.target.encode() == FIRST else OK

    return respond


def statuses(answer: bytes) -> list[bytes]:
    """The statuses of all answers in these bytes."""
    return _STATUS.findall(answer)


async def written(world: Paying) -> int:
    """How many payments the sidecar's own books hold."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.service.admin_port)
    host = b"127.0.0.1:%d" % world.service.admin_port
    writer.write(b"GET /status HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
    page = await reader.read()
    writer.close()
    shown = page.partition(b'"payments": [')[2]
    return shown.count(b'"id": "pay_')


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_recorded_first(tmp_path: Path, answer: bytes) -> None:
    """A paid answer that cannot be read is answered for; its payment is on the books, once."""
    async with recording() as other, paying(tmp_path, other, once_paid(answer)) as world:
        first = await world.say(call(FIRST))
        paid = len(world.payments()), await written(world)
        second = await world.say(call(SECOND))

    assert 1 == len(statuses(first))
    assert statuses(first)[0] in {b"200", b"502", b"503"}
    assert b"evil" not in first.lower()
    assert b"set-cookie" not in first.lower()
    assert (1, 1) == paid
    assert [b"200"] == statuses(second)
    assert 2 == len(world.payments())


async def test_402_that_drips(tmp_path: Path) -> None:
    """A 402 whose body never ends is given up, and nothing is signed for it."""
    head = b"HTTP/1.1 402 Payment Required\r\nContent-Length: 1000\r\n\r\n"

    def respond(seen: Seen) -> bytes:
        return OK if seen.target.encode() == SECOND else head + b"{"

    async with recording() as other, paying(tmp_path, other, respond) as world:
        first = await world.say(call(FIRST))
        second = await world.say(call(SECOND))

    assert statuses(first)[0] in {b"502", b"504"}
    assert [b"200"] == statuses(second)
    assert set() == world.payments()


async def test_402_for_ever(tmp_path: Path) -> None:
    """A seller that takes a payment and says 402 again and again is shown that one only."""
    async with (
        recording() as other,
        paying(tmp_path, other, lambda seen: challenge()) as world,
    ):
        answers = [await world.say(call(FIRST)) for _ in range(3)]

    assert {b"502", b"503"} >= {status for answer in answers for status in statuses(answer)}
    assert b"payment-required" not in b"".join(answers).lower()
    assert 1 == len(world.payments())
