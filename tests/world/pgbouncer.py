"""PgBouncer before a Postgres, in transaction mode: each transaction on any of its connections.

with PgBouncer(postgres) as pool:
    pool.url(database)    # the same database, through the pool
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.world.postgres import ROLE, PostgresServer
from tests.world.processes import Process, free_port
from tests.world.unprivileged import give, libraries, own_folder, unpacked, unprivileged

_CONFIG = """\
[databases]
* = host=127.0.0.1 port={server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 1000
"""


class PgBouncer:
    """A pool of a few connections to the server, for each database."""

    def __init__(self, server: PostgresServer, connections: int = 5) -> None:
        self._server = server
        self._connections = connections
        self._folder = own_folder("pgbouncer")
        self.port = free_port()

    def __enter__(self) -> Self:
        folder = self._folder.__enter__()
        program, environment = _found(folder)
        users, config = folder / "users", folder / "pgbouncer.ini"
        users.write_text(f'"{ROLE}" ""\n')
        config.write_text(
            _CONFIG.format(
                server=self._server.port,
                port=self.port,
                users=users,
                connections=self._connections,
            )
        )
        for file in (users, config):
            give(file)
        command = unprivileged([program, config], folder)
        self._process = Process(command, folder / "pgbouncer.log", environment)
        self._process.wait_for_port(self.port)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.stop()
        self._folder.__exit__(kind, error, trace)

    def url(self, url: str) -> str:
        """The database that this url of the server leads to, through the pool."""
        parts = urlsplit(url)
        return parts._replace(netloc=f"{parts.username}@127.0.0.1:{self.port}").geturl()


def _found(folder: Path) -> tuple[Path, dict[str, str]]:
    """The program and its environment: from the PATH, or as install.sh unpacked it."""
    own = shutil.which("pgbouncer")
    if own is not None:
        return Path(own), dict(os.environ)
    tree = unpacked("pgbouncer", folder)
    return tree / "usr/sbin/pgbouncer", libraries(tree)
