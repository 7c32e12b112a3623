"""YAML -> Config. Flags win over the environment, and the environment over the file.

Every mistake is found in one pass; the ConfigError carries one line for each.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from sidecar.config.addresses import ADMIN, LISTEN, Address, SocketPath
from sidecar.config.budgets import read_budgets
from sidecar.config.callers import read_callers
from sidecar.config.chains import read_chains
from sidecar.config.document import TEXT_BYTES_MAX, Entry, read_document
from sidecar.config.fields import Field, Section, show
from sidecar.config.ledger import read_ledger
from sidecar.config.listen import (
    UNIX,
    check_loops,
    check_ports,
    read_auth,
    read_hosts,
    read_socket_path,
    separated,
)
from sidecar.config.mistakes import Mistakes
from sidecar.config.model import (
    Config,
    EventLoop,
    Limits,
    LogConfig,
    Mode,
)
from sidecar.config.routes import Known, read_routes
from sidecar.config.secret_ref import Places
from sidecar.config.tuning import read_balances, read_limits, read_log, read_recovery
from sidecar.config.wallets import read_wallets
from sidecar.errors import ConfigError

VERSION = 1
MODES: tuple[Mode, ...] = ("live", "shadow")
WORKERS_MAX = 64
EVENT_LOOPS: tuple[EventLoop, ...] = ("uvloop", "asyncio")

# What may also come from flags and the environment: the override, its variable, its key.
VARIABLES = {
    "listen": "SIDECAR_LISTEN",
    "admin": "SIDECAR_ADMIN",
    "hosts": "SIDECAR_HOSTS",
    "auth": "SIDECAR_AUTH",
    "mode": "SIDECAR_MODE",
    "state_dir": "SIDECAR_STATE_DIR",
    "log_format": "SIDECAR_LOG_FORMAT",
    "log_level": "SIDECAR_LOG_LEVEL",
    "event_loop": "SIDECAR_EVENT_LOOP",
    "workers": "SIDECAR_WORKERS",
    "fast_lane": "SIDECAR_FAST_LANE",
}

KEYS = (
    "version",
    "listen",
    "admin",
    "hosts",
    "auth",
    "mode",
    "state_dir",
    "ledger",
    "wallets",
    "chains",
    "budgets",
    "callers",
    "routes",
    "limits",
    "recovery",
    "balances",
    "log",
    "event_loop",
    "workers",
)


def load_config(path: Path, environ: Mapping[str, str], overrides: Mapping[str, str]) -> Config:
    """The config in this file. ConfigError with every mistake in it."""
    return parse_config(read_text(path), environ, overrides, path.absolute().parent)


def parse_config(
    text: str, environ: Mapping[str, str], overrides: Mapping[str, str], folder: Path
) -> Config:
    """The config in this text; its relative paths start from ``folder``.

    ``overrides`` holds flags by the names in ``VARIABLES``. ConfigError with every mistake.
    """
    config, mistakes = examine_text(text, environ, overrides, folder)
    if mistakes or config is None:
        raise ConfigError(*mistakes.lines())
    return config


def examine_config(
    path: Path, environ: Mapping[str, str], overrides: Mapping[str, str]
) -> tuple[Config | None, Mistakes]:
    """What the file says as far as it can be read, and all that is wrong with it.

    A config with mistakes is for looking at, to find more of them. ConfigError: no such file.
    """
    return examine_text(read_text(path), environ, overrides, path.absolute().parent)


def examine_text(
    text: str, environ: Mapping[str, str], overrides: Mapping[str, str], folder: Path
) -> tuple[Config | None, Mistakes]:
    """The same of this text; None where it holds no mapping."""
    mistakes = Mistakes()
    document = read_document(text, mistakes)
    if document is None or not isinstance(document.value, Mapping):
        if not mistakes:
            mistakes.add("config", "not a mapping", "start it with: version: 1")
        return None, mistakes
    top = Field("", document, mistakes, document.line).section(KEYS)
    return _Reader(top, environ, overrides, folder).config(), mistakes


def read_text(path: Path) -> str:
    """What the file says. ConfigError when it is none that can be read."""
    try:
        # A pipe with nobody at its other end would be waited for.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ConfigError(f"{path}: not a file; name the config file")
            content = file.read(TEXT_BYTES_MAX + 1)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise ConfigError(f"{path}: {reason}; name a config file that can be read") from error
    if len(content) > TEXT_BYTES_MAX:
        raise ConfigError(f"{path}: over {TEXT_BYTES_MAX // 1024} KiB; make it smaller")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8; save it as UTF-8") from error


class _Reader:
    """Reads the sections in the order in which they refer to one another."""

    def __init__(
        self,
        top: Section,
        environ: Mapping[str, str],
        overrides: Mapping[str, str],
        folder: Path,
    ) -> None:
        home = environ.get("HOME", "")
        self._top = top
        self._environ = environ
        self._overrides = overrides
        self._places = Places(folder, Path(home) if home.startswith("/") else None)

    def config(self) -> Config:
        top = self._top
        self._check_version()
        listen = self._listen()
        on_socket = isinstance(listen, SocketPath)
        admin = self._address("admin", ADMIN)
        state_dir = self._state_dir()
        mode = self._field("mode").choice(MODES, "live")
        wallets = read_wallets(top.at("wallets"), self._places, self._environ)
        budgets = read_budgets(top.at("budgets"))
        known = Known(self._places, budgets, wallets)
        routes_field = top.at("routes").required("name an upstream")
        routes = read_routes(routes_field, known)
        check_ports(self._field("admin"), listen, admin)
        check_loops(routes_field, routes, (listen, admin))
        return Config(
            state_dir=state_dir,
            ledger=read_ledger(top.at("ledger"), self._places, state_dir, mode),
            routes=MappingProxyType(routes),
            listen=listen,
            admin=admin,
            hosts=self._hosts(),
            auth=read_auth(self._field("auth"), on_socket=on_socket),
            mode=mode,
            wallets=MappingProxyType({name: wallet for name, wallet in wallets.items() if wallet}),
            chains=MappingProxyType(read_chains(top.at("chains"))),
            budgets=MappingProxyType(dict(budgets.by_name)),
            callers=MappingProxyType(
                read_callers(top.at("callers"), self._places, budgets, on_socket=on_socket)
            ),
            limits=self._limits(),
            recovery=read_recovery(top.at("recovery")),
            balances=read_balances(top.at("balances")),
            log=self._log(),
            event_loop=self._field("event_loop").choice(EVENT_LOOPS, "uvloop"),
            workers=self._workers(),
        )

    def _field(self, name: str, written: Field | None = None) -> Field:
        """The flag, else the variable, else what is written."""
        written = written or self._top.at(name)
        flag = f"--{name.replace('_', '-')}"
        layers = (
            (flag, self._overrides.get(name)),
            (VARIABLES[name], self._environ.get(VARIABLES[name])),
        )
        for source, text in layers:
            if text:
                return Field(source, Entry(text, 0), written.mistakes, 0)
        return written

    def _check_version(self) -> None:
        field = self._top.at("version").required(f"start with: version: {VERSION}")
        if field.entry is None:
            return
        # ``True == 1`` to Python.
        if type(field.entry.value) is not int or field.entry.value != VERSION:
            field.mistake("not a version that this program reads", f"write version: {VERSION}")

    def _listen(self) -> Address | SocketPath:
        field = self._field("listen")
        text = field.entry.value if field.entry is not None else None
        if isinstance(text, str) and text.startswith(UNIX):
            return read_socket_path(field, text, self._places)
        return self._address("listen", LISTEN)

    def _hosts(self) -> tuple[str, ...]:
        written = self._top.at("hosts")
        field = self._field("hosts", written)
        return read_hosts(field if field is written else separated(field))

    def _workers(self) -> int:
        written = self._top.at("workers")
        field = self._field("workers", written)
        if field is not written and field.text().isdecimal():
            # A flag and a variable are text.
            field = replace(field, entry=Entry(int(field.text()), 0))
        return field.integer(1, 1, WORKERS_MAX)

    def _address(self, name: str, default: Address) -> Address:
        field = self._field(name)
        text = field.text(fix=f'write it like "{default}"')
        if not text:
            return default
        try:
            return Address.parse(text)
        except ValueError:
            field.mistake(
                f"not an address: {show(text)}", f'write it like "{default}", port 0 to 65535'
            )
            return default

    def _state_dir(self) -> Path:
        written = self._top.at("state_dir")
        field = self._field("state_dir", written)
        text = field.text(fix="name a folder")
        if "\0" in text:
            field.mistake("not a path", "name a folder")
        elif text:
            # What a person types in a shell is relative to where they stand.
            return self._places.path(text) if field is written else Path(text).absolute()
        base = self._environ.get("XDG_STATE_HOME", "")
        if base.startswith("/"):
            return Path(base) / "sidecar"
        if self._places.home is not None:
            return self._places.home / ".local" / "state" / "sidecar"
        if not text:
            field.mistake("missing, and there is no HOME to put it in", "name a folder")
        return self._places.folder

    def _limits(self) -> Limits:
        section = self._top.at("limits")
        limits = read_limits(section)
        lane = self._field("fast_lane", _absent(section))
        usual: Literal["true", "false"] = "true" if limits.fast_lane else "false"
        return replace(limits, fast_lane=lane.choice(("true", "false"), usual) == "true")

    def _log(self) -> LogConfig:
        section = self._top.at("log")
        log = read_log(section)
        form = self._field("log_format", _absent(section))
        level = self._field("log_level", _absent(section))
        return LogConfig(
            format=form.choice(("auto", "json", "console"), log.format),
            level=level.choice(("debug", "info", "warning", "error"), log.level),
        )


def _absent(field: Field) -> Field:
    return Field(field.path, None, field.mistakes, field.line)
