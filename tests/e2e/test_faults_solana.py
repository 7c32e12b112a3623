"""Every way in which the sandbox misbehaves, against every way in which an app tries, on Solana.

Counted on the sandbox's own Solana ledger: no purchase settles twice. A sample of the faults;
SIDECAR_FAULTS=all takes them all.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.config.read import parse_config
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.payments.events import Event
from sidecar.sandbox import Sandbox, SandboxOptions
from sidecar.sandbox.faults import Fault
from sidecar.service import Ports, Service, open_all
from tests.e2e.test_faults import one_try, settled_twice, stock, three_tries
from tests.world.market import SOLANA_SEED
from tests.world.running import TOKEN, Running, write_private

ALL = os.environ.get("SIDECAR_FAULTS") == "all"
SAMPLE = (
    Fault.RESET_BEFORE_ANYTHING,
    Fault.SETTLEMENT_PENDING,
    Fault.SETTLE_THEN_RESET,
    Fault.SETTLE_THEN_402,
    Fault.SETTLE_THEN_402_FAILURE_RECEIPT,
    Fault.SETTLE_THEN_503,
    Fault.SETTLE_THEN_CUT_BODY,
    Fault.UPFRONT_500,
    Fault.SETTLE_NO_RECEIPT,
    Fault.TOO_EXPENSIVE,
)
FAULTS = tuple(Fault) if ALL else SAMPLE
# Whether the seller gives a paid answer again, and whether the sidecar can ask the chain.
WORLDS = [(True, True), (False, False)] + ([(True, False), (False, True)] if ALL else [])
WAYS = (one_try, three_tries, stock)

CONFIG = """\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
state_dir: {folder}
ledger: {{sqlite: ledger.db}}
log: {{level: error}}
recovery: {{interval_s: 1}}
wallets:
  sol: {{kind: solana, key: {{file: {folder}/solana.key}}}}
{chains}
budgets:
  - {{name: day, limit: "50.00 USDC", window: 1d}}
callers:
  - {{name: app, token: {{file: {folder}/app.token}}}}
routes:
  seller:
    provider: pay_per_request
    upstream: {origin}
    wallet: sol
    default: true
    networks: ["solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"]
    max_payment: "0.10 USDC"
    budgets: [day]
    response_wait_s: 4
    breaker: {{undelivered_max: 1000, window: 1h}}
"""
CHAINS = 'chains:\n  "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1": {{rpc: ["{origin}/rpc/solana"]}}'


@asynccontextmanager
async def on_solana(
    folder: Path, options: SandboxOptions, *, with_rpc: bool
) -> AsyncIterator[Running]:
    """A seller that takes Solana alone, and a sidecar that pays on it; started and stopped."""
    write_private(folder / "solana.key", SOLANA_SEED)
    write_private(folder / "app.token", TOKEN)
    sandbox = Sandbox(options, SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    try:
        chains = CHAINS.format(origin=sandbox.url) if with_rpc else ""
        text = CONFIG.format(folder=folder, origin=sandbox.url, chains=chains)
        config = parse_config(text, {}, {}, folder)
        events: list[Event] = []
        opened = open_all(config, {}, SystemEntropy())
        service = await Service.start(config, opened, events.append, Ports())
        try:
            yield Running(sandbox, service, folder, events)
        finally:
            await service.stop()
    finally:
        await sandbox.stop()


@pytest.mark.parametrize(("replays", "with_rpc"), WORLDS)
async def test_never_twice(tmp_path: Path, replays: bool, with_rpc: bool) -> None:
    """Whatever the seller does and however the app tries, no purchase settles twice on Solana."""
    options = SandboxOptions(
        evm=False,
        solana=True,
        # Without an RPC endpoint nobody else can tell a recent one.
        solana_blockhash=not with_rpc,
        replays=replays,
        hang_max_s=20,
        slow_head_s=6,
    )
    async with on_solana(tmp_path, options, with_rpc=with_rpc) as world:
        results = await asyncio.gather(*(way(world, fault) for fault in FAULTS for way in WAYS))
        twice = settled_twice(world)
        books = world.sandbox.books
        settled = len(books.settlements)
        unclaimed = [one for one in books.settlements if one.purchase is None]
        left = {seen.nonce for seen in books.authorizations}
    rows = SqliteLedger.read(tmp_path / "ledger.db", None, 1000)
    written = {row.authorization.identity for row in rows if row.authorization}

    assert [] == twice
    assert [] == unclaimed
    # Most cells settle: only a few faults never do.
    assert settled > len(results) // 3
    assert settled <= len(left) <= len(written)
