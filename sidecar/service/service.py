"""Start, drain, stop: the life of one sidecar."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

from sidecar.clock import WatchedClock
from sidecar.config.addresses import Address, SocketPath
from sidecar.config.model import Config
from sidecar.errors import ConfigError
from sidecar.http import Upstream
from sidecar.ledger import Ledger
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.metrics import Metrics
from sidecar.payments.balances import Balances
from sidecar.payments.events import Emit, Event, LedgerWriteFailed, TaskFailed
from sidecar.payments.payer import Payer
from sidecar.payments.prover import Prover
from sidecar.payments.purchases import Purchases
from sidecar.payments.recovery import Recovery
from sidecar.payments.topups import TopUps
from sidecar.payments.wallet_balances import WalletBalances
from sidecar.providers.base import Balance
from sidecar.proxy.admin import AdminHandler
from sidecar.proxy.admission import Gate
from sidecar.proxy.boarding import BoardingServer
from sidecar.proxy.body import ReplayMemory
from sidecar.proxy.dealings import Dealings
from sidecar.proxy.delivery import Delivery
from sidecar.proxy.express import Express
from sidecar.proxy.handler import RequestHandler
from sidecar.proxy.pool import Pool
from sidecar.proxy.route import RouteTable
from sidecar.proxy.server import Handler, Listener, ProxyServer
from sidecar.refusal import Denied
from sidecar.service import wiring
from sidecar.service.portholder import holder_of
from sidecar.service.ports import Ports
from sidecar.service.secrets import Opened
from sidecar.service.socket_file import SocketFile
from sidecar.service.view import View
from sidecar.tasks import Supervisor

RPC_CONNECT_S = 2.0
RPC_IDLE_S = 3.0


class Service:
    """One running sidecar: ``start`` makes it, ``stop`` ends it."""

    def __init__(self, config: Config, opened: Opened, log: Emit, ports: Ports) -> None:
        self._config = config
        self._opened = opened
        self._log = log
        self._ports = ports
        self._draining = False
        self._metrics = Metrics(
            tuple(config.routes),
            tuple(caller.name for caller in opened.callers) or ("anonymous",),
            {
                route.name: route.networks
                for route in config.routes.values()
                if route.wallet is not None
            },
            tuple(name for name, route in config.routes.items() if route.top_up is not None),
            shadow=config.mode == "shadow",
        )
        self._tasks = Supervisor(lambda name, fault: self._emit(TaskFailed(name, fault)))
        self._pool = Pool(self._tasks)
        self._ledger: Ledger | None = None
        self._socket_file: SocketFile | None = None
        self._data: Listener | None = None
        self._admin: Listener | None = None
        self._loops: list[asyncio.Task[None]] = []

    @classmethod
    async def start(cls, config: Config, opened: Opened, log: Emit, ports: Ports) -> Service:
        """Open the ledger, listen, recover. ConfigError or LedgerError when it cannot."""
        service = cls(config, opened, log, ports)
        ready = False
        try:
            await service._start()
            ready = True
            return service
        finally:
            if not ready:
                await service.stop()

    async def _start(self) -> None:
        config, ports, emit = self._config, self._ports, self._emit
        instance = ports.entropy.token(8).hex()
        books = await SqliteLedger.open(
            config.ledger_path, instance, lambda detail: emit(LedgerWriteFailed(detail))
        )
        ledger = self._ledger = ports.wrap_ledger(books)
        rpc = self._pool.upstream(wiring.rpc_origins(config), RPC_CONNECT_S, RPC_IDLE_S)
        chain = ports.wrap_upstream(rpc)
        clock = WatchedClock(ports.clock)
        prover = Prover(ledger, chain, wiring.build_chains(config), clock, emit)
        ttl = timedelta(seconds=config.recovery.undelivered_ttl_s)

        def objection(network: str) -> Denied | None:
            if self._draining:
                return Denied("draining", "the sidecar is stopping; nothing new is signed")
            return prover.objection(network)

        payer = Payer(ledger, clock, ports.entropy, prover.prove, objection, emit, ttl)
        books_and_tasks = (ledger, self._tasks)
        table = wiring.Wiring(
            config, self._opened, self._pool, chain, ports, emit, books_and_tasks
        ).routes()
        prepaid = {name: route.prepaid for name, route in table.routes.items() if route.prepaid}

        def on_balance(route: str, account: str, seen: tuple[Balance, ...]) -> None:
            topups.see(route, account, seen)

        balances = Balances(ports.clock, emit, on_balance)
        topups = TopUps(prepaid, payer, ledger, balances, self._tasks, clock, emit)
        delivery = Delivery(payer, balances, self._tasks, ports.clock, emit)
        limits = wiring.request_limits(config)
        handler = RequestHandler(
            lambda: self._gate,
            table,
            Dealings(
                Purchases(payer, self._tasks),
                topups,
                delivery,
                limits.replay_bytes_max,
                clock,
                emit,
            ),
            ReplayMemory(config.limits.replay_memory_max),
            limits,
            (ports.clock, ports.entropy, emit),
        )
        express = handler.express(self._tasks) if config.limits.fast_lane else None
        self._data = await self._listen("listen", config.listen, handler, express)
        self._gate: Gate = wiring.build_gate(config, self._opened, self._data.port)
        view = View(config, self._opened, ledger, self._metrics, ports.clock, self._is_draining)
        admin = AdminHandler(view, lambda: self._admin_hosts, self._opened.admin_token)
        self._admin = await self._listen("admin", config.admin, admin)
        self._admin_hosts = wiring.host_names(config.admin, self._admin.port, config.hosts)
        recovery = Recovery(ledger, prover, clock, emit, ttl)
        self._loops = [
            self._tasks.spawn("recovery", recovery.run(config.recovery.interval_s)),
            self._tasks.spawn("top-ups", topups.resume()),
            *self._watch(table, balances, chain),
        ]

    def _watch(
        self, table: RouteTable, balances: Balances, chain: Upstream
    ) -> list[asyncio.Task[None]]:
        """Read on an interval: the vendors' balances, the wallets' and what left them."""
        interval_s = self._config.balances.interval_s
        sources = [route.source for route in table.routes.values() if route.source is not None]
        wallets = WalletBalances(
            chain, wiring.balance_questions(self._config), self._ports.clock, self._emit
        )
        purses = wiring.purses(self._config, self._opened)
        return [
            self._tasks.spawn("balances", balances.run(sources, interval_s)),
            self._tasks.spawn("wallets", wallets.run(purses, interval_s)),
            *self._watch_drift(chain),
        ]

    def _watch_drift(self, chain: Upstream) -> list[asyncio.Task[None]]:
        spenders = wiring.spenders(self._config, self._opened)
        if not spenders:
            return []
        # Not for those who have no chain to ask.
        from sidecar.payments.drift import DriftWatch  # noqa: PLC0415 - see above

        assert self._ledger is not None
        drift = DriftWatch(
            self._ledger,
            chain,
            wiring.build_chains(self._config),
            self._ports.clock,
            self._emit,
            self._config.recovery.reconcile_interval_s,
        )
        return [self._tasks.spawn("drift", drift.run(spenders))]

    async def _listen(
        self,
        key: str,
        address: Address | SocketPath,
        handler: Handler,
        express: Express | None = None,
    ) -> Listener:
        users, limits = self._opened.users or {}, wiring.server_limits(self._config)
        server = ProxyServer(handler, limits, users, emit=self._emit)
        if express is not None:
            server = BoardingServer(handler, limits, users, emit=self._emit, express=express)
        if isinstance(address, SocketPath):
            others = any(user != os.geteuid() for user in users)
            try:
                self._socket_file = SocketFile.make(address.path, for_others=others)
            except ConfigError as fault:
                raise ConfigError(*(f"{key}: {mistake}" for mistake in fault.mistakes)) from fault
            return await Listener.open_unix(server, self._socket_file.socket)
        try:
            return await Listener.open(server, address.host, address.port)
        except OSError as fault:
            holder = holder_of(address.port)
            raise ConfigError(
                f"{key}: {address} cannot be listened on: "
                f"{f'it is taken by {holder}' if holder else fault.strerror}; "
                f"stop what holds it, or choose another address"
            ) from fault

    def _emit(self, event: Event) -> None:
        self._metrics.observe(event)
        self._log(event)

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
        wait_s = self._config.limits.drain_wait_s
        if self._socket_file is not None:
            self._socket_file.remove()
        if self._data is not None:
            await self._data.close(wait_s)
        for loop in self._loops:
            loop.cancel()
        await self._tasks.drain(wait_s)
        if self._admin is not None:
            await self._admin.close(1)
        if self._ledger is not None:
            await self._ledger.close()
        await self._pool.close()
