"""Malformed and smuggled requests over raw sockets, in front of an upstream that keeps the bytes.

Each case of ``smuggling_cases`` ends in one of two ways: refused and cut off with nothing at the
upstream, or there exactly as RFC 9112 reads it, in our own framing, with nothing after it.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys

import pytest
from aiohttp import web

from sidecar.payments.events import TaskFailed
from sidecar.proxy.server import ServerLimits
from tests.hostile.recorder import OK, Recorder, Seen, recording
from tests.hostile.smuggling_cases import ADMIT, CASES, CHUNKED, GET, POST, PROBE, Case, ask
from tests.world.plain_proxy import TOKEN, Plain, plain_proxy
from tests.world.processes import ROOT

LIMITS = ServerLimits(
    connections_max=8, header_bytes_max=16_384, header_wait_s=0.3, keepalive_s=0.3
)
PROBE_SEEN = Seen("GET", "/v1/probe")
# Long enough for the sidecar to have read one piece before the next one comes.
PIECE_S = 0.05
ANSWER_WAIT_S = 10.0
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


async def say(world: Plain, *parts: bytes) -> bytes:
    """All that comes back until the sidecar closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    try:
        for number, part in enumerate(parts):
            if number:
                await asyncio.sleep(PIECE_S)
            host = b"127.0.0.1:%d" % world.port
            writer.write(
                part.replace(b"{host}", host).replace(b"{token}", b"Bearer " + TOKEN.encode())
            )
        async with asyncio.timeout(ANSWER_WAIT_S):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def judge(case: Case, answer: bytes, upstream: Recorder) -> str:
    """Empty where the case ended as it must; else what is wrong."""
    statuses = [int(status) for status in _STATUS.findall(answer)]
    seen = [each for each in upstream.requests if each != PROBE_SEEN]
    framed = all(len(each.values("content-length")) <= 1 for each in upstream.requests)
    if upstream.unread:
        return f"bytes that belong to no request: {bytes(upstream.unread)!r}"
    if any(each.values("transfer-encoding") for each in upstream.requests) or not framed:
        return "the framing is not ours"
    if not case.sees:
        if upstream.requests:
            return f"reached the upstream: {upstream.requests}"
        return "" if all(status >= 400 for status in statuses) else f"answered with {statuses}"
    if list(case.sees) != seen:
        return f"the upstream saw {seen}"
    return "" if statuses[: len(seen)] == [200] * len(seen) else f"answered with {statuses}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_cases(case: Case) -> None:
    """A malformed request is refused and cut off, or reaches the upstream as one same request."""
    parts = (*case.parts[:-1], case.parts[-1] + PROBE) if case.probed else case.parts
    async with (
        recording() as upstream,
        plain_proxy(web.Application(), server_limits=LIMITS, upstream_port=upstream.port) as world,
    ):
        answer = await say(world, *parts)
        failures = [event for event in world.events if isinstance(event, TaskFailed)]

    assert "" == judge(case, answer, upstream)
    assert [] == failures


def test_enough_cases() -> None:
    """The battery has at least a hundred cases, each under a name of its own."""
    names = {case.name for case in CASES}

    assert len(CASES) == len(names)
    assert len(names) >= 100


async def test_a_head_that_never_ends() -> None:
    """Fields within their limits do not add up to a head without one: it ends in a 431."""
    field = b"X-A: " + b"b" * 8_000 + b"\r\n"
    async with (
        recording() as upstream,
        plain_proxy(web.Application(), server_limits=LIMITS, upstream_port=upstream.port) as world,
    ):
        answer = await say(world, GET + b"\r\n" + ADMIT, *[field] * 4)

    assert [b"431"] == _STATUS.findall(answer)
    assert [] == upstream.requests


async def test_a_body_that_breaks_off() -> None:
    """A large body that turns to nonsense is refused, and what went out of it never looks whole."""
    large = b"20000\r\n" + b"x" * 0x20000 + b"\r\n"
    async with (
        recording() as upstream,
        plain_proxy(web.Application(), server_limits=LIMITS, upstream_port=upstream.port) as world,
    ):
        answer = await say(world, ask(POST, CHUNKED, body=large), b"zz\r\n" + PROBE)

    assert [b"400"] == _STATUS.findall(answer)
    assert [] == upstream.requests
    assert not upstream.received.endswith(b"0\r\n\r\n")


async def test_large_bodies_are_no_heads() -> None:
    """What bounds a head does not bound a body that comes in many pieces."""
    size = 50_000
    head = ask(b"POST /v1/a HTTP/1.1", b"Content-Length: %d" % size, b"Connection: close")
    async with (
        recording() as upstream,
        plain_proxy(web.Application(), server_limits=LIMITS, upstream_port=upstream.port) as world,
    ):
        answer = await say(world, head, *[b"x" * 10_000] * 5)

    assert [b"200"] == _STATUS.findall(answer)
    assert [size] == [len(seen.body) for seen in upstream.requests]


async def test_an_answer_with_a_second_one_inside() -> None:
    """An upstream's second, unasked answer reaches no app, and no later request."""

    def respond(seen: Seen) -> bytes:
        return OK + OK.replace(b"{}", b"[]") if seen.target == "/v1/a" else OK

    async with (
        recording(respond) as upstream,
        plain_proxy(web.Application(), server_limits=LIMITS, upstream_port=upstream.port) as world,
    ):
        answer = await say(world, ask(GET), PROBE)

    assert [b"200", b"200"] == _STATUS.findall(answer)
    assert b"[]" not in answer


async def test_smuggled_fields_do_not_cross() -> None:
    """Framing and credentials in underscore spellings, and trailers, stop here."""
    fields = (
        b"Transfer_Encoding: chunked",
        b"Content_Length: 99",
        b"Proxy_Connection: keep-alive",
        b"Keep_Alive: 1",
        b"X_Forwarded_For: 1.2.3.4",
        b"X_Api_Key: theirs",
        b"PAYMENT_SIGNATURE: theirs",
        b"X_PAYMENT: theirs",
        b"x_sidecar_payment_id: theirs",
        b"Connection: x-named, close, authorization",
        b"X-Named: hop",
        b"X-Kept: yes",
    )
    async with (
        recording() as upstream,
        plain_proxy(web.Application(), server_limits=LIMITS, upstream_port=upstream.port) as world,
    ):
        await say(world, ask(GET, *fields))
        seen = upstream.requests[0]

    assert {"Host", "Authorization", "X-Kept"} == {name for name, _ in seen.fields}
    assert b"theirs" not in upstream.received


def test_refuses_the_pure_python_parser() -> None:
    """Where aiohttp has no C parser the sidecar does not start, and says why in one sentence."""
    program = (
        "from sidecar.errors import ConfigError\n"
        "from sidecar.service.process import run\n"
        "try:\n"
        "    run(None, {})\n"
        "except ConfigError as fault:\n"
        "    raise SystemExit(f'refused: {fault}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "AIOHTTP_NO_EXTENSIONS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 1 == done.returncode
    assert done.stderr.startswith("refused: sidecar: aiohttp runs without its C parser")
