"""An upstream behind TLS is asked where the system believes its certificate, and nowhere else."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.world.certificate import make_certificate
from tests.world.processes import ROOT, free_port
from tests.world.running import listening

TOKEN = "t" * 32
CONFIG = """\
version: 1
listen: 127.0.0.1:{port}
admin: 127.0.0.1:{admin}
state_dir: {folder}
log: {{format: json, level: error}}
callers:
  - {{name: app, token: {{file: {folder}/app.token}}}}
routes:
  up:
    provider: api_key
    upstream: https://127.0.0.1:{seller}
    default: true
    api_key: {{file: {folder}/api.key}}
"""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nhi"


@asynccontextmanager
async def running(folder: Path, seller: int, believed: Path) -> AsyncIterator[str]:
    """A sidecar before this seller, in a process that believes this certificate alone."""
    for name, text in (("app.token", TOKEN), ("api.key", "k" * 32)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    port = free_port()
    config = folder / "sidecar.yaml"
    config.write_text(CONFIG.format(folder=folder, port=port, admin=free_port(), seller=seller))
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "run", "--config", str(config)),
        cwd=ROOT,
        env={**os.environ, "SSL_CERT_FILE": str(believed), "SSL_CERT_DIR": str(folder)},
    )
    try:
        await listening(port)
        yield f"http://127.0.0.1:{port}/v1/models"
    finally:
        child.terminate()
        await child.wait()


@pytest.mark.parametrize(
    ("another", "statuses", "heads"),
    [(False, [200, 200, 200], 3), (True, [502, 502, 502], 0)],
    ids=["believed", "another"],
)
async def test_upstream(tmp_path: Path, another: bool, statuses: list[int], heads: int) -> None:
    """Calls go to who shows a certificate that the system believes; to another nothing is sent."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "home").mkdir(mode=0o700)
    certificate = make_certificate(tmp_path / "theirs")
    believed = make_certificate(tmp_path) if another else certificate
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                seen.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(ANSWER)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certificate.for_server())
    async with (
        server,
        running(tmp_path / "home", server.sockets[0].getsockname()[1], believed.path) as url,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as app,
    ):
        told = []
        # The first goes the ordinary way, the others by the lane.
        for _ in range(3):
            async with app.get(url) as answer:
                told.append(answer.status)

    assert statuses == told
    assert heads == len(seen)
