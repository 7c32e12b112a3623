"""HTTPS_PROXY: upstreams behind a company's proxy are reached through it, and it learns nothing."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import openai

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.sandbox import Sandbox, SandboxOptions
from tests.world.certificate import NAME, make_certificate
from tests.world.connect_proxy import ConnectProxy, Reader, Writer, listening_with, relay
from tests.world.processes import ROOT, free_port
from tests.world.running import TOKEN, config_text, listening

PASSWORD = "a-proxys-password"


@dataclass(frozen=True, slots=True)
class Behind:
    """A sidecar that nothing but its proxy connects with its seller."""

    sandbox: Sandbox
    proxy: ConnectProxy
    client: openai.AsyncOpenAI
    log: Path


@asynccontextmanager
async def behind(folder: Path, login: str = f"user:{PASSWORD}") -> AsyncIterator[Behind]:
    """The seller has TLS and a name that only the proxy knows."""
    sandbox = Sandbox(SandboxOptions(), SystemClock(), SystemEntropy())
    await sandbox.start()
    sandbox_port = int(sandbox.url.rpartition(":")[2])

    async def terminate(reader: Reader, writer: Writer) -> None:
        await relay((reader, writer), await asyncio.open_connection("127.0.0.1", sandbox_port))

    certificate = make_certificate(folder)
    proxy = ConnectProxy({})
    try:
        async with (
            listening_with(terminate, certificate) as tls_port,
            listening_with(proxy.serve) as proxy.port,
        ):
            proxy.places[f"{NAME}:443"] = tls_port
            environ = {
                "HTTPS_PROXY": proxy.url(login),
                "SSL_CERT_FILE": str(certificate.path),
            }
            async with _sidecar(folder, sandbox.rpc_url, environ) as port:
                url = f"http://127.0.0.1:{port}/v1"
                async with openai.AsyncOpenAI(base_url=url, api_key=TOKEN, max_retries=0) as client:
                    yield Behind(sandbox, proxy, client, folder / "sidecar.log")
    finally:
        await sandbox.stop()


@asynccontextmanager
async def _sidecar(folder: Path, rpc: str, environ: dict[str, str]) -> AsyncIterator[int]:
    port = free_port()
    config = folder / "sidecar.yaml"
    text = config_text(folder, f"https://{NAME}", rpc=rpc, port=port, admin_port=free_port())
    # What is told at start is no error.
    config.write_text(text.replace("level: error", "level: info"))
    with (folder / "sidecar.log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sidecar", "run", "--config", str(config)),
            cwd=ROOT,
            env={**os.environ, **environ},
            stdout=log,
            stderr=log,
        )
    try:
        await listening(port)
        yield port
    finally:
        child.terminate()
        await child.wait()


async def ask(client: openai.AsyncOpenAI, said: str) -> str:
    """One answer, as it streams in."""
    stream = await client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": said}], stream=True
    )
    chunks = [chunk async for chunk in stream]
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


async def test_reached(tmp_path: Path) -> None:
    """What is paid, what streams and what is free goes through the proxy, in one tunnel each."""
    async with behind(tmp_path) as world:
        said = [await ask(world.client, f"number {number}") for number in range(3)]
        models = [(await world.client.models.list()).data[0].id for _ in range(3)]
    log = world.log.read_text()

    assert [f"The sandbox heard: number {number}" for number in range(3)] == said
    assert ["sandbox-1"] * 3 == models
    assert 3 == len(world.sandbox.books.settlements)
    # The chain's endpoint is on this machine, and is not asked through a proxy.
    assert {f"CONNECT {NAME}:443 HTTP/1.1"} == set(world.proxy.asked)
    assert 0 == world.proxy.refused
    assert f"https://{NAME}: reached through the proxy" in log
    assert PASSWORD not in log


async def test_refused(tmp_path: Path) -> None:
    """A proxy that refuses is a 502 that says so; its password is told to nobody."""
    async with behind(tmp_path, "user:another-password") as world:
        try:
            await ask(world.client, "hello")
        except openai.APIStatusError as fault:
            refusal = fault
    log = world.log.read_text()

    assert 502 == refusal.status_code
    assert "407" in refusal.message
    assert "another-password" not in refusal.message + log
    assert () == world.sandbox.books.settlements
