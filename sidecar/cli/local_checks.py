"""What can be looked at on this machine alone: variables, secrets, ledger, ports."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from sidecar.cli import exits
from sidecar.cli.check import notes
from sidecar.cli.checkup import Check, fail, ok, warn, worst
from sidecar.cli.desk import open_desk
from sidecar.cli.keys import wallet_address
from sidecar.clock import Clock
from sidecar.config.addresses import Address
from sidecar.config.model import Config, PostgresUrl, SecretKind, SecretRef, SqliteFile
from sidecar.config.private_file import check_folder
from sidecar.config.secrets import ADMIN_TOKEN_FILE, CALLER_TOKEN_FILE, open_secret
from sidecar.errors import ConfigError, LedgerError
from sidecar.ledger.desk import Desk
from sidecar.service.portholder import holder_of, why_not
from sidecar.service.tunnels import proxy_for, tunnel_notes

# Of apps, which reach the sidecar by http.
PROXY_VARIABLES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
MIB = 1024 * 1024
SPACE_WARN, SPACE_FAIL = 200 * MIB, 20 * MIB


def check_environment(config: Config, environ: Mapping[str, str]) -> Iterator[Check]:
    """The proxies that variables name: for the sidecar, and for apps on the way to it."""
    try:
        for note in tunnel_notes(config, proxy_for(environ)):
            yield ok("environment", note)
    except ConfigError as fault:
        yield from _failed("environment", fault, exits.USAGE)
    exempt = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    for name in PROXY_VARIABLES:
        if environ.get(name) and "127.0.0.1" not in exempt:
            yield warn(
                "environment",
                f"{name} is set: an app that has it too looks for the sidecar behind that proxy",
                "give apps NO_PROXY=127.0.0.1,localhost",
            )


def check_config(config: Config) -> Iterator[Check]:
    """What is valid, and good to know."""
    if config.mode == "shadow":
        yield warn("config", "mode is shadow: nothing is signed or paid", "set mode: live to pay")
    for note in notes(config):
        yield warn("config", note, "leave it if that is what you want")


def check_secrets(config: Config, environ: Mapping[str, str]) -> Iterator[Check]:
    """Every key and token: whether it is there, closed to others, and what it should be."""
    for wallet in config.wallets.values():
        name = f"wallet {wallet.name}"
        try:
            yield ok(name, wallet_address(wallet, environ))
        except ConfigError as fault:
            yield from _failed(name, fault, exits.SIGNER)
    for name, ref in _others(config):
        try:
            open_secret(ref, environ)
            yield ok(name, "it is there, and closed to others")
        except ConfigError as fault:
            yield from _failed(name, fault, exits.USAGE)


def _others(config: Config) -> Iterator[tuple[str, SecretRef]]:
    for caller in config.callers.values():
        if caller.token is not None:
            yield f"token of {caller.name}", caller.token
    for route in config.routes.values():
        if route.api_key is not None:
            yield f"API key of {route.name}", route.api_key
    for file in (CALLER_TOKEN_FILE, ADMIN_TOKEN_FILE):
        path = config.state_dir / file
        if path.exists() or path.is_symlink():
            yield file, SecretRef(SecretKind.FILE, str(path))


def _failed(name: str, fault: ConfigError, status: int) -> Iterator[Check]:
    """Every mistake says itself what to do, behind a semicolon."""
    for mistake in fault.mistakes:
        detail, _, fix = mistake.partition("; ")
        yield fail(name, detail, fix or "mend it", status)


def check_books(config: Config, environ: Mapping[str, str], clock: Clock) -> Iterator[Check]:
    """The state folder, the ledger, and the room on their disk."""
    folder = config.state_dir
    if not folder.exists():
        yield ok("state folder", f"{folder} is not there yet; the first run makes it")
    else:
        try:
            check_folder(folder)
            yield ok("state folder", str(folder))
        except ConfigError as fault:
            yield from _failed("state folder", fault, exits.USAGE)
        except OSError as fault:
            reason = (fault.strerror or "unusable").lower()
            yield fail("state folder", f"{folder}: {reason}", "mend it", exits.TRANSPORT)
    try:
        found = [*_check_ledger(open_desk(config, environ), clock.now())]
        yield from found
        if isinstance(config.ledger, PostgresUrl) and not worst(found):
            # Not for those who have no server.
            from sidecar.cli.server_checks import check_server  # noqa: PLC0415 - see above

            yield from check_server(config.ledger, environ, clock)
    except ConfigError as fault:
        yield from _failed("ledger", fault, exits.USAGE)
    file = config.ledger.path if isinstance(config.ledger, SqliteFile) else folder / "tokens"
    yield _check_space(file)


def _check_ledger(desk: Desk, now: datetime) -> Iterator[Check]:
    try:
        if not desk.exists():
            yield ok("ledger", f"{desk.place} is not there yet; the first run makes it")
            return
        frozen, in_doubt = desk.frozen_since(), desk.in_doubt()
        desk.check_writable()
    except LedgerError as fault:
        detail, _, fix = fault.diagnostics().partition("; ")
        yield fail("ledger", detail, fix or "see what holds it", exits.TRANSPORT)
        return
    yield ok("ledger", f"{desk.place} opens, and can be written")
    if frozen is not None:
        since = f"{frozen:%Y-%m-%d %H:%M:%S} UTC"
        yield warn("ledger", f"frozen since {since}: nothing is signed", "`sidecar unfreeze`")
    overdue = [
        payment
        for payment in in_doubt
        if payment.authorization is not None and payment.authorization.expires_at < now
    ]
    if overdue:
        yield warn(
            "ledger",
            f"{len(overdue)} payments are in doubt past their expiry, and count as spent",
            "give their chain an RPC endpoint, or see `sidecar explain` and `sidecar resolve`",
        )


def _check_space(path: Path) -> Check:
    folder = next(each for each in path.absolute().parents if each.exists())
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    detail, fix = f"{free // MIB} MiB free under {folder}", "make room: without it nothing is paid"
    if free < SPACE_FAIL:
        return fail("disk", detail, fix, exits.TRANSPORT)
    return warn("disk", detail, fix) if free < SPACE_WARN else ok("disk", detail)


def check_ports(config: Config, *, running: bool) -> Iterator[Check]:
    """Whether each port can be had, or a sidecar has it already (``running``)."""
    ports: Iterable[tuple[str, object]] = (("listen", config.listen), ("admin", config.admin))
    for name, address in ports:
        if not isinstance(address, Address):
            yield ok(name, f"{address} is made at start")
            continue
        try:
            _try(address)
            yield ok(name, f"{address} is free")
        except OSError as fault:
            if running:
                holder = holder_of(address.port)
                yield ok(name, f"{address} is served{f' by {holder}' if holder else ''}")
                continue
            detail, _, fix = why_not(address, fault).partition("; ")
            yield fail(name, detail, fix, exits.USAGE)


def _try(address: Address) -> None:
    """OSError where nobody can listen there now."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        # As a server does: connections that are just ending hold nothing.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind((address.host, address.port))
        tried.listen(1)
