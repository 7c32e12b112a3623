"""The sandbox's vendors and a sidecar with a route to each, in this process, on real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.config.read import parse_config
from sidecar.ledger.model import Payment
from sidecar.payments.events import Event
from sidecar.sandbox import Sandbox, SandboxOptions
from sidecar.service import Ports, Service, open_all
from tests.world.running import KEY, TOKEN, write_private
from tests.world.switches import SWITCHES

SOLANA_SEED = "22" * 32

PRICES = """\
    prices:
      m-permit: {input: "0.25", output: "1.50"}
      m-twa: {input: "0.25", output: "1.50"}
"""
HEAD = """\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
state_dir: {folder}
log: {{level: error}}
recovery: {{interval_s: 1}}
balances: {{interval_s: {interval_s}}}
wallets:
  main: {{kind: evm, key: {{file: {folder}/evm.key}}}}
  sol: {{kind: solana, key: {{file: {folder}/solana.key}}}}
chains:
  "eip155:84532": {{rpc: ["{origin}/rpc"]}}
  "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1": {{rpc: ["{origin}/rpc/solana"]}}
budgets:
  - {{name: day, limit: "100.00 USDC", window: 1d}}
callers:
  - {{name: app, token: {{file: {folder}/app.token}}}}
"""

EVM = """\
    wallet: main
    networks: ["eip155:84532"]
    max_payment: "10.00 USDC"
    budgets: [day]
"""
SOL = """\
    wallet: sol
    networks: ["solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"]
    max_payment: "10.00 USDC"
    budgets: [day]
"""
TOP_UP = '    top_up: {amount: "10.00 USDC", max_per_hour: 10, wait_s: 20%s}\n'

# Each route by its name: its provider, the path behind the sandbox's origin, and the rest.
ROUTES = {
    "venice": ("venice", "/venice/api", EVM + TOP_UP),
    "venice-sol": ("venice", "/venice/api", SOL + TOP_UP),
    "venice-key": ("venice", "/venice/api", "    api_key: {file: FOLDER/venice.key}\n"),
    "nodit": ("nodit", "/nodit", EVM + '    top_up: {amount: "1.00 USDC"}\n'),
    "nodit-sol": ("nodit", "/nodit", SOL + '    top_up: {amount: "1.00 USDC"}\n'),
    "x402layer": ("x402layer", "/x402layer", EVM),
    "x402layer-sol": ("x402layer", "/x402layer", SOL),
    "libertai": ("libertai", "/libertai", EVM + PRICES),
    "seller-sol": ("pay_per_request", "", SOL),
    "seller": ("pay_per_request", "", EVM),
}


def write_secrets(folder: Path) -> None:
    """The files that the head of the config names, and an API key."""
    for name, secret in (
        ("evm.key", KEY),
        ("solana.key", SOLANA_SEED),
        ("app.token", TOKEN),
        ("venice.key", "venice-admin-key"),
    ):
        write_private(folder / name, secret)


def config_text(folder: Path, origin: str, interval_s: float, low_water: str) -> str:
    """A config with every route, and the secrets that it names."""
    write_secrets(folder)
    mark = f', low_water: "{low_water}"' if low_water else ""
    text = HEAD.format(folder=folder, origin=origin, interval_s=interval_s) + "routes:\n"
    for name, (provider, path, rest) in ROUTES.items():
        text += f"  {name}:\n    provider: {provider}\n    upstream: {origin}{path}\n"
        text += rest.replace("FOLDER", str(folder)).replace("%s", mark)
        text += "    default: true\n" if name == "venice" else ""
    return text


@dataclass(frozen=True, slots=True)
class Market:
    """What a test talks to."""

    sandbox: Sandbox
    service: Service
    events: list[Event] = field(default_factory=list)

    def url(self, route: str, path: str = "/v1") -> str:
        """Where an app is pointed to for this route."""
        return f"http://127.0.0.1:{self.service.port}/{route}{path}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"}

    async def metrics(self) -> dict[str, float]:
        """Every sample of the exposition by its name and labels."""
        url = f"http://127.0.0.1:{self.service.admin_port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            lines = (await response.text()).splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if line and line[0] != "#")
        return {name: float(value) for name, value in samples}

    async def payments(self) -> tuple[Payment, ...]:
        """The ledger, newest first."""
        ledger = self.service._ledger
        assert ledger is not None
        return await ledger.payments(None, 1000)


@asynccontextmanager
async def market(
    folder: Path,
    options: SandboxOptions | None = None,
    interval_s: float = 3600,
    low_water: str = "",
    more: str = "",
    recovery: str = "{interval_s: 1}",
) -> AsyncIterator[Market]:
    """All of it, up and listening; ``more`` is written at the end of the config."""
    sandbox = Sandbox(options or SandboxOptions(), SystemClock(), SystemEntropy())
    await sandbox.start()
    try:
        text = config_text(folder, sandbox.url, interval_s, low_water) + more
        text = text.replace("recovery: {interval_s: 1}", f"recovery: {recovery}")
        config = parse_config(text, SWITCHES, {}, folder)
        opened = open_all(config, {}, SystemEntropy())
        events: list[Event] = []
        service = await Service.start(config, opened, events.append, Ports())
        try:
            yield Market(sandbox, service, events)
        finally:
            await service.stop()
    finally:
        await sandbox.stop()
