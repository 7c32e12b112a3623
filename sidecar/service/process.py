"""One sidecar as a process of the operating system: its limits, its signals, its end."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import sys
from collections.abc import Callable, Coroutine, Mapping, MutableMapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

from sidecar.config.addresses import Address, SocketPath
from sidecar.config.model import Config, EventLoop
from sidecar.config.own_memory import (
    close_memory,
    overwrite_variables,
    return_memory,
    use_one_heap,
)
from sidecar.config.private_file import ensure_state_dir
from sidecar.config.secrets import CALLER_TOKEN_FILE, secret_variables
from sidecar.config.variables import strange_variables
from sidecar.logs import LogSink, configure
from sidecar.payments.events import TaskFailed
from sidecar.proxy.framing import check_parsers
from sidecar.service.inherited import inherited_sockets, served_on
from sidecar.service.notify import Notifier
from sidecar.service.ports import Ports
from sidecar.service.reread import Reread
from sidecar.service.secrets import Opened, open_all
from sidecar.service.service import Service
from sidecar.service.signals import Signals
from sidecar.service.tunnels import proxy_for, tunnel_notes
from sidecar.tasks import Supervisor

# The ledger, the log, the admin port, and what resolves names.
DESCRIPTORS_BESIDE = 256
ENDING = "requests under way are ending"

# One sidecar's life in a running loop: its exit status.
Life: TypeAlias = Callable[[Config, Opened, Ports, Notifier], Coroutine[Any, Any, int]]


def run(
    config: Config,
    environ: MutableMapping[str, str],
    ports: Ports | None = None,
    life: Life | None = None,
    read: Callable[[Mapping[str, str]], Config] | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT, or for as long as ``life`` takes; 0 when it ended as asked.

    ``read`` reads the config again, in an environment like ``environ``; None: nobody can.
    Raises ConfigError and LedgerError when it cannot start.
    """
    check_parsers()
    notifier = Notifier.take(environ, os.getpid())
    ports = ports or Ports()
    sockets = {**inherited_sockets(environ, os.getpid()), **ports.sockets}
    config = served_on(config, sockets)
    use_one_heap()
    _allow_descriptors(config.limits.connections_max)
    close_memory()
    overwrite_variables(secret_variables(config))
    ports = replace(ports, sockets=sockets, proxy_for=proxy_for(environ))
    notes = (*strange_variables(environ, config), *tunnel_notes(config, ports.proxy_for))
    # A worker says the first one's in the log.
    for note in notes if life is not None and ports.place.has_admin else ():
        print(f"sidecar: {note}", file=sys.stderr, flush=True)
    ensure_state_dir(config.state_dir)
    opened = open_all(config, environ, ports.entropy)
    entropy = ports.entropy

    def source(log: LogSink) -> Reread | None:
        if read is None:
            return None
        return Reread(lambda known: served_on(read(known), sockets), environ, entropy, log)

    life = life or partial(_serve, source=source, notes=notes)
    with asyncio.Runner(loop_factory=_loop_factory(config.event_loop)) as runner:
        return runner.run(life(config, opened, ports, notifier))


def _loop_factory(name: EventLoop) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """How the loop is made; None for the one that Python brings."""
    if name == "asyncio":
        return None
    import uvloop  # noqa: PLC0415 - not loaded by commands that serve nothing

    return uvloop.new_event_loop


def _allow_descriptors(connections_max: int) -> None:
    """Raise the soft limit: at the usual 1,024 the connection limit would never be met."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Each app's connection may have one of its own upstream.
    wanted = 2 * connections_max + DESCRIPTORS_BESIDE
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


async def _serve(
    config: Config,
    opened: Opened,
    ports: Ports,
    notifier: Notifier,
    source: Callable[[LogSink], Reread | None],
    notes: Sequence[str],
) -> int:
    signals = Signals()
    signals.listen()
    log = configure(config.log.format, config.log.level, opened.all, clock=ports.clock)
    tasks = Supervisor(lambda name, fault: log(TaskFailed(name, fault)))
    tasks.spawn("log", log.run())
    try:
        service = await Service.start(config, opened, log, ports, source(log))
        signals.on_hurry = service.hurry
        # Routes, rules and books stay as long as the process.
        gc.freeze()
        return_memory()
        try:
            status = where(config, service.port, service.admin_port)
            log.say("serving", status)
            for note in (*_notes(config, opened), *notes):
                log.say("note", note)
            notifier.ready(status)
            tasks.spawn("reload", _reload(service, signals, notifier, status))
            tasks.spawn("watchdog", notifier.watch(ports.clock))
            await signals.stop.wait()
        finally:
            notifier.stopping(ENDING)
            log.say("stopping", f"stopping: {ENDING}")
            await service.stop()
            log.say("stopped", "stopped")
    finally:
        await tasks.drain(0)
        log.close()
    return 0


async def _reload(service: Service, signals: Signals, notifier: Notifier, status: str) -> None:
    """Read the config again whenever that is asked for."""
    while True:
        await signals.reload.wait()
        signals.reload.clear()
        notifier.reloading()
        await service.reload()
        notifier.ready(status)


def where(config: Config, port: int, admin_port: int) -> str:
    """Where apps and people find us."""
    listen = config.listen
    apps = str(listen)
    if not isinstance(listen, SocketPath):
        apps = f"http://{Address(listen.host, port)}/v1"
    return f"serving {apps}, admin http://{Address(config.admin.host, admin_port)}/"


def notes_for(
    config: Config, opened: Opened, environ: Mapping[str, str], ports: Ports
) -> tuple[str, ...]:
    """All that a person is told once it serves."""
    strange = strange_variables(environ, config)
    return (*_notes(config, opened), *strange, *tunnel_notes(config, ports.proxy_for))


def _notes(config: Config, opened: Opened) -> list[str]:
    """What a person wants to know at start, and what they had better know."""
    lines = []
    if opened.users is not None:
        known = ", ".join(f"{caller.name} (uid {uid})" for uid, caller in opened.users.items())
        lines.append(f"known by their users, and nobody else: {known}")
    elif opened.tokens is None:
        lines.append("auth is none: every local program and user may spend")
    elif not config.callers:
        lines.append(f"the API key for apps is in {config.state_dir / CALLER_TOKEN_FILE}")
    if config.blind_networks:
        lines.append(
            f"no RPC endpoint for {', '.join(config.blind_networks)}: what is in doubt "
            "there cannot be proven and stays counted until its budget windows have passed"
        )
    return lines
