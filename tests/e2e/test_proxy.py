"""The proxy on real sockets, without money: what crosses, what does not, and what is cut."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from sidecar.payments.events import RequestServed
from sidecar.proxy.handler import RequestLimits
from sidecar.proxy.server import ServerLimits
from tests.world.plain_proxy import KEY, LIMITS, TOKEN, Plain, plain_proxy

State = web.AppKey("state", dict[str, object])


async def echo(request: web.Request) -> web.StreamResponse:
    body = await request.read()
    headers = [[name, value] for name, value in request.headers.items()]
    return web.json_response(
        {"method": request.method, "target": request.path_qs, "headers": headers, "n": len(body)}
    )


async def events(request: web.Request) -> web.StreamResponse:
    """One event, then nothing until the test lets go; then the last."""
    state = request.app[State]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"data: first\n\n")
    gate = state["gate"]
    assert isinstance(gate, asyncio.Event)
    try:
        await gate.wait()
    except asyncio.CancelledError:
        state["hung up"] = True
        raise
    state["last sent"] = True
    await response.write(b"data: last\n\n")
    return response


async def cut(request: web.Request) -> web.StreamResponse:
    """Half of what was promised."""
    response = web.StreamResponse()
    if request.query.get("framing") == "length":
        response.headers["Content-Length"] = "1000"
    await response.prepare(request)
    await response.write(b"x" * 100)
    assert request.transport is not None
    request.transport.close()
    return response


async def odd(request: web.Request) -> web.StreamResponse:
    """A response as the query asks for it."""
    kind = request.query["kind"]
    if kind == "silence":
        await asyncio.sleep(30)
    if kind == "redirect":
        return web.Response(status=302, headers={"Location": "https://evil.example/"})
    if kind == "same-origin":
        return web.Response(status=302, headers={"Location": "/v1/elsewhere"})
    if kind == "big-header":
        return web.Response(headers={"X-Big": "x" * 300_000})
    if kind == "echo-secret":
        return web.Response(headers={"X-Echo": f"Bearer {KEY}", "Set-Cookie": "a=b"})
    if kind == "402":
        return web.json_response({"error": "Insufficient USD"}, status=402)
    challenge = {"x402Version": 1, "accepts": [], "error": "pay"}
    return web.json_response(challenge, status=402, headers={"PAYMENT-REQUIRED": "e30="})


@pytest.fixture
def app() -> web.Application:
    app = web.Application(client_max_size=10**9)
    app[State] = {"gate": asyncio.Event()}  # type: ignore[misc]  # aiohttp types its keys so
    app.router.add_route("*", "/v1/echo", echo)
    app.router.add_get("/v1/events", events)
    app.router.add_get("/v1/cut", cut)
    app.router.add_get("/v1/odd", odd)
    return app


async def raw(world: Plain, request: bytes, wait_s: float = 5) -> bytes:
    """Everything that comes back on a connection of our own until it is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(request)
    async with asyncio.timeout(wait_s):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def head(world: Plain, line: str, *lines: str) -> bytes:
    fixed = (f"Host: 127.0.0.1:{world.port}", f"Authorization: Bearer {TOKEN}")
    return ("\r\n".join((line, *fixed, *lines)) + "\r\n\r\n").encode()


async def test_transparent(app: web.Application) -> None:
    """Method, target, headers and body reach the upstream; its own headers come back, no others."""
    async with plain_proxy(app) as world, aiohttp.ClientSession() as app_side:
        url = world.url("/v1/echo?a=%20b")
        headers = {**world.headers, "X-Mine": "1", "User-Agent": "OpenAI/Python"}
        async with app_side.post(url, data=b"body", headers=headers) as response:
            seen = await response.json()
            names = {name.lower() for name in response.headers}

    sent = {name.lower(): value for name, value in seen["headers"]}
    assert (seen["method"], seen["target"], seen["n"]) == ("POST", "/v1/echo?a=%20b", 4)
    assert (sent["x-mine"], sent["user-agent"]) == ("1", "OpenAI/Python")
    assert f"Bearer {KEY}" == sent["authorization"]
    assert f"127.0.0.1:{world.upstream_port}" == sent["host"]
    assert {"content-type", "content-length", "date", "server"} == names


async def test_route_prefix(app: web.Application) -> None:
    """A route is served under its name; the default also without; anything else is a 404."""
    async with plain_proxy(app) as world, aiohttp.ClientSession(headers=world.headers) as app_side:
        async with app_side.get(world.url("/up/v1/echo?x=1")) as response:
            target = (await response.json())["target"]
        async with app_side.get(world.url("/up")) as response:
            bare = response.status

    assert (target, bare) == ("/v1/echo?x=1", 404)


@pytest.mark.parametrize("size", [300_000, 5_000_000])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_large_uploads(app: web.Application, size: int, chunked: bool) -> None:
    """A body over the replay cap streams through, with or without a declared length."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(size // 10_000):
            yield b"y" * 10_000

    async with plain_proxy(app) as world, aiohttp.ClientSession(headers=world.headers) as app_side:
        data = parts() if chunked else io.BytesIO(b"y" * size)
        async with app_side.post(world.url("/v1/echo"), data=data) as response:
            assert size == (await response.json())["n"]


async def test_small_chunked_upload_gets_a_length(app: web.Application) -> None:
    """A chunked upload that fits the cap is sent on with its length."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"abc"

    async with plain_proxy(app) as world, aiohttp.ClientSession(headers=world.headers) as app_side:
        async with app_side.post(world.url("/v1/echo"), data=parts()) as response:
            sent = {name.lower(): value for name, value in (await response.json())["headers"]}

    assert sent["content-length"] == "3"
    assert "transfer-encoding" not in sent


async def test_first_event_before_the_last(app: web.Application) -> None:
    """An event reaches the app before the seller has sent the next one."""
    state = app[State]
    async with plain_proxy(app) as world, aiohttp.ClientSession(headers=world.headers) as app_side:
        async with app_side.get(world.url("/v1/events")) as response:
            first = await response.content.readany()
            sent_by_then = "last sent" in state
            state["gate"].set()  # type: ignore[attr-defined]  # an Event
            rest = await response.content.read()

    assert (first, sent_by_then, rest) == (b"data: first\n\n", False, b"data: last\n\n")


async def test_hang_up_stops_the_upstream(app: web.Application) -> None:
    """When the app hangs up, the sidecar stops reading from the upstream."""
    state = app[State]
    async with plain_proxy(app) as world:
        async with aiohttp.ClientSession(headers=world.headers) as app_side:
            async with app_side.get(world.url("/v1/events")) as response:
                await response.content.readany()
                response.close()
        async with asyncio.timeout(3):
            while "hung up" not in state:
                await asyncio.sleep(0.01)
        served = [event for event in world.events if isinstance(event, RequestServed)]

    assert [event.status for event in served] == [499]


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_cut_stays_cut(app: web.Application, framing: str) -> None:
    """A body that is cut upstream is cut for the app, never ended as if it were whole."""
    async with plain_proxy(app) as world, aiohttp.ClientSession(headers=world.headers) as app_side:
        async with app_side.get(world.url(f"/v1/cut?framing={framing}")) as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("silence", 504, "sidecar_upstream"),
        ("redirect", 502, "sidecar_upstream"),
        ("big-header", 502, "sidecar_upstream"),
        ("challenge", 402, "payment_required"),
    ],
)
async def test_odd_upstreams(app: web.Application, kind: str, status: int, code: str) -> None:
    """What an upstream may not do ends in an error that the app's SDK can read."""
    async with (
        plain_proxy(app, response_wait_s=0.5) as world,
        aiohttp.ClientSession(headers=world.headers) as app_side,
        app_side.get(world.url(f"/v1/odd?kind={kind}"), allow_redirects=False) as response,
    ):
        error = (await response.json())["error"]

    assert (status, code) == (response.status, error["code"])
    assert "PAYMENT-REQUIRED" not in response.headers


async def test_relayed_as_they_are(app: web.Application) -> None:
    """A redirect within the origin and a 402 without a challenge are the app's to see."""
    async with plain_proxy(app) as world, aiohttp.ClientSession(headers=world.headers) as app_side:
        url = world.url("/v1/odd?kind=same-origin")
        async with app_side.get(url, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (302, "/v1/elsewhere")
        async with app_side.get(world.url("/v1/odd?kind=402")) as response:
            assert await response.json() == {"error": "Insufficient USD"}
            assert response.headers["x-should-retry"] == "false"


async def test_secrets_do_not_come_back(app: web.Application) -> None:
    """A key that the upstream echoes, and its cookies, do not reach the app."""
    async with plain_proxy(app) as world, aiohttp.ClientSession(headers=world.headers) as app_side:
        async with app_side.get(world.url("/v1/odd?kind=echo-secret")) as response:
            names = {name.lower() for name in response.headers}

    assert not names & {"x-echo", "set-cookie"}


async def test_upstream_down(app: web.Application) -> None:
    """An upstream that cannot be reached is a 502 that names it."""
    async with plain_proxy(app, upstream_port=9) as world:
        answer = await raw(world, head(world, "GET /v1/echo HTTP/1.0"))

    assert answer.startswith(b"HTTP/1.0 502")
    assert b"cannot connect to http://127.0.0.1:9" in answer


@pytest.mark.parametrize(
    "request_lines",
    [
        ("GET http://evil.example/ HTTP/1.1",),
        ("CONNECT evil.example:443 HTTP/1.1",),
        ("GET /v1/../x HTTP/1.1",),
        ("POST /v1/echo HTTP/1.1", "Content-Length: 3", "Transfer-Encoding: chunked"),
        ("POST /v1/echo HTTP/1.1", "Content-Length: 3", "Content-Length: 4"),
        ("POST /v1/echo HTTP/1.1", "Content-Length: +3"),
        ("GET /v1/echo HTTP/1.1", "Bad Name: x"),
        ("GET /v1/echo HTTP/1.1", f"X-Long: {'x' * 20_000}"),
    ],
)
async def test_malformed_requests(app: web.Application, request_lines: tuple[str, ...]) -> None:
    """A request that could be read in two ways is refused, and its connection closed."""
    async with plain_proxy(app) as world:
        answer = await raw(world, head(world, *request_lines) + b"abc")

    assert answer.split(b" ")[1] in {b"400", b"403", b"405"}
    assert answer.count(b"HTTP/1.") == 1


async def test_expect_continue(app: web.Application) -> None:
    """An app that asks whether to send its body is told to, at once."""
    async with plain_proxy(app) as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(
            head(world, "POST /v1/echo HTTP/1.1", "Expect: 100-continue", "Content-Length: 3")
        )
        async with asyncio.timeout(2):
            interim = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"abc")
        async with asyncio.timeout(2):
            final = await reader.readline()
        writer.close()
        await writer.wait_closed()

    assert (interim, final) == (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("begun", [b"", b"GET /v1/echo HTTP/1.1\r\nHost: "])
async def test_slow_heads(app: web.Application, begun: bytes) -> None:
    """A connection whose request does not arrive in time is closed."""
    async with plain_proxy(app) as world:
        assert await raw(world, begun, wait_s=3) == b""


async def test_slow_head_on_a_kept_connection(app: web.Application) -> None:
    """The second head on a connection is waited for no longer than the first."""
    async with plain_proxy(app) as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(head(world, "GET /v1/odd?kind=402 HTTP/1.1"))
        await reader.readuntil(b'USD"}')
        writer.write(b"GET /v1/echo HT")
        async with asyncio.timeout(3):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_silent_body(app: web.Application) -> None:
    """An app that stops in mid-body gets a 408."""
    async with plain_proxy(app) as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(head(world, "POST /v1/echo HTTP/1.1", "Content-Length: 9") + b"a")
        async with asyncio.timeout(5):
            status = await reader.readline()
        writer.close()
        await writer.wait_closed()

    assert b"HTTP/1.1 408 Request Timeout\r\n" == status


async def test_connections_are_bounded(app: web.Application) -> None:
    """Connections over the limit are closed as they come, and those within it go on."""
    limits = ServerLimits(2, 16_384, header_wait_s=5, keepalive_s=5)
    async with plain_proxy(app, server_limits=limits) as world:
        kept = [await asyncio.open_connection("127.0.0.1", world.port) for _ in range(2)]
        await asyncio.sleep(0.05)
        try:
            refused = await raw(world, head(world, "GET /v1/echo HTTP/1.1"))
        except ConnectionError:
            refused = b""
        kept[0][1].write(head(world, "GET /v1/echo HTTP/1.1"))
        served = await kept[0][0].readline()
        for _, writer in kept:
            writer.close()
            await writer.wait_closed()

    assert (refused, served) == (b"", b"HTTP/1.1 200 OK\r\n")


async def test_callers_are_bounded(app: web.Application) -> None:
    """A caller with too many requests under way gets a 503 that says to come back."""
    limits = RequestLimits(LIMITS.replay_bytes_max, LIMITS.body_idle_s, caller_requests_max=1)
    async with (
        plain_proxy(app, limits=limits) as world,
        aiohttp.ClientSession(headers=world.headers) as app_side,
        app_side.get(world.url("/v1/events")) as first,
    ):
        await first.content.readany()
        async with app_side.get(world.url("/v1/echo")) as second:
            answered = second.status, second.headers["x-should-retry"]
        app[State]["gate"].set()  # type: ignore[attr-defined]  # an Event
        await first.read()

    assert answered == (503, "true")


async def test_memory_for_bodies_is_bounded(app: web.Application) -> None:
    """A body for which there is no room is a 503 that says to come back."""
    async with (
        plain_proxy(app, memory=10) as world,
        aiohttp.ClientSession(headers=world.headers) as app_side,
        app_side.post(world.url("/v1/echo"), data=b"x" * 50) as response,
    ):
        assert (response.status, response.headers["Retry-After"]) == (503, "1")


async def test_no_token(app: web.Application) -> None:
    """Without its token an app gets OpenAI's 401, or Anthropic's."""
    async with plain_proxy(app) as world, aiohttp.ClientSession() as app_side:
        async with app_side.get(world.url("/v1/echo")) as response:
            openai_shaped = await response.json()
        async with app_side.post(world.url("/v1/messages"), data=b"{}") as response:
            anthropic_shaped = await response.json()

    assert openai_shaped["error"]["code"] == "invalid_api_key"
    assert anthropic_shaped["error"]["type"] == "authentication_error"


async def test_keeps_connections(app: web.Application) -> None:
    """Requests of one app share its connection, and the upstream's."""
    async with plain_proxy(app) as world:
        request = head(world, "GET /v1/echo HTTP/1.1")
        last = head(world, "GET /v1/echo HTTP/1.1", "Connection: close")
        answer = await raw(world, request + request + last)

    assert answer.count(b"HTTP/1.1 200 OK") == 3
