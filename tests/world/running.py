"""A sandbox seller and a sidecar in front of it, in this process, on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.config.read import parse_config
from sidecar.payments.events import Event
from sidecar.sandbox import Sandbox, SandboxOptions
from sidecar.service import Ports, Service, open_all
from tests.world.switches import SWITCHES

TOKEN = "sk-sidecar-a-test-token-of-some-length"
KEY = "0x" + "11" * 32

CONFIG = """\
version: 1
listen: 127.0.0.1:{port}
admin: 127.0.0.1:{admin_port}
state_dir: {folder}
ledger: {{sqlite: ledger.db}}
log: {{level: error}}
recovery: {{interval_s: 1}}
limits: {limits}
wallets:
  main: {{kind: {kind}, key: {{file: {folder}/{kind}.key}}}}
{chains}
budgets:
  - {{name: day, limit: "{budget}", window: 1d}}
callers:
  - {{name: app, token: {{file: {folder}/app.token}}}}
routes:
  seller:
    provider: pay_per_request
    upstream: {upstream}
    wallet: main
    default: true
    networks: ["{network}"]
    max_payment: "0.10 USDC"
    budgets: [day]
    response_wait_s: {response_wait_s}
    breaker: {{undelivered_max: 1000, window: 1h}}
"""


START_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Rail:
    """What the seller is paid on: a network, the kind of wallet for it, and the wallet's key."""

    network: str
    kind: str
    key: str


EVM = Rail("eip155:84532", "evm", KEY)
SOLANA = Rail("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", "solana", "33" * 32)


async def listening(port: int) -> None:
    """Come back once somebody listens on this port. TimeoutError when nobody does."""
    async with asyncio.timeout(START_WAIT_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return


def write_private(path: Path, text: str) -> None:
    """A file that only we can read."""
    path.write_text(text)
    path.chmod(0o600)


def config_text(
    folder: Path,
    upstream: str,
    *,
    rpc: str = "",
    port: int = 0,
    admin_port: int = 0,
    budget: str = "5.00 USDC",
    response_wait_s: float = 2,
    limits: str = "{}",
    rail: Rail = EVM,
) -> str:
    """A config with one paying route, and the secrets that it names."""
    write_private(folder / f"{rail.kind}.key", rail.key)
    write_private(folder / "app.token", TOKEN)
    return CONFIG.format(
        folder=folder,
        upstream=upstream,
        chains=f'chains:\n  "{rail.network}": {{rpc: ["{rpc}"]}}' if rpc else "",
        kind=rail.kind,
        network=rail.network,
        port=port,
        admin_port=admin_port,
        budget=budget,
        response_wait_s=response_wait_s,
        limits=limits,
    )


@dataclass(frozen=True, slots=True)
class Running:
    """What a test talks to."""

    sandbox: Sandbox
    service: Service
    folder: Path
    events: list[Event]

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.service.port}/v1"


@asynccontextmanager
async def running(
    folder: Path,
    options: SandboxOptions | None = None,
    *,
    with_rpc: bool = True,
    ports: Ports | None = None,
    budget: str = "5.00 USDC",
    response_wait_s: float = 2,
    limits: str = "{}",
    rail: Rail = EVM,
) -> AsyncIterator[Running]:
    """Both, started and stopped."""
    sandbox = Sandbox(options or SandboxOptions(), SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    rpc_url = sandbox.rpc_url if rail is EVM else f"{sandbox.rpc_url}/solana"
    try:
        text = config_text(
            folder,
            sandbox.url,
            rpc=rpc_url if with_rpc else "",
            budget=budget,
            response_wait_s=response_wait_s,
            limits=limits,
            rail=rail,
        )
        config = parse_config(text, SWITCHES, {}, folder)
        opened = open_all(config, {}, SystemEntropy())
        events: list[Event] = []
        service = await Service.start(config, opened, events.append, ports or Ports())
        try:
            yield Running(sandbox, service, folder, events)
        finally:
            await service.stop()
    finally:
        await sandbox.stop()
