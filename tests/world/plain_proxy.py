"""The proxy without money: a handler in front of any aiohttp application, on real sockets."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from sidecar.clock import SystemClock, SystemEntropy, WatchedClock
from sidecar.payments.balances import Balances
from sidecar.payments.credentials import Credentials
from sidecar.payments.events import Event
from sidecar.payments.order import Order, Outcome
from sidecar.payments.purchases import Purchases
from sidecar.payments.topups import TopUps
from sidecar.providers.api_key import ApiKey
from sidecar.providers.base import Provider
from sidecar.proxy.admission import Caller, Gate
from sidecar.proxy.boarding import BoardingConnection, BoardingServer, FastLane
from sidecar.proxy.body import ReplayMemory
from sidecar.proxy.dealings import Dealings
from sidecar.proxy.delivery import Delivery
from sidecar.proxy.handler import RequestHandler, RequestLimits
from sidecar.proxy.listener import Listener
from sidecar.proxy.pool import Pool
from sidecar.proxy.route import Route, RouteTable
from sidecar.proxy.server import ProxyServer, ServerLimits
from sidecar.service.socket_file import SocketFile
from sidecar.service.telling import of_many
from sidecar.tasks import Supervisor

TOKEN = "sk-app"
KEY = "sk-upstream-secret"
LIMITS = RequestLimits(replay_bytes_max=100_000, body_idle_s=1.0, caller_requests_max=4)
SERVER_LIMITS = ServerLimits(
    connections_max=8, header_bytes_max=16_384, header_wait_s=0.3, keepalive_s=5.0
)


@dataclass
class Plain:
    """What a test talks to, and what it may look at."""

    port: int
    upstream_port: int
    events: list[Event] = field(default_factory=list)
    open_connections: Callable[[], int] = lambda: 0
    on_lane: int = 0  # how many requests took the fast lane
    stop: Callable[[float], Awaitable[None]] | None = None

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"}


class NoPurchases:
    """Nothing is paid here."""

    async def pay(self, order: Order, required: Any) -> Outcome:
        raise AssertionError("a payment on a route that never pays")


class CountedLane:
    """The fast lane, and how many requests took it."""

    def __init__(self, express: FastLane, world: Plain) -> None:
        self._express = express
        self._world = world

    def take(self, connection: BoardingConnection, data: bytes) -> bool:
        taken = self._express.take(connection, data)
        self._world.on_lane += taken
        return taken


@asynccontextmanager
async def plain_proxy(
    app: web.Application,
    *,
    limits: RequestLimits = LIMITS,
    server_limits: ServerLimits = SERVER_LIMITS,
    response_wait_s: float = 2.0,
    memory: int = 1_000_000,
    upstream_port: int = 0,
    socket_path: Path | None = None,
    fast_lane: bool = True,
    provider: Provider | None = None,
) -> AsyncIterator[Plain]:
    """The application, and the proxy in front of it as route ``up`` and as the default.

    With a ``socket_path`` it listens there, for this user, instead of on a port.
    """
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    upstream_port = upstream_port or runner.addresses[0][1]
    base_url = f"http://127.0.0.1:{upstream_port}"
    world = Plain(0, upstream_port)
    tasks = Supervisor(lambda name, fault: None)
    pool = Pool(tasks)
    chosen: Provider = provider or ApiKey(base_url, KEY)
    ports = (SystemClock(), SystemEntropy(), world.events.append)
    clock, _, emit = ports
    watched = WatchedClock(clock)
    upstream = pool.upstream(chosen.origins, 1.0, response_wait_s)
    credentials = Credentials("up", chosen, upstream, ports)
    if fast_lane:
        # The first request takes it, too.
        await credentials.get()
    route = Route(
        "up",
        base_url,
        chosen,
        upstream,
        credentials,
        response_wait_s,
        secrets=(KEY,),
        wires=pool.wires(upstream, base_url) if fast_lane else None,
    )
    balances = Balances(clock, emit, lambda *seen: None)
    payer: Any = NoPurchases()  # stands where the money would be
    dealings = Dealings(
        Purchases(payer, tasks),
        TopUps({}, payer, payer, balances, tasks, watched, emit),
        Delivery(payer, balances, tasks, clock, emit),
        limits.replay_bytes_max,
        watched,
        emit,
    )
    gates: list[Gate] = []
    handler = RequestHandler(
        lambda: gates[0],
        RouteTable({"up": route}, route),
        dealings,
        ReplayMemory(memory),
        limits,
        ports,
    )
    users = {} if socket_path is None else {os.geteuid(): Caller("app")}
    server = ProxyServer(handler, server_limits, users, emit=emit)
    if fast_lane:
        express = CountedLane(handler.express(tasks, of_many(world.events.append)), world)
        server = BoardingServer(handler, server_limits, users, emit=emit, express=express)
    world.open_connections = lambda: len(server.connections)
    if socket_path is None:
        listener = await Listener.open(server, "127.0.0.1", 0)
        world.port = listener.port
        gates.append(Gate(frozenset({f"127.0.0.1:{listener.port}"}), {TOKEN: Caller("app")}))
    else:
        bound = SocketFile.make(socket_path, for_others=False).socket
        listener = await Listener.open_on(server, bound)
        gates.append(Gate(None, {}, users=users))
    world.stop = listener.close
    try:
        yield world
    finally:
        await listener.close(1)
        await tasks.drain(1)
        await pool.close()
        await runner.cleanup()
