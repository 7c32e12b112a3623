"""One sidecar as a process of the operating system: its limits, its signals, its end."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import sys
from collections.abc import Callable, MutableMapping

from sidecar.config.addresses import Address, SocketPath
from sidecar.config.model import Config, EventLoop
from sidecar.config.own_memory import close_memory, overwrite_variables
from sidecar.config.private_file import ensure_state_dir
from sidecar.config.secrets import CALLER_TOKEN_FILE, secret_variables
from sidecar.logs import configure
from sidecar.payments.events import TaskFailed
from sidecar.proxy.framing import check_parsers
from sidecar.service.ports import Ports
from sidecar.service.secrets import Opened, open_all
from sidecar.service.service import Service
from sidecar.tasks import Supervisor

# The ledger, the log, the admin port, and what resolves names.
DESCRIPTORS_BESIDE = 256


def run(config: Config, environ: MutableMapping[str, str], ports: Ports | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 0 when it ended as asked.

    Raises ConfigError and LedgerError when it cannot start.
    """
    check_parsers()
    _allow_descriptors(config.limits.connections_max)
    close_memory()
    overwrite_variables(secret_variables(config))
    ports = ports or Ports()
    ensure_state_dir(config.state_dir)
    opened = open_all(config, environ, ports.entropy)
    with asyncio.Runner(loop_factory=_loop_factory(config.event_loop)) as runner:
        return runner.run(_serve(config, opened, ports))


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


async def _serve(config: Config, opened: Opened, ports: Ports) -> int:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    log = configure(config.log.format, config.log.level, opened.all, clock=ports.clock)
    tasks = Supervisor(lambda name, fault: log(TaskFailed(name, fault)))
    tasks.spawn("log", log.run())
    try:
        service = await Service.start(config, opened, log, ports)
        # Routes, rules and books stay as long as the process.
        gc.freeze()
        try:
            for line in _greeting(config, opened, service):
                print(line, file=sys.stderr, flush=True)
            await asked.wait()
        finally:
            await service.stop()
    finally:
        await tasks.drain(0)
        log.close()
    return 0


def _greeting(config: Config, opened: Opened, service: Service) -> list[str]:
    """What a person wants to know at start, and what they had better know."""
    listen = config.listen
    where = (
        str(listen)
        if isinstance(listen, SocketPath)
        else f"http://{Address(listen.host, service.port)}/v1"
    )
    admin = Address(config.admin.host, service.admin_port)
    lines = [f"sidecar: serving {where}, admin http://{admin}/status"]
    if opened.users is not None:
        known = ", ".join(f"{caller.name} (uid {uid})" for uid, caller in opened.users.items())
        lines.append(f"sidecar: known by their users, and nobody else: {known}")
    elif opened.tokens is None:
        lines.append("sidecar: auth is none: every local program and user may spend")
    elif not config.callers:
        lines.append(f"sidecar: the API key for apps is in {config.state_dir / CALLER_TOKEN_FILE}")
    blind = sorted(
        network
        for route in config.routes.values()
        for network in route.networks
        if network not in config.chains
    )
    if blind:
        lines.append(
            f"sidecar: no RPC endpoint for {', '.join(dict.fromkeys(blind))}: what is in doubt "
            "there cannot be proven and stays counted until its budget windows have passed"
        )
    return lines
