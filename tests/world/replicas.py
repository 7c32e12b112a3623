"""Sidecar processes that share one wallet, one ledger and one budget, each with a state folder.

async with fleet(folder, store, route) as replicas:
    replicas[0].kill()
    await replicas[0].start()
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.shell import environment
from tests.world.processes import ROOT, free_port
from tests.world.running import KEY, TOKEN, listening, write_private
from tests.world.stores import Store

STOP_WAIT_S = 20.0

CONFIG = """\
version: 1
listen: 127.0.0.1:{port}
admin: 127.0.0.1:{admin_port}
state_dir: {folder}/state
ledger: {ledger}
log: {{level: error}}
recovery: {{interval_s: 1}}
balances: {{interval_s: 3600}}
wallets:
  main: {{kind: evm, key: {{file: {folder}/evm.key}}}}
chains:
  "eip155:84532": {{rpc: ["{rpc}"]}}
budgets:
  - {{name: all, limit: "{budget}", window: total}}
callers:
  - {{name: app, token: {{file: {folder}/app.token}}}}
routes:
  shop:
    default: true
    wallet: main
    networks: ["eip155:84532"]
    budgets: [all]
    breaker: {{undelivered_max: 10000, window: 1h}}
"""
PER_REQUEST = """\
    provider: pay_per_request
    upstream: {origin}
    max_payment: "0.10 USDC"
    validity_s: 60
    response_wait_s: 4
"""
VENICE = """\
    provider: venice
    upstream: {origin}/venice/api
    max_payment: "10.00 USDC"
    top_up: {{amount: "10.00 USDC", max_per_hour: 10, wait_s: 60}}
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """What all replicas are told of the one seller, and what they may spend there."""

    origin: str
    rpc: str
    budget: str
    route: str = PER_REQUEST
    key: str = KEY


@dataclass(slots=True)
class Replica:
    """One of them: the process that is there now, and the folder that outlives it."""

    folder: Path
    environ: Mapping[str, str]
    program: tuple[str, ...]
    port: int = field(default_factory=free_port)
    admin_port: int = field(default_factory=free_port)
    child: asyncio.subprocess.Process | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def lives(self) -> bool:
        return self.child is not None and self.child.returncode is None

    def write(self, store: Store, shop: Shop) -> None:
        """Its config, and the secrets that this names."""
        self.folder.mkdir()
        write_private(self.folder / "evm.key", shop.key)
        write_private(self.folder / "app.token", TOKEN)
        text = (CONFIG + shop.route).format(
            port=self.port,
            admin_port=self.admin_port,
            folder=self.folder,
            ledger=store.section,
            origin=shop.origin,
            rpc=shop.rpc,
            budget=shop.budget,
        )
        (self.folder / "sidecar.yaml").write_text(text)

    async def start(self, *program: str) -> None:
        """Start it, again or for the first time; ``program`` in the place of `sidecar run`."""
        with (self.folder / "log").open("ab") as log:
            self.child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *(program or self.program)),
                cwd=ROOT,
                env=environment(self.folder, **self.environ),
                stdout=log,
                stderr=log,
            )

    async def ready(self) -> None:
        """Come back once it listens. AssertionError has its words where it ended instead."""
        assert self.child is not None
        listens = asyncio.create_task(listening(self.port))
        ended = asyncio.create_task(self.child.wait())
        await asyncio.wait({listens, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        assert self.lives, self.said()
        await listens

    async def kill(self) -> None:
        """kill -9; nothing of it is left."""
        assert self.child is not None
        if self.lives:
            self.child.kill()
        await self.child.wait()

    def thaw(self) -> None:
        """It goes on where it stood."""
        assert self.child is not None
        self.child.send_signal(signal.SIGCONT)

    async def stop(self) -> None:
        """End it as a service manager does."""
        if self.child is None:
            return
        if self.lives:
            self.child.terminate()
        async with asyncio.timeout(STOP_WAIT_S):
            await self.child.wait()

    def said(self) -> str:
        """What it wrote."""
        return (self.folder / "log").read_text(errors="replace")


@asynccontextmanager
async def fleet(
    folder: Path, store: Store, shop: Shop, count: int = 4
) -> AsyncIterator[list[Replica]]:
    """So many of them, listening; ended with the block."""
    replicas = []
    for number in range(count):
        own = folder / f"replica-{number}"
        config = str(own / "sidecar.yaml")
        replica = Replica(own, store.environ, ("sidecar", "run", "--config", config))
        replica.write(store, shop)
        replicas.append(replica)
    try:
        for replica in replicas:
            await replica.start()
        await asyncio.gather(*(replica.ready() for replica in replicas))
        yield replicas
    finally:
        for replica in replicas:
            if replica.lives:
                replica.thaw()
        await asyncio.gather(*(replica.stop() for replica in replicas))
