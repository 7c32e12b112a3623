"""The real sidecar as a service manager starts it, is told of it, and ends it."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.e2e.shell import WAIT_S, environment
from tests.hostile.recorder import Recorder
from tests.world.processes import ROOT, WORLD, free_port, installed
from tests.world.running import TOKEN, write_private

CONFIG = """\
version: 1
listen: {listen}
admin: 127.0.0.1:{admin}
state_dir: {folder}/state
{callers}
routes:
  up:
    provider: api_key
    upstream: {upstream}
    api_key: {{file: {folder}/api.key}}
    default: true
"""
TOKENS = "callers: [{{name: app, token: {{file: {folder}/app.token}}}}]"
GET = "GET /v1/models HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"


class Manager:
    """A service manager's end of the notifications."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    async def next(self, child: asyncio.subprocess.Process) -> str:
        """The next message. AssertionError where the process ends without one."""
        loop = asyncio.get_running_loop()
        told = asyncio.create_task(loop.sock_recv(self._socket, 4_096))
        ended = asyncio.create_task(child.wait())
        await asyncio.wait({told, ended}, timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
        heard = told.done()
        for task in (told, ended):
            task.cancel()
        assert heard, "the process said nothing"
        return told.result().decode()

    def close(self) -> None:
        self._socket.close()


class World:
    """A folder with a config, an upstream, and processes that are ended with the test."""

    def __init__(self, folder: Path, upstream: Recorder) -> None:
        self.folder = folder
        self.upstream = upstream
        self.admin = free_port()
        self.manager = Manager(folder / "notify")

    def write(self, listen: str, callers: str = TOKENS) -> Path:
        """The config that listens there."""
        write_private(self.folder / "api.key", "sk-the-key-of-the-account")
        write_private(self.folder / "app.token", TOKEN)
        path = self.folder / "sidecar.yaml"
        path.write_text(
            CONFIG.format(
                listen=listen,
                admin=self.admin,
                folder=self.folder,
                callers=callers.format(folder=self.folder),
                upstream=self.upstream.origin,
            )
        )
        return path

    @asynccontextmanager
    async def started(
        self, *command: str | Path, **environ: str
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """A process that is told of the manager, and is gone afterwards."""
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *map(str, command),
            cwd=ROOT,
            env=environment(self.folder, NOTIFY_SOCKET=str(self.manager.path), **environ),
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield child
        finally:
            if child.returncode is None:
                child.kill()
            await child.communicate()


async def ask(at: int | Path, host: str, token: str = TOKEN) -> int:
    """The status of one request to a port, or to a Unix socket."""
    async with asyncio.timeout(WAIT_S):
        opening = (
            asyncio.open_unix_connection(at)
            if isinstance(at, Path)
            else asyncio.open_connection("127.0.0.1", at)
        )
        reader, writer = await opening
        writer.write(GET.format(host=host, token=token).encode())
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
    return int(line.split()[1])


async def end(child: asyncio.subprocess.Process) -> list[str]:
    """End it as a manager does; what it said, once it has ended well."""
    child.send_signal(signal.SIGTERM)
    _, said = await asyncio.wait_for(child.communicate(), WAIT_S)
    assert 0 == child.returncode, said.decode()
    return said.decode().splitlines()


def systemd_program(name: str) -> tuple[str, dict[str, str]]:
    """One of systemd's programs, and what it needs where it was unpacked and not installed."""
    found = shutil.which(name)
    if found is not None:
        return found, {}
    unpacked = installed(WORLD / "systemd/usr/bin" / name)
    folders = (WORLD / "systemd/usr/lib").glob("*-linux-gnu*/**/")
    return str(unpacked), {"LD_LIBRARY_PATH": ":".join(map(str, folders))}
