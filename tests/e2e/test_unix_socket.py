"""The sidecar on a Unix socket: the kernel says who calls, and nobody else is served.

What somebody else is refused is shown from a process of another user where the tests run as root.
Elsewhere no such process can be had, and the config names somebody else instead of us: then we
are the other user.
"""

from __future__ import annotations

import asyncio
import json
import signal
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.payments.events import TaskFailed
from sidecar.proxy.server import STRANGERS_MAX, ServerLimits
from sidecar.sandbox import Sandbox, SandboxOptions
from tests.hostile.recorder import recording
from tests.hostile.smuggling_cases import CASES, GET, POST, PROBE, Case, ask
from tests.hostile.test_smuggling import judge
from tests.world.plain_proxy import KEY as UPSTREAM_KEY
from tests.world.plain_proxy import plain_proxy
from tests.world.running import KEY, write_private
from tests.world.unix_socket import ASKING, OTHER, OWN, TOKEN, WAIT_S, World, end, say

LIMITS = ServerLimits(
    connections_max=8, header_bytes_max=16_384, header_wait_s=0.3, keepalive_s=0.3
)
# A Host that says no more than another on a Unix socket.
ANY_HOST = {"Host of another", "Host without a port", "Host with another port"}
SAMPLE = [case for case in CASES if case.name not in ANY_HOST][::7]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users may enter: pytest's own are closed to them."""
    with tempfile.TemporaryDirectory(prefix="x402-") as name:
        path = Path(name)
        path.chmod(0o755)
        write_private(path / "evm.key", KEY)
        write_private(path / "api.key", UPSTREAM_KEY)
        yield path


@pytest.fixture
async def world(folder: Path) -> AsyncIterator[World]:
    sandbox = Sandbox(SandboxOptions(), SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    try:
        async with recording() as keyed:
            yield World(folder, sandbox, keyed)
    finally:
        await sandbox.stop()


async def test_paid_call(world: World) -> None:
    """The stock client's call is paid, booked to the caller by its uid, and held to its budget."""
    async with world.running(f"{{name: app, uid: {OWN}, budgets: [small]}}"):
        statuses = [await world.buy(), await world.buy()]
        booked = world.booked()

    assert ([200, 402], ["app"]) == (statuses, booked)
    assert 1 == len(world.sandbox.books.settlements)


async def test_own_user_only(world: World) -> None:
    """Without callers the sidecar's own user is the only one, and the file is for it alone."""
    async with world.running() as child:
        mode = stat.S_IMODE(world.path.stat().st_mode)
        status = await world.buy()
        booked = world.booked()
        child.terminate()
        _, said = await asyncio.wait_for(child.communicate(), WAIT_S)
    serving, known = (json.loads(line)["message"] for line in said.decode().splitlines()[:2])

    assert (0o600, 200, ["default"]) == (mode, status, booked)
    assert serving.startswith(f"serving unix:{world.path}, admin http://127.0.0.1:")
    assert f"known by their users, and nobody else: default (uid {OWN})" == known
    assert not (world.folder / "state" / "caller.token").exists()


async def test_other_caller(world: World) -> None:
    """A process of another user is the caller whom its uid names."""
    async with world.running(f"{{name: other, uid: {ASKING}}}", f"{{name: more, uid: {OTHER}}}"):
        mode = stat.S_IMODE(world.path.stat().st_mode)
        status, _, _ = await world.ask()
        booked = world.booked()

    assert (0o666, 200, ["other"]) == (mode, status, booked)
    assert 1 == len(world.sandbox.books.settlements)


async def test_stranger(world: World) -> None:
    """A process of a user who is no caller gets a 403 and is cut off; nothing is bought."""
    async with world.running(f"{{name: other, uid: {OTHER}}}"):
        status, connection, body = await world.ask()
        large = ask(POST, b"Content-Length: 9999")
        unread = await world.say(large)
        booked = world.booked()

    assert (403, "close", []) == (status, connection, booked)
    assert "sidecar_user" == json.loads(body)["error"]["code"]
    assert f"user {ASKING} " in json.loads(body)["error"]["message"]
    # Ours comes without its body: it was answered before any of it.
    assert unread.startswith(b"HTTP/1.1 403 ")
    assert () == world.sandbox.books.presentations
    assert 0 == world.keyed.connections


async def test_crowd_of_strangers(world: World) -> None:
    """Strangers who say nothing take few places: the others of them are cut off as they come."""
    async with world.running(f"{{name: other, uid: {OTHER}}}"):
        ends = [await asyncio.open_unix_connection(world.path) for _ in range(STRANGERS_MAX + 8)]
        async with asyncio.timeout(WAIT_S):
            last = [await reader.read() for reader, _ in ends[STRANGERS_MAX:]]
        kept = [reader.at_eof() for reader, _ in ends[:STRANGERS_MAX]]
        for _, writer in ends:
            writer.close()

    assert [b""] * 8 == last
    assert [False] * STRANGERS_MAX == kept


async def test_token_stays_here(world: World) -> None:
    """What the app sends as its API key is not looked at, and never goes on."""
    fields = (b"X-Api-Key: " + TOKEN.encode(), b"Api-Key: " + TOKEN.encode(), b"Connection: close")
    bearer = b"Host: any.example\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n"
    async with world.running(f"{{name: app, uid: {OWN}}}"):
        answer = await world.say(ask(b"GET /keyed/v1/models HTTP/1.1", *fields, admit=bearer))

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert [[f"Bearer {UPSTREAM_KEY}"]] == [
        seen.values("authorization") for seen in world.keyed.requests
    ]
    assert TOKEN.encode() not in world.keyed.received


async def test_web_page(world: World) -> None:
    """A web page's request that a local server passes on is refused."""
    page = ask(b"GET /keyed/v1/models HTTP/1.1", b"Origin: http://localhost")
    async with world.running():
        answer = await world.say(page)

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert [] == world.keyed.requests


async def test_killed(world: World) -> None:
    """The socket that a killed sidecar left is replaced by the next one, which serves."""
    child = await world.start()
    child.send_signal(signal.SIGKILL)
    await child.communicate()
    left = world.path.is_socket()
    async with world.running():
        status = await world.buy()

    assert (True, 200) == (left, status)


async def test_live(world: World) -> None:
    """A second sidecar is refused with the first one's pid, and the first goes on."""
    async with world.running() as first:
        second = await world.start()
        _, said = await asyncio.wait_for(second.communicate(), WAIT_S)
        status = await world.buy()

    assert (2, 200) == (second.returncode, status)
    assert f"listen: {world.path}: pid {first.pid} (" in said.decode()
    assert "listens there already" in said.decode()


async def test_stopped(world: World) -> None:
    """A sidecar that is stopped takes its socket with it, and nothing else lies about."""
    async with world.running() as child:
        status = await end(child)

    assert 0 == status
    assert not world.path.exists()
    assert [] == [path for path in world.folder.iterdir() if path.name.startswith(".")]


async def test_slow(world: World) -> None:
    """Heads and bodies have to come in time here, too."""
    body = ask(b"POST /keyed/v1/a HTTP/1.1", b"Content-Length: 9")
    async with world.running():
        answers = await asyncio.gather(
            world.say(b""), world.say(GET + b"\r\nHost: "), world.say(body, b"a")
        )

    assert [b"", b"", b"HTTP/1.1 408 "] == [answer[:13] for answer in answers]
    assert [] == world.keyed.requests


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case.name)
async def test_smuggling(folder: Path, case: Case) -> None:
    """A malformed request is refused and cut off, or reaches the upstream as one same request."""
    path = folder / "sidecar.sock"
    parts = (*case.parts[:-1], case.parts[-1] + PROBE) if case.probed else case.parts
    async with (
        recording() as upstream,
        plain_proxy(
            web.Application(),
            server_limits=LIMITS,
            upstream_port=upstream.port,
            socket_path=path,
        ) as world,
    ):
        answer = await say(path, *parts)
        failures = [event for event in world.events if isinstance(event, TaskFailed)]

    assert "" == judge(case, answer, upstream)
    assert [] == failures
