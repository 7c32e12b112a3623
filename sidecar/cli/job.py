"""``sidecar run -- CMD``: a command with a sidecar of its own, which ends when it ends.

The sidecar listens on free loopback ports, so that any number of these run at once on one ledger.
It knows one caller, by a token that is made for this run and is nowhere but in CMD's environment.
CMD is given none of the sidecar's secrets. What it is told by a signal, or says by its status, is
passed on.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from sidecar.cli.admin_port import url_of
from sidecar.cli.child import Child
from sidecar.cli.config_file import read_config
from sidecar.cli.desk import open_desk
from sidecar.cli.environment import child_environment, withheld_variables
from sidecar.cli.receipt import Heard, Receipt, show_receipt, write_receipt
from sidecar.config.addresses import Address, SocketPath
from sidecar.config.model import CallerConfig, Config, LogConfig, RouteConfig, SecretKind, SecretRef
from sidecar.config.secrets import new_token
from sidecar.errors import ConfigError, LedgerError
from sidecar.ledger.model import Budget, Window
from sidecar.logs import configure
from sidecar.money import Usdc
from sidecar.payments.events import Event, TaskFailed
from sidecar.service import Opened, Ports, Service
from sidecar.service import run as serve
from sidecar.service.notify import Notifier
from sidecar.tasks import Supervisor
from sidecar.values import dataclass

# One name for all runs: it labels metrics.
CALLER = "run"
ANY_PORT = Address("127.0.0.1", 0)
NAME_BYTES = 4
# How the token gets to where secrets are opened; CMD is not given it by this name.
TOKEN_VARIABLE = "SIDECAR_RUN_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Job:
    """One run: what it is called, and what CMD is, is told and is not to see."""

    name: str
    words: Sequence[str]
    prefix: str  # of the paths that CMD calls
    withheld: frozenset[str]
    started_at: datetime
    receipt: Path | None


def job(args: argparse.Namespace, words: Sequence[str]) -> int:
    """The command's status: 128 and its number for a signal, 127 where there is no such command.

    ConfigError or LedgerError when the sidecar cannot start; the command is not run then.
    """
    ports = Ports()
    started_at = ports.clock.now()
    name = f"run-{started_at:%Y%m%dT%H%M%S}-{ports.entropy.token(NAME_BYTES).hex()}"
    written = read_config(args)
    config = job_config(written, args, _budget(args.budget, name))
    receipt = None if args.receipt is None else _receipt_file(Path(args.receipt))
    withheld = withheld_variables(written) | {TOKEN_VARIABLE}
    this = Job(name, words, route_prefix(written), withheld, started_at, receipt)
    os.environ[TOKEN_VARIABLE] = new_token(ports.entropy)

    async def life(config: Config, opened: Opened, ports: Ports, notifier: Notifier) -> int:
        return await _live(this, config, opened, (ports, notifier))

    return serve(config, os.environ, ports, life)


def job_config(written: Config, args: argparse.Namespace, budget: Budget | None) -> Config:
    """What was written, for one caller and one run.

    The run's budget is one more of every route's, so that credit that is bought draws on it, too.
    """
    if args.listen is not None and isinstance(written.listen, SocketPath):
        raise ConfigError("--listen: CMD is told a URL, and a Unix socket has none; use HOST:PORT")
    if args.workers is not None:
        raise ConfigError("--workers: a command has one of its own; leave it out")
    own = () if budget is None else (budget,)
    token = SecretRef(SecretKind.ENV, TOKEN_VARIABLE)
    level_is_chosen = args.log_level or os.environ.get("SIDECAR_LOG_LEVEL")
    return replace(
        written,
        listen=ANY_PORT if args.listen is None else written.listen,
        admin=ANY_PORT if args.admin is None else written.admin,
        # Those of the config are for serving many apps.
        workers=1,
        auth="token",
        callers=MappingProxyType({CALLER: CallerConfig(CALLER, token)}),
        budgets=MappingProxyType({**written.budgets, **{each.name: each for each in own}}),
        routes=MappingProxyType(
            {name: _with_budget(route, own) for name, route in written.routes.items()}
        ),
        # The screen is CMD's.
        log=written.log if level_is_chosen else LogConfig(written.log.format, "warning"),
    )


def _with_budget(route: RouteConfig, own: tuple[Budget, ...]) -> RouteConfig:
    return route if route.wallet is None else replace(route, budgets=(*route.budgets, *own))


def _budget(text: str | None, name: str) -> Budget | None:
    if text is None:
        return None
    try:
        return Budget(name, Usdc.parse(text), Window.TOTAL)
    except ValueError as fault:
        raise ConfigError(f"--budget: {fault}") from fault


def _receipt_file(path: Path) -> Path:
    # Looked at before anything is paid: afterwards it is too late to name another.
    if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise ConfigError(f"--receipt: {path}: no file can be written there; name another")
    return path


def route_prefix(config: Config) -> str:
    """What comes before /v1 for CMD. ConfigError where nobody can know."""
    if any(route.default for route in config.routes.values()):
        return ""
    if len(config.routes) == 1:
        return f"/{next(iter(config.routes))}"
    raise ConfigError("routes: none is the default, so CMD can be told none; add default: true")


async def _live(this: Job, config: Config, opened: Opened, world: tuple[Ports, Notifier]) -> int:
    (ports, notifier), heard = world, Heard()
    child = Child(config.limits.drain_wait_s)
    assert opened.tokens is not None
    (token,) = opened.tokens
    async with AsyncExitStack() as stack:
        log = configure(config.log.format, config.log.level, opened.all, clock=ports.clock)
        stack.callback(log.close)
        tasks = Supervisor(lambda name, fault: log(TaskFailed(name, fault)))
        stack.push_async_callback(tasks.drain, 0)
        tasks.spawn("log", log.run())

        def hear(event: Event) -> None:
            heard(event)
            log(event)

        service = await Service.start(config, opened, hear, ports)
        stack.push_async_callback(service.stop)
        gc.freeze()
        url = _url(config.listen, service.port)
        said = f"{this.name} has {url}/v1, admin {_url(config.admin, service.admin_port)}/"
        print(f"sidecar: {said}", file=sys.stderr, flush=True)
        notifier.ready(said)
        tasks.spawn("watchdog", notifier.watch(ports.clock))
        url += this.prefix
        status = await child.run(
            this.words, child_environment(os.environ, this.withheld, url, token)
        )
        notifier.stopping("the command has ended")
    if child.ran:
        end = (ports.clock.now(), status)
        _account(this, config, opened.taken, service.instance, heard, end)
    return status


def _url(listening: Address | SocketPath, port: int) -> str:
    assert isinstance(listening, Address)
    return url_of(replace(listening, port=port))


def _account(
    this: Job,
    config: Config,
    taken: Mapping[str, str],
    instance: str,
    heard: Heard,
    end: tuple[datetime, int],
) -> None:
    """Say what the run cost. What goes wrong with that is told, and changes nothing else."""
    ended_at, status = end
    budgets = {
        budget.name: budget
        for route in config.routes.values()
        if route.name in heard.routes
        for budget in route.budgets
    }
    try:
        # What held a secret was taken out of the environment.
        desk = open_desk(config, {**os.environ, **taken})
        made = desk.made_by(instance)
        uses = desk.budgets(tuple(budgets.values()), ended_at)
    except LedgerError as fault:
        print(f"sidecar: no receipt: {fault.diagnostics()}", file=sys.stderr)
        return
    receipt = Receipt(
        this.name, config.mode, (this.started_at, ended_at), status, heard, made, uses
    )
    show_receipt(receipt)
    if this.receipt is not None:
        write_receipt(receipt, this.receipt)
