"""A real Postgres, for tests.

In a test, by the fixtures of tests/conftest.py:

    async def test(database: str):                # the url of an empty database of its own, on the
                                                  # one server of this pytest worker
    async def test(postgres: PostgresServer):     # that server, if more than a url is needed
    async def test(own_postgres: PostgresServer): # a server of its own: to stop, kill or set up

    with postgres.database() as url: ...          # one more empty database, dropped at the end
    postgres.execute("SELECT 1", url=url)         # rows, as the superuser, in its own transaction
    own_postgres.kill(); own_postgres.start()     # kill -9 of all its processes; recovery
    own_postgres.stop("fast"); own_postgres.restart()
    standby = own_postgres.standby()              # synchronous: a commit waits for both
    own_postgres.kill(); standby.promote()        # failover
    url_of(own_postgres, standby, database=name)  # one url of both; leads to the writable one

Without pytest: ``with PostgresServer() as server``. A server starts in less than a second, and
``server.sibling()`` is faster. Settings of its own: ``PostgresServer({"fsync": "off"})``.

Databases belong to the role ``sidecar``, which is no superuser and needs no password;
``PASSWORD_ROLE`` needs one. Files are flushed as at home (fsync is on): the ledger refuses less.
Beside it: tests/world/pgbouncer.py (a pool before it) and tests/world/cable.py (a connection that
is cut or goes silent).
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg

from tests.world.processes import Process, free_port, wait_until
from tests.world.unprivileged import libraries, own_folder, unpacked, unprivileged

# What initdb made, for all servers of many processes: it takes four times as long as a start.
PRISTINE = "SIDECAR_TESTS_POSTGRES"
SUPERUSER = "postgres"
ROLE = "sidecar"
# This role, and no other, is asked for its password.
PASSWORD_ROLE = "guarded"
PASSWORD = "the right password"

_STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "jit": "off",
}
_ROLES = f"""\
CREATE ROLE {ROLE} LOGIN;
CREATE ROLE {PASSWORD_ROLE} LOGIN PASSWORD '{PASSWORD}';
"""
_ACCESS = f"host all {PASSWORD_ROLE} 127.0.0.1/32 scram-sha-256\n"


class PostgresServer:
    """One server on a port of loopback, with a data folder of its own."""

    def __init__(
        self, settings: Mapping[str, str] | None = None, pristine: Path | None = None
    ) -> None:
        self._settings = {**_SETTINGS, **(settings or {})}
        self._closing = ExitStack()
        self._folder = self._closing.enter_context(own_folder("postgres"))
        self._programs, self._environment = _found(self._folder)
        given = os.environ.get(PRISTINE)
        # What initdb made, and no server has touched.
        self.pristine = pristine or (Path(given) if given else self._made())
        self._data = self._folder / "data"
        self._process: Process | None = None
        self._standbys = count(1)
        self._names = count(1)
        self.port = free_port()

    def __enter__(self) -> Self:
        with ExitStack() as undoing:
            undoing.callback(self.close)
            self._run("cp", "--archive", self.pristine, self._data)
            self.start()
            self.execute(_ROLES)
            undoing.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it and its standbys, and forget its data."""
        if self._process is not None:
            self.stop("immediate")
        self._closing.close()

    @property
    def is_running(self) -> bool:
        """Whether it was started, and has not ended by itself."""
        return self._process is not None and self._process.exit_code is None

    @property
    def log(self) -> str:
        """All that it wrote."""
        return (self._folder / "postgres.log").read_text()

    def start(self) -> None:
        """Start it on the data that it has, and wait until it answers."""
        assert self._process is None, "it runs already"
        command: list[str | Path] = [self._programs / "postgres", "-D", self._data]
        for name, value in {**self._settings, "port": str(self.port)}.items():
            command += ["-c", f"{name}={value}"]
        self._process = Process(
            unprivileged(command, self._folder, signal.SIGQUIT),
            self._folder / "postgres.log",
            self._environment,
        )
        self._process.wait_for_port(self.port)
        wait_until(self._answers, f"postgres answers on {self.port}")

    def stop(self, mode: str = "fast") -> None:
        """smart: after the last client; fast: without them; immediate: as a crash would."""
        process = self._started()
        with suppress(ProcessLookupError):
            os.kill(process.id, _STOP_SIGNALS[mode])
        process.wait(60)
        self._process = None

    def kill(self) -> None:
        """kill -9 of every process that it has, as when the machine ends."""
        process = self._started()
        # It must not start others while they are looked for.
        os.kill(process.id, signal.SIGSTOP)
        children = _children(process.id)
        process.kill()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        wait_until(lambda: not any(map(_is_alive, children)), "the processes of postgres end")
        self._process = None

    def restart(self, mode: str = "fast") -> None:
        """Stop and start: on the same port, with the same data."""
        self.stop(mode)
        self.start()

    def url(self, database: str = "postgres", user: str = ROLE) -> str:
        """How to reach a database of it."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def execute(
        self, sql: str, values: tuple[object, ...] | None = None, *, url: str = ""
    ) -> list[tuple[Any, ...]]:
        """The rows that it answers, as the superuser; in the database of the url, if any."""
        name = database_of(url) if url else "postgres"
        with psycopg.connect(self.url(name, SUPERUSER), autocommit=True) as connection:
            cursor = connection.execute(sql, values)
            return [] if cursor.description is None else cursor.fetchall()

    def fresh_database(self) -> str:
        """The url of an empty database, which is there as long as the server."""
        name = f"test_{next(self._names)}"
        # Nobody can be connected to template0, and a copy of it waits for nobody.
        self.execute(f"CREATE DATABASE {name} OWNER {ROLE} TEMPLATE template0")
        return self.url(name)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The url of an empty database, which is dropped at the end, whoever is connected."""
        url = self.fresh_database()
        try:
            yield url
        finally:
            if self.is_running:
                self.execute(f"DROP DATABASE {database_of(url)} WITH (FORCE)")

    def sibling(self, settings: Mapping[str, str] | None = None) -> PostgresServer:
        """Another server, to be entered. It shares nothing with this one but what initdb made."""
        return PostgresServer(settings, self.pristine)

    def standby(self) -> PostgresServer:
        """A copy that follows this server, and that every commit here waits for from now on.

        It runs, and ends with this server.
        """
        name = f"standby_{next(self._standbys)}"
        copy = PostgresServer(self._settings, self.pristine)
        self._closing.callback(copy.close)
        self.execute("SELECT pg_create_physical_replication_slot(%s)", (name,))
        source = f"host=127.0.0.1 port={self.port} user={SUPERUSER} application_name={name}"
        backup = ("--pgdata", copy._data, "--write-recovery-conf", "--slot", name)
        self._run("pg_basebackup", "-d", source, "-c", "fast", "--no-sync", *backup)
        copy.start()
        # Only now: the copy must not have this setting, or it would wait for itself one day.
        self._set_standbys(f"FIRST 1 ({name})")
        wait_until(lambda: self._is_synchronous(name), f"{name} is synchronous")
        return copy

    def promote(self) -> None:
        """A standby becomes a server of its own, writable, whose commits wait for nobody."""
        self.execute("SELECT pg_promote()")
        self._set_standbys("")

    def _set_standbys(self, names: str) -> None:
        self.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        self.execute("SELECT pg_reload_conf()")

    def _is_synchronous(self, name: str) -> bool:
        looks = "SELECT sync_state FROM pg_stat_replication WHERE application_name = %s"
        return self.execute(looks, (name,)) == [("sync",)]

    def _made(self) -> Path:
        pristine = self._folder / "pristine"
        how = ("--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8")
        self._run("initdb", "-D", pristine, "-U", SUPERUSER, *how)
        access = pristine / "pg_hba.conf"
        # The first line that fits counts.
        access.write_text(_ACCESS + access.read_text())
        return pristine

    def _run(self, name: str, *arguments: str | Path) -> None:
        program = self._programs / name
        command = [program if program.exists() else name, *arguments]
        done = subprocess.run(
            unprivileged(command, self._folder),
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"

    def _started(self) -> Process:
        assert self._process is not None, "it does not run"
        return self._process

    def _answers(self) -> bool:
        assert self.is_running, f"postgres ended:\n{self.log}"
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


def url_of(*servers: PostgresServer, database: str, user: str = ROLE) -> str:
    """One url of several servers, which leads to the one that can be written to."""
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    return f"postgresql://{user}@{hosts}/{database}?target_session_attrs=read-write"


def database_of(url: str) -> str:
    """The name of the database that a url leads to."""
    return urlsplit(url).path.removeprefix("/")


def _found(folder: Path) -> tuple[Path, dict[str, str]]:
    """The folder of the programs and their environment: the machine's, or what was unpacked."""
    folders = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    own = sorted(folders, key=lambda program: int(program.parts[4]))
    if own:
        return own[-1].parent, dict(os.environ)
    tree = unpacked("postgres", folder)
    return tree / "usr/lib/postgresql/15/bin", libraries(tree)


def _children(parent: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name, in brackets, may have spaces in it.
            if status.read_text().rpartition(")")[2].split()[1] == str(parent):
                found.append(int(status.parent.name))
    return found


def _is_alive(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    # A zombie has let go of everything that it had.
    return re.search(r"\) Z ", status) is None
