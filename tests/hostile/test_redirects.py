"""Redirects of all five kinds, to wherever: never followed, and nothing crosses to who is named.

A recorder listens at the second origin and counts bytes, so a look there would show.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.paying import Paying, challenge, paying, payments_in
from tests.hostile.recorder import Respond, Seen, recording
from tests.hostile.smuggling_cases import ask

KINDS = (301, 302, 303, 307, 308)
BODY = b'{"model": "m"}'
CALL = ask(
    b"POST /v1/chat/completions HTTP/1.1",
    b"Content-Length: %d" % len(BODY),
    b"Connection: close",
    body=BODY,
)
ELSEWHERE = {
    "another port": "http://127.0.0.1:{port}/v1/a",
    "another host": "http://localhost:{port}/v1/a",
    "without a scheme": "//127.0.0.1:{port}/v1/a",
    "with a backslash": "/\\127.0.0.1:{port}/v1/a",
    "with two backslashes": "\\\\127.0.0.1:{port}/v1/a",
    "with credentials": "http://seller:secret@127.0.0.1:{port}/",
    "the seller as credentials": "http://{seller}@127.0.0.1:{port}/",
    "another scheme": "https://{seller}/v1/a",
    "no web scheme": "file:///etc/passwd",
    "in capitals": "HTTP://127.0.0.1:{port}/v1/a",
}
HERE = {"a path": "/v1/b", "its own origin": "http://{seller}/v1/b"}


def redirects(kind: int, where: str, *, paid: bool, ports: list[int]) -> Respond:
    """A seller that redirects: the call as it comes, or only once it has been paid."""

    def respond(seen: Seen) -> bytes:
        if paid and not payments_in(seen):
            return challenge()
        location = where.format(port=ports[0], seller=seen.values("host")[0])
        head = f"HTTP/1.1 {kind} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        return head.encode()

    return respond


async def call(folder: Path, kind: int, where: str, *, paid: bool) -> tuple[int, Paying]:
    """One call of an app at a seller that redirects; its status, and what was counted."""
    async with recording() as other:
        respond = redirects(kind, where, paid=paid, ports=[other.port])
        async with paying(folder, other, respond) as world:
            answer = await world.say(CALL)
            return int(answer.split(b" ")[1]), world


@pytest.mark.parametrize("where", ELSEWHERE.values(), ids=ELSEWHERE)
@pytest.mark.parametrize("kind", KINDS)
async def test_unpaid(tmp_path: Path, kind: int, where: str) -> None:
    """A redirect away is a 502, and no byte reaches the origin that it names."""
    status, world = await call(tmp_path, kind, where, paid=False)

    assert 502 == status
    assert (0, b"") == (world.other.connections, bytes(world.other.received))
    assert ["/v1/chat/completions"] == [seen.target for seen in world.seller.requests]
    assert set() == world.payments()


@pytest.mark.parametrize("kind", KINDS)
async def test_paid(tmp_path: Path, kind: int) -> None:
    """A paid call that is redirected away is answered here: its payment goes nowhere else."""
    status, world = await call(tmp_path, kind, ELSEWHERE["another port"], paid=True)

    assert status in {502, 503}
    assert (0, b"") == (world.other.connections, bytes(world.other.received))
    assert {"/v1/chat/completions"} == {seen.target for seen in world.seller.requests}
    assert 1 == len(world.payments())


@pytest.mark.parametrize("where", HERE.values(), ids=HERE)
@pytest.mark.parametrize("kind", KINDS)
async def test_within_the_origin(tmp_path: Path, kind: int, where: str) -> None:
    """A redirect within the origin is the app's to see, and is not followed here either."""
    status, world = await call(tmp_path, kind, where, paid=False)

    assert kind == status
    assert ["/v1/chat/completions"] == [seen.target for seen in world.seller.requests]
    assert (0, set()) == (world.other.connections, world.payments())
