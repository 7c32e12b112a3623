"""The warden as a process of the operating system: its sockets, its signals, its end."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Mapping, MutableMapping

from sidecar.clock import Clock, SystemClock, SystemEntropy
from sidecar.config.model import Config
from sidecar.config.own_memory import overwrite_variables, return_memory, use_one_heap
from sidecar.config.private_file import ensure_state_dir
from sidecar.config.secrets import ADMIN_TOKEN_FILE, ensure_token, secret_variables
from sidecar.errors import ConfigError
from sidecar.logs import LogSink, configure
from sidecar.payments.events import Event, TaskFailed
from sidecar.proxy.admin import AdminHandler
from sidecar.proxy.listener import Listener
from sidecar.proxy.server import ProxyServer
from sidecar.service import wiring
from sidecar.service.inherited import inherited_sockets, served_on
from sidecar.service.kept import Count, Kept
from sidecar.service.notify import Notifier
from sidecar.service.portholder import why_not
from sidecar.service.process import ENDING, where
from sidecar.service.secrets import known_users
from sidecar.service.shared_doors import SharedDoors, require_free
from sidecar.service.signals import Signals
from sidecar.service.warden import Source, Warden
from sidecar.service.warden_office import WardenOffice
from sidecar.tasks import Supervisor
from sidecar.values import dataclass

WATCHERS_S = 1.0


def keep(
    text: str,
    read: Callable[[], str],
    parse: Callable[[str, Mapping[str, str]], Config],
    environ: MutableMapping[str, str],
) -> int:
    """Keep the workers of this config until SIGTERM or SIGINT; 0 when all ended as asked.

    ``read`` reads the config's text again, ``parse`` understands one. When a worker cannot start
    at first: its status. ConfigError when there is nothing to start one on.
    """
    notifier = Notifier.take(environ, os.getpid())
    sockets = inherited_sockets(environ, os.getpid())

    def understand(text: str) -> Config:
        return served_on(parse(text, environ), sockets)

    config = understand(text)
    use_one_heap()
    overwrite_variables(secret_variables(config))
    ensure_state_dir(config.state_dir)
    token, _ = ensure_token(config.state_dir / ADMIN_TOKEN_FILE, SystemEntropy())
    if "admin" not in sockets:
        require_free("admin", config.admin)
    users = known_users(config, os.geteuid()) or {}
    doors = SharedDoors.open(config.listen, config.workers, sockets.get("listen"), users)
    try:
        process = _Process(environ, token.reveal(), doors, sockets.get("admin"), notifier)
        return asyncio.run(process.live(config, text, Source(read, understand)))
    finally:
        doors.close()


class _Berths:
    """``warden.Berths``: processes of this program."""

    def __init__(
        self, environ: Mapping[str, str], doors: SharedDoors, tasks: Supervisor, clock: Clock
    ) -> None:
        self._environ = environ
        self._doors = doors
        self._tasks = tasks
        self._clock = clock
        self.count: Count = lambda _name, _samples: None

    async def start(self, place: int, first: Mapping[str, str | bool]) -> Kept:
        # The same program, with the same flags: what makes it a worker is its post.
        command = (sys.executable, *sys.orig_argv[1:])
        world = (self._tasks, self._clock.now(), self.count)
        return await Kept.start(command, self._environ, self._doors.at(place), first, world)

    def shut(self, place: int) -> None:
        self._doors.shut(place)


@dataclass(frozen=True, slots=True)
class _Process:
    """What the warden has, and its workers have not."""

    environ: Mapping[str, str]
    admin_token: str
    doors: SharedDoors
    admin: socket.socket | None  # handed over, in place of the config's address
    notifier: Notifier

    async def live(self, config: Config, text: str, source: Source) -> int:
        """Start them, keep them, end them: the status."""
        signals, clock = Signals(), SystemClock()
        signals.listen()
        log = configure(config.log.format, config.log.level, (), clock=clock)
        tasks = Supervisor(lambda name, fault: log(TaskFailed(name, fault)))
        tasks.spawn("log", log.run())

        berths = _Berths(self.environ, self.doors, tasks, clock)
        warden = Warden(config, text, source, berths, (tasks, clock, log))
        berths.count = warden.merged.count
        signals.on_hurry = warden.hurry
        office = WardenOffice(warden, clock)
        listener: Listener | None = None
        try:
            beginning = tasks.spawn("begin", warden.begin())
            asked = tasks.spawn("asked", signals.stop.wait())
            await asyncio.wait({beginning, asked}, return_when=asyncio.FIRST_COMPLETED)
            if beginning.done() and beginning.result() is not None:
                return beginning.result() or 1
            if not signals.stop.is_set():
                listener = await self._listen(warden, office, log)
                port = self.doors.port
                status = f"{where(config, port, listener.port)}, {config.workers} workers"
                return_memory()
                log.say("serving", status)
                self.notifier.ready(status)
                tasks.spawn("reload", self._reload(warden, signals, status))
                tasks.spawn("watchdog", self.notifier.watch(clock, office.are_well))
                await signals.stop.wait()
        finally:
            self.notifier.stopping(ENDING)
            if listener is not None:
                log.say("stopping", f"stopping: {ENDING}")
            # Nobody new is let in, by us or by any of them.
            self.doors.close()
            ended = await warden.stop()
            if listener is not None:
                await listener.close(WATCHERS_S)
                log.say("stopped", "stopped")
            await tasks.drain(0)
            log.close()
        return ended

    async def _listen(self, warden: Warden, office: WardenOffice, log: LogSink) -> Listener:
        address = warden.config.admin

        def emit(event: Event) -> None:
            office.observe(event)
            log(event)

        def hosts() -> frozenset[str]:
            return wiring.host_names(address, listener.port, warden.config.hosts)

        handler = AdminHandler(office, hosts, self.admin_token)
        server = ProxyServer(handler, wiring.server_limits(warden.config), emit=emit)
        if self.admin is not None:
            listener = await Listener.open_on(server, self.admin)
            return listener
        try:
            listener = await Listener.open(server, address.host, address.port)
        except OSError as fault:
            raise ConfigError(f"admin: {why_not(address, fault)}") from fault
        return listener

    async def _reload(self, warden: Warden, signals: Signals, status: str) -> None:
        """Read the config again whenever that is asked for."""
        while True:
            await signals.reload.wait()
            signals.reload.clear()
            self.notifier.reloading()
            await warden.reload()
            self.notifier.ready(status)
