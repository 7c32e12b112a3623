"""Start, reload, drain, stop: the life of one sidecar."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any

from sidecar.clock import WatchedClock
from sidecar.config.model import Config
from sidecar.errors import ConfigError
from sidecar.ledger import Ledger
from sidecar.metrics import Metrics
from sidecar.payments.events import ConfigReloaded, Emit, Event, LedgerWriteFailed, TaskFailed
from sidecar.payments.payer import Payer
from sidecar.payments.prover import Prover
from sidecar.payments.purchases import Purchases
from sidecar.payments.recovery import Recovery
from sidecar.payments.served import Together
from sidecar.proxy.admin import AdminHandler
from sidecar.proxy.admin_office import ViewOffice
from sidecar.proxy.admission import Gate
from sidecar.proxy.body import ReplayMemory
from sidecar.proxy.express import Express
from sidecar.proxy.listener import Listener
from sidecar.proxy.pool import Pool
from sidecar.proxy.server import Handler
from sidecar.proxy.upstream import HttpUpstream
from sidecar.refusal import Denied
from sidecar.service import wiring
from sidecar.service.differences import differences, renewed
from sidecar.service.doors import Doors
from sidecar.service.loops import Loops
from sidecar.service.ports import Ports
from sidecar.service.recent import Recent
from sidecar.service.reread import Reread
from sidecar.service.secrets import Opened, first_rpc_urls
from sidecar.service.stores import are_shared, open_ledger
from sidecar.service.telling import of_many, told_within_s
from sidecar.service.view import View
from sidecar.service.wired import Lasting, Wired, kept_routes, wire
from sidecar.tasks import Supervisor

RPC_CONNECT_S = 2.0
RPC_IDLE_S = 3.0
# For the payments of apps that are gone, or were cut, once the limit for requests has passed.
SETTLE_S = 2.0
WATCHERS_S = 1.0


class Service:
    """One running sidecar: ``start`` makes it, ``stop`` ends it."""

    def __init__(
        self, config: Config, opened: Opened, log: Emit, ports: Ports, reread: Reread | None
    ) -> None:
        self._config = config
        self._opened = opened
        self._log, self._log_served = log, of_many(log)
        self._ports = ports
        self._reread = reread
        self.instance = ""  # whose the payments are in the ledger that this one makes
        self._draining = self._hurried = False
        self._limit: asyncio.Timeout | None = None
        self._reloading = asyncio.Lock()
        self._recent = Recent(ports.clock.now)
        self._metrics = Metrics((), (), shadow=config.mode == "shadow")
        self._tasks = Supervisor(lambda name, fault: self._emit(TaskFailed(name, fault)))
        self._pool = Pool(self._tasks, ports.proxy_for)
        self._ledger: Ledger | None = None
        self._doors = Doors(config, opened, ports, self._emit)
        self._data: Listener | None = None
        self._admin: Listener | None = None
        self._loops: Loops | None = None
        self._express: Express | None = None
        # Of all requests that have ended; asked before each event.
        self._tell_of_served: Callable[[], None] = lambda: None

    @classmethod
    async def start(
        cls,
        config: Config,
        opened: Opened,
        log: Emit,
        ports: Ports,
        reread: Reread | None = None,
    ) -> Service:
        """Open the ledger, listen, recover. ConfigError or LedgerError when it cannot."""
        service = cls(config, opened, log, ports, reread)
        ready = False
        try:
            await service._start()
            ready = True
            return service
        finally:
            if not ready:
                await service.stop()

    async def _start(self) -> None:
        config, opened, ports = self._config, self._opened, self._ports
        lasting = self._lasting = await self._make_lasting()
        self._wired: Wired = wire(lasting, config, opened, None)
        if config.limits.fast_lane:
            self._express = self._wired.handler.express(
                self._tasks, self._emit_served, told_within_s(self._log)
            )
            self._tell_of_served = self._express.endings.tell
        # A request goes on by what was wired when it came.
        handle: Handler = lambda request: self._wired.handler(request)  # noqa: E731, PLW0108
        self._data = await self._doors.listen("listen", config.listen, handle, self._express)
        self._gate: Gate = wiring.build_gate(config, opened, self._data.port)
        self.view = View(
            config,
            opened,
            lasting.ledger,
            self._metrics,
            ports.clock,
            self._is_draining,
            self._recent,
            self._tell_of_served,
        )
        self.view.reload_by = self.reload
        self.office = ViewOffice(self.view)
        if ports.place.has_admin:
            admin = AdminHandler(self.office, lambda: self._admin_hosts, opened.admin_token)
            self._admin = await self._doors.listen("admin", config.admin, admin)
        self._install(self._wired)
        self._metrics.observe(ConfigReloaded(ports.clock.now()))

    async def _make_lasting(self) -> Lasting:
        config, ports, emit = self._config, self._ports, self._emit
        instance = self.instance = ports.entropy.token(8).hex()
        books = await open_ledger(
            config, self._opened, instance, lambda detail: emit(LedgerWriteFailed(detail))
        )
        ledger = self._ledger = ports.wrap_ledger(books)
        self._rpc: HttpUpstream = self._pool.upstream(
            wiring.rpc_origins(config), RPC_CONNECT_S, RPC_IDLE_S
        )
        chain, clock = ports.wrap_upstream(self._rpc), WatchedClock(ports.clock)
        prover = self._prover = Prover(ledger, chain, wiring.build_chains(config), clock, emit)
        ttl = timedelta(seconds=config.recovery.undelivered_ttl_s)
        payer = Payer(
            ledger, clock, ports.entropy, prover.prove, prover.can_ask, self._objection, emit, ttl
        )
        lasting = Lasting(
            ledger,
            self._pool,
            self._tasks,
            ports,
            clock,
            emit,
            chain,
            payer,
            Purchases(payer, self._tasks, are_shared=are_shared(config)),
            ReplayMemory(wiring.replay_memory_max(config)),
            lambda: self._gate,
        )
        self._loops = Loops(lasting, Recovery(ledger, prover, clock, emit, ttl), prover)
        return lasting

    def _objection(self, network: str) -> Denied | None:
        if self._draining:
            return Denied("draining", "the sidecar is stopping; nothing new is signed")
        return self._prover.objection(network)

    def _install(self, wired: Wired) -> None:
        """Go by this from now on. Nothing is awaited here, so nobody finds half of it."""
        config, opened, before = wired.config, wired.opened, self._wired
        assert self._data is not None
        assert self._loops is not None
        self._wired, self._config, self._opened = wired, config, opened
        self._gate = wiring.build_gate(config, opened, self._data.port)
        if self._admin is not None:
            self._admin_hosts = wiring.host_names(config.admin, self._admin.port, config.hosts)
        if self._express is not None:
            limits = wiring.request_limits(config).of_lane
            self._express.change(wired.table, limits, wired.handler.attend)
        self._lasting.memory.resize(wiring.replay_memory_max(config))
        self._rpc.allow(wiring.rpc_origins(config))
        self._prover.watch(wiring.build_chains(config))
        opened.rpc_urls.clear()
        opened.rpc_urls.update(first_rpc_urls(config))
        gone = before.contacts.keys() - kept_routes(before, wired.contacts)
        left = wiring.watched(before.config) - wiring.watched(config)
        self._metrics.forget(gone, left)
        self._recent.held.forget(gone, left)
        self._metrics.learn(*wiring.names(config, opened))
        self.view.use(config, opened, wired.by_hand)
        self._loops.begin(wired)

    async def reload(self) -> ConfigReloaded:
        """Read the config again, and go by it: by all of it, or nothing changes."""
        async with self._reloading:
            at = self._ports.clock.now()
            try:
                told = ConfigReloaded(at, self.adopt(await self.prepare()))
            except ConfigError as fault:
                told = ConfigReloaded(at, mistakes=fault.mistakes)
            self.tell(told)
            return told

    def tell(self, told: ConfigReloaded) -> None:
        """Show, count and log what came of reading the config again."""
        self.view.note(told)
        self._emit(told)

    async def prepare(self) -> Wired:
        """What the config makes now, built and not gone by yet. ConfigError: every mistake."""
        before, reread = self._wired, self._reread
        if reread is None:
            raise ConfigError("config: this sidecar has no file to read again; restart it")
        self._refuse_to_change()
        # Other requests go on meanwhile: it reads files.
        config, opened = await asyncio.to_thread(reread.again, before.config, before.opened)
        return wire(self._lasting, config, opened, before)

    def lead(self) -> None:
        """Make the rounds for all workers: whoever did is gone, and what it held is free."""
        assert self._loops is not None
        self._loops.lead(self._wired)

    def adopt(self, wired: Wired) -> tuple[str, ...]:
        """Go by it from now on; the paths of what is new. ConfigError: it is too late."""
        self._refuse_to_change()
        assert self._reread is not None
        before = self._wired
        self._install(wired)
        self._reread.settle(wired.config)
        changed = differences(before.config, wired.config)
        return (*changed, *renewed(before.opened, wired.opened))

    def _refuse_to_change(self) -> None:
        if self._draining:
            raise ConfigError("config: the sidecar is stopping; start it anew")

    def _emit(self, event: Event) -> None:
        # First of what has happened before.
        self._tell_of_served()
        self._metrics.observe(event)
        self._recent.observe(event)
        self._log(event)

    def _emit_served(self, served: Together) -> None:
        self._metrics.observe_requests(served)
        self._recent.observe_requests(served)
        self._log_served(served)

    def _is_draining(self) -> bool:
        return self._draining

    @property
    def port(self) -> int:
        """The data port; 0 where apps connect to a Unix socket."""
        assert self._data is not None
        return self._data.port

    @property
    def admin_port(self) -> int:
        """The admin port."""
        assert self._admin is not None
        return self._admin.port

    async def stop(self) -> None:
        """Sign nothing new, let requests and payments end within the limit, and let go."""
        self._draining = True
        self._recent.end()
        clock, wait_s = self._ports.clock, self._config.limits.drain_wait_s
        began_s = clock.monotonic_s()
        self._doors.remove()
        if self._data is not None:
            await self._patiently(wait_s, self._data.drain())
            await self._data.close(0)
        if self._loops is not None:
            self._loops.end()
        left_s = max(SETTLE_S, wait_s - (clock.monotonic_s() - began_s))
        await self._patiently(left_s, self._tasks.drain(left_s))
        await self._tasks.drain(0)
        if self._admin is not None:
            await self._admin.close(WATCHERS_S)
        if self._ledger is not None:
            await self._ledger.close()
        await self._pool.close()
        self._tell_of_served()

    def hurry(self) -> None:
        """Wait for nothing and nobody any more: what is under way is cut, and written down."""
        self._hurried = True
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(0)

    async def _patiently(self, wait_s: float, work: Coroutine[Any, Any, object]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0 if self._hurried else wait_s) as self._limit:
                await work
        self._limit = None
