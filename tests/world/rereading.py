"""A sidecar in this process, in front of the sandbox, whose config a test changes; and a turnstile.

The turnstile stands between the sidecar and all upstreams, and holds the requests that a test
wants held: so a config can change while something is half done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.config.model import Config
from sidecar.config.read import parse_config
from sidecar.errors import ConfigError
from sidecar.http import HttpRequest, Origin, Reply, Upstream, header_values
from sidecar.ledger.model import Payment
from sidecar.logs import Level
from sidecar.payments.events import ConfigReloaded, Event
from sidecar.sandbox import Sandbox, SandboxOptions
from sidecar.service import Ports, Service, open_all
from sidecar.service.reread import Reread
from tests.world.market import config_text
from tests.world.running import TOKEN
from tests.world.switches import SWITCHES


class Turnstile:
    """Holds what it is told to hold, until it opens."""

    def __init__(self) -> None:
        self.holds: Callable[[HttpRequest], bool] = lambda request: False
        self.held = 0  # now
        self.most = 0  # at a time
        self._open = asyncio.Event()

    def around(self, upstream: Upstream) -> Upstream:
        """The same upstream behind it."""
        return _Held(upstream, self)

    def open(self) -> None:
        """Let everybody through from now on."""
        self._open.set()

    async def wait(self, request: HttpRequest) -> None:
        if not self.holds(request):
            return
        self.held += 1
        self.most = max(self.most, self.held)
        try:
            await self._open.wait()
        finally:
            self.held -= 1

    async def holding(self, count: int) -> None:
        """Come back once it holds so many."""
        async with asyncio.timeout(20):
            while self.held != count:
                await asyncio.sleep(0.01)


@dataclass(frozen=True, slots=True)
class _Held:
    upstream: Upstream
    turnstile: Turnstile

    async def send(
        self, request: HttpRequest, *, wait_s: float, body: AsyncIterator[bytes] | None = None
    ) -> Reply:
        await self.turnstile.wait(request)
        return await self.upstream.send(request, wait_s=wait_s, body=body)


def pays(request: HttpRequest) -> bool:
    """Whether a request carries a payment."""
    names = ("payment-signature", "x-payment")
    return any(header_values(request.headers, name) for name in names)


@dataclass
class Heard:
    """The log that it tells of its configs."""

    secrets: tuple[str, ...] = ()
    levels: list[Level] = field(default_factory=list)

    def learn(self, secrets: Iterable[str]) -> None:
        self.secrets = tuple(secrets)

    def set_level(self, level: Level) -> None:
        self.levels.append(level)


@dataclass
class Rereading:
    """What a test talks to. ``text`` is the config that the next reload reads."""

    folder: Path
    sandbox: Sandbox
    text: str
    turnstile: Turnstile = field(default_factory=Turnstile)
    events: list[Event] = field(default_factory=list)
    log: Heard = field(default_factory=Heard)
    environ: dict[str, str] = field(default_factory=dict)
    service: Service = field(init=False)

    def config(self) -> Config:
        """What the text says."""
        return parse_config(self.text, {**SWITCHES, **self.environ}, {}, self.folder)

    async def reload(self, *changes: tuple[str, str]) -> ConfigReloaded:
        """Put texts in the places of others in the config, and have it read again."""
        for old, new in changes:
            assert old in self.text
            self.text = self.text.replace(old, new)
        return await self.service.reload()

    async def ask(
        self, app: aiohttp.ClientSession, route: str, path: str, words: str = "hello"
    ) -> tuple[int, str]:
        """One chat completion: its status, and its text."""
        call = {"model": "m", "messages": [{"role": "user", "content": words}]}
        url = f"http://127.0.0.1:{self.service.port}/{route}{path}/chat/completions"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with app.post(url, json=call, headers=headers) as response:
            return response.status, await response.text()

    async def payments(self) -> tuple[Payment, ...]:
        """The ledger, newest first."""
        ledger = self.service._ledger
        assert ledger is not None
        return await ledger.payments(None, 1_000)


def _no_way(origin: Origin) -> str:
    """How upstreams are reached: all but one directly."""
    if origin.host == "unreachable.example":
        raise ConfigError(f"HTTPS_PROXY: no way to {origin}")
    return ""


@asynccontextmanager
async def rereading(
    folder: Path, options: SandboxOptions | None = None
) -> AsyncIterator[Rereading]:
    """All of it, up and listening, with a route to every vendor of the sandbox."""
    sandbox = Sandbox(options or SandboxOptions(), SystemClock(), SystemEntropy())
    await sandbox.start()
    try:
        world = Rereading(folder, sandbox, config_text(folder, sandbox.url, 3600, ""))
        config = world.config()
        opened = open_all(config, {}, SystemEntropy())
        ports = Ports(wrap_upstream=world.turnstile.around, proxy_for=_no_way)
        reread = Reread(lambda environ: world.config(), {}, ports.entropy, world.log)
        world.service = await Service.start(config, opened, world.events.append, ports, reread)
        try:
            yield world
        finally:
            world.turnstile.open()
            await world.service.stop()
    finally:
        await sandbox.stop()
