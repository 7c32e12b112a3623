"""A sidecar with routes of each kind, in front of a scripted upstream, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.config.model import Config, Limits
from sidecar.config.read import parse_config
from sidecar.ledger.model import Payment
from sidecar.payments.events import BalanceObserved, Event
from sidecar.proxy.server import ProxyServer
from sidecar.service import Ports, Service, open_all
from tests.differential.asking import PORT, RUN
from tests.differential.cases import Case
from tests.differential.outcomes import Outcome, Seen
from tests.differential.reading import messages
from tests.differential.upstream import Conversation, Upstream, make_token
from tests.world.running import KEY, TOKEN, write_private

# Longer than anything that ends by itself takes.
GIVES_UP_S = 6.0
LIMITS = Limits(
    replay_bytes_max=100_000,
    replay_memory_max=1_000_000,
    header_bytes_max=16_384,
    connections_max=64,
    caller_requests_max=4,
    header_wait_s=0.4,
    body_idle_s=0.4,
    keepalive_s=8.0,
    drain_wait_s=1.0,
)
RESPONSE_WAIT_S = 0.6
# Pauses up to this one are skipped: those between two presentations of one payment.
SKIPPED_S = 10.0
PAYMENTS_READ_MAX = 20
# An app takes what comes while it still sends.
READ_AHEAD_MAX = 2**22
# After so many turns of the loop, the next piece is a segment of its own, and is read as one.
SEGMENT_TURNS = 6

CONFIG = """\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
state_dir: {folder}
ledger: {{sqlite: ledger.db}}
recovery: {{interval_s: 3600}}
balances: {{interval_s: 86400}}
wallets:
  main: {{kind: evm, key: {{file: {folder}/evm.key}}}}
budgets:
  - {{name: all, limit: "1000000 USDC", window: 1d}}
callers:
  - {{name: app, token: {{file: {folder}/app.token}}}}
routes:
  up: {{provider: api_key, upstream: "{origin}", api_key: {{file: {folder}/up.key}}, default: true}}
  seller: {{provider: pay_per_request, upstream: "{origin}", {money}}}
  member: {{provider: nodit, upstream: "{origin}/member", {money}}}
"""
MONEY = (
    'wallet: main, networks: ["eip155:84532"], max_payment: "1.00 USDC", budgets: [all], '
    "breaker: {undelivered_max: 10000, window: 1h}"
)


class HurriedClock:
    """The machine's clocks; short pauses take no time."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self.now = self._clock.now
        self.monotonic_s = self._clock.monotonic_s

    async def sleep(self, duration_s: float) -> None:
        await self._clock.sleep(0.0 if duration_s <= SKIPPED_S else duration_s)


@dataclass
class World:
    """One sidecar and its upstream; the case that is run now."""

    service: Service
    upstream: Upstream
    events: list[Event]
    runs: int = 0
    newest: str = ""
    lasting: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, case: Case, turns: int, patience: int = 1) -> Outcome:
        """The case through this sidecar, with so many turns of the loop between its pieces.

        ``patience``: so many times as many between the app's.
        """
        self.runs += 1
        run = b"%0*d" % (len(RUN), self.runs)
        self.upstream.start(case.scripts, case.paid, turns)
        self.events.clear()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.service.port, limit=READ_AHEAD_MAX
        )
        got = bytearray()
        ended = "kept"
        bodiless = tuple(method == "HEAD" for method in case.methods)
        port = b"%d" % self.service.port
        with suppress(ConnectionError):
            for pieces, wanted in case.parts:
                for piece in pieces:
                    if writer.is_closing():
                        break
                    writer.write(piece.replace(PORT, port).replace(RUN, run))
                    for _ in range(turns * patience):
                        await asyncio.sleep(0)
                ended = await self._read(reader, got, wanted, bodiless)
                if ended != "kept":
                    break
                # An upstream that closes now has closed before the next request is sent.
                await asyncio.sleep(0.002)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        await self._settled()
        return Outcome.of(
            Seen(bytes(got), ended, bodiless),
            self.upstream.requests,
            self.events,
            await self._payments(),
            (run, self.upstream.token),
        )

    async def _read(
        self, reader: asyncio.StreamReader, got: bytearray, wanted: int, bodiless: tuple[bool, ...]
    ) -> str:
        """Read until so many answers are whole, or the connection ends."""
        try:
            async with asyncio.timeout(GIVES_UP_S):
                while True:
                    found, _ = messages(bytes(got), bodiless)
                    if sum(whole for _, _, whole in found) >= wanted:
                        return "kept"
                    data = await reader.read(2**20)
                    if not data:
                        return "closed"
                    got += data
        except TimeoutError:
            return "silent"
        except ConnectionError:
            return "closed"

    async def _settled(self) -> None:
        """Wait until nothing is done for the case any more."""
        listener = self.service._data
        assert listener is not None
        while listener._server.connections:
            await asyncio.sleep(0.0005)
        while working := self.service._tasks._tasks - self.lasting:
            await asyncio.wait(working)
        for _ in range(6):
            await asyncio.sleep(0)
        # Not once a second, which would be in another case's time.
        server = listener._server
        assert isinstance(server, ProxyServer)
        server.refusals.tell()
        self.upstream.stop()

    async def _payments(self) -> list[Payment]:
        """The rows that the ledger has got since the last time, the oldest first."""
        ledger = self.service._ledger
        assert ledger is not None
        rows = await ledger.payments(None, PAYMENTS_READ_MAX)
        ids = [row.id for row in rows]
        made = rows[: ids.index(self.newest)] if self.newest in ids else rows
        assert len(made) < PAYMENTS_READ_MAX
        if rows:
            self.newest = rows[0].id
        return list(reversed(made))


def _config(folder: Path, port: int, *, fast_lane: bool) -> Config:
    write_private(folder / "evm.key", KEY)
    write_private(folder / "app.token", TOKEN)
    write_private(folder / "up.key", "sk-upstream-secret")
    origin = f"http://127.0.0.1:{port}"
    text = CONFIG.format(folder=folder, origin=origin, money=MONEY)
    config = parse_config(text, {}, {}, folder)
    # Shorter waits than a config may ask for; and credit is bought in the ordinary way only.
    routes = {
        name: replace(route, response_wait_s=RESPONSE_WAIT_S, connect_wait_s=1.0, top_up=None)
        for name, route in config.routes.items()
    }
    return replace(config, routes=routes, limits=replace(LIMITS, fast_lane=fast_lane))


async def _signed_in(service: Service, events: list[Event]) -> None:
    """So that no case is the first one, and finds its vendor asked for more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    host = f"127.0.0.1:{service.port}"
    writer.write(
        f"GET /member/ready HTTP/1.1\r\nHost: {host}\r\nX-Api-Key: {TOKEN}\r\n\r\n".encode()
    )
    await reader.readuntil(b"}")
    writer.close()
    await writer.wait_closed()
    while not any(isinstance(event, BalanceObserved) for event in events):
        await asyncio.sleep(0.01)


@asynccontextmanager
async def world(folder: Path, *, fast_lane: bool) -> AsyncIterator[World]:
    """The sidecar, with the lane or without."""
    folder.mkdir(parents=True)
    upstream = Upstream(make_token())
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(upstream), "127.0.0.1", 0)
    config = _config(folder, server.sockets[0].getsockname()[1], fast_lane=fast_lane)
    events: list[Event] = []
    opened = open_all(config, {}, SystemEntropy())
    service = await Service.start(config, opened, events.append, Ports(clock=HurriedClock()))
    try:
        made = World(service, upstream, events)
        await _signed_in(service, events)
        made.lasting = set(service._tasks._tasks)
        yield made
    finally:
        await service.stop()
        server.close()
