"""What several workers share out, as none of them knows how much the others use."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.clock import SystemEntropy
from sidecar.config.model import Config
from sidecar.config.read import parse_config
from sidecar.errors import ConfigError, UpstreamTimeoutError
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.proxy.lane import Slots
from sidecar.proxy.pool import Pool
from sidecar.service.contacts import Known
from sidecar.service.ports import Ports
from sidecar.service.secrets import open_all
from sidecar.service.wiring import Wiring, replay_memory_max
from sidecar.tasks import Supervisor
from tests.world.running import KEY, write_private

MIB = 2**20
CONFIG = """\
version: 1
state_dir: {folder}
workers: {workers}
wallets:
  main: {{kind: evm, key: {{file: {folder}/evm.key}}}}
budgets:
  - {{name: day, limit: "10.00 USDC", window: 1d}}
routes:
  venice:
    provider: venice
    upstream: https://api.venice.ai/api
    wallet: main
    networks: ["eip155:8453"]
    max_payment: "10.00 USDC"
    budgets: [day]
"""


def config(folder: Path, workers: int) -> Config:
    write_private(folder / "evm.key", KEY)
    return parse_config(CONFIG.format(folder=folder, workers=workers), {}, {}, folder)


async def turns(folder: Path, workers: int) -> int:
    """How many requests of the wallet one worker sends to Venice at a time."""
    told = config(folder, workers)
    opened = open_all(told, {}, SystemEntropy())
    ports, tasks = Ports(), Supervisor(lambda name, fault: None)
    pool, known = Pool(tasks), Known()
    chain = pool.upstream(frozenset(), 1, 1)
    ledger = await SqliteLedger.open(folder / "ledger.db", "wiring")
    try:
        books = (ledger, tasks)
        Wiring(told, opened, pool, chain, ports, lambda event: None, books, known).routes()
    finally:
        await ledger.close()
        await pool.close()
    (slots,) = known.slots.values()
    return await taken(slots)


async def taken(slots: Slots) -> int:
    count = 0
    while True:
        try:
            await slots.take(0.001)
        except UpstreamTimeoutError:
            return count
        count += 1


@pytest.mark.parametrize(("workers", "each"), [(1, 5), (2, 2), (5, 1)])
async def test_turns(tmp_path: Path, workers: int, each: int) -> None:
    """Together, workers send a vendor no more requests of a wallet than it takes."""
    assert each == await turns(tmp_path, workers)


async def test_more_workers_than_turns(tmp_path: Path) -> None:
    """More workers than a vendor takes requests are refused, with the number that it takes."""
    with pytest.raises(
        ConfigError, match=r"^workers: venice takes 5 .*; write workers: 5 at most$"
    ):
        await turns(tmp_path, 6)


def test_memory(tmp_path: Path) -> None:
    """Workers share the memory for bodies out, and each has room for one at least."""
    one, four, many = (replay_memory_max(config(tmp_path, workers)) for workers in (1, 4, 64))

    assert (256 * MIB, 64 * MIB, 16 * MIB) == (one, four, many)
