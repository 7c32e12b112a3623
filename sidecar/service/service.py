"""Start, drain, stop: the life of one sidecar process."""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import MutableMapping
from datetime import timedelta

from sidecar.config.model import Address, Config
from sidecar.errors import ConfigError
from sidecar.ledger import Ledger
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.logs import LogSink
from sidecar.metrics import Metrics
from sidecar.payments.events import Event, LedgerWriteFailed, TaskFailed
from sidecar.payments.payer import Payer
from sidecar.payments.prover import Prover
from sidecar.payments.recovery import Recovery
from sidecar.proxy.admin import AdminHandler
from sidecar.proxy.body import ReplayMemory
from sidecar.proxy.handler import RequestHandler
from sidecar.proxy.pool import Pool
from sidecar.proxy.server import Handler, Listener, ProxyServer, ServerLimits
from sidecar.refusal import Denied
from sidecar.service import wiring
from sidecar.service.portholder import holder_of
from sidecar.service.ports import Ports
from sidecar.service.secrets import Opened, open_all
from sidecar.service.view import View
from sidecar.tasks import Supervisor

RPC_CONNECT_S = 2.0
RPC_IDLE_S = 3.0


class Service:
    """One running sidecar. ``start`` makes it, ``stop`` ends it; in between it serves."""

    def __init__(self, config: Config, opened: Opened, ports: Ports, log: LogSink) -> None:
        self._config = config
        self._opened = opened
        self._ports = ports
        self._log = log
        self._draining = False
        self.metrics = Metrics(
            routes=tuple(config.routes),
            callers=tuple(config.callers) or ("default",),
        )
        self._tasks = Supervisor(lambda name, fault: self.emit(TaskFailed(name, fault)))
        self._pool = Pool(self._tasks)
        self._listeners: list[Listener] = []
        self._ledger: Ledger | None = None

    def emit(self, event: Event) -> None:
        """Every event goes to the metrics and to the log."""
        self.metrics.observe(event)
        self._log(event)

    @classmethod
    async def start(
        cls, config: Config, opened: Opened, log: LogSink, ports: Ports | None = None
    ) -> Service:
        """Open the ledger, recover, listen. ConfigError or LedgerError when it cannot."""
        service = cls(config, opened, ports or Ports(), log)
        started = False
        try:
            await service._start()
            started = True
            return service
        finally:
            if not started:
                await service.stop()

    async def _start(self) -> None:
        config, ports = self._config, self._ports
        instance = ports.entropy.token(8).hex()
        opened = await SqliteLedger.open(config.ledger_path, instance)
        ledger = self._ledger = ports.wrap_ledger(opened)
        ttl = timedelta(seconds=config.recovery.undelivered_ttl_s)
        rpc = ports.wrap_upstream(
            self._pool.upstream(wiring.rpc_origins(config), RPC_CONNECT_S, RPC_IDLE_S)
        )
        self._prover = Prover(ledger, rpc, wiring.build_chains(config), ports.clock, self.emit)
        payer = Payer(
            ledger,
            ports.clock,
            ports.entropy,
            self._prover.prove,
            self._objection,
            self.emit,
            ttl,
        )
        recovery = Recovery(ledger, self._prover, ports.clock, self.emit, ttl)
        handler = RequestHandler(
            lambda: self._gate,
            wiring.build_routes(config, self._opened, self._pool, ports),
            payer,
            self._tasks,
            ReplayMemory(config.limits.replay_memory_max),
            wiring.request_limits(config),
            (ports.clock, ports.entropy, self.emit),
        )
        limits = wiring.server_limits(config)
        listener = await self._listen(handler, config.listen, "listen", limits)
        self._gate = wiring.build_gate(config, self._opened, listener.port)
        view = View(config, self._opened, ledger, self.metrics, ports.clock, lambda: self._draining)
        admin = AdminHandler(view, ...)
        await self._listen(admin, config.admin, "admin", limits)
        self._recovering = self._tasks.spawn(
            "recovery", recovery.run(config.recovery.interval_s)
        )
