"""The real process on a prepaid route, killed with SIGKILL at every named moment of a top-up.

Counted at the vendor, whose account starts empty: one top-up for the one need, whatever the
moment was. SIDECAR_KILL_TIMES=50 kills so often at each moment; without it, once after each call.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import openai
import pytest

from sidecar.clock import SystemClock, SystemEntropy
from sidecar.ledger.model import PaymentState
from sidecar.ledger.sqlite import SqliteLedger
from sidecar.money import Usdc
from sidecar.sandbox import Sandbox, SandboxOptions
from sidecar.sandbox.vendors.options import VendorOptions, VeniceOptions
from sidecar.wallets.evm import EvmWallet
from tests.e2e.test_kill import start
from tests.world.mortal_sidecar import TOP_UP_MOMENTS
from tests.world.processes import free_port
from tests.world.running import START_WAIT_S, TOKEN, listening, write_private

TIMES = int(os.environ.get("SIDECAR_KILL_TIMES", "0"))
SIDE_BY_SIDE = 3
TEN = Usdc(10_000_000)
OPEN = (PaymentState.RESERVED, PaymentState.AUTHORIZED)

CONFIG = """\
version: 1
listen: 127.0.0.1:{port}
admin: 127.0.0.1:{admin_port}
state_dir: {folder}
ledger: {{sqlite: ledger.db}}
log: {{level: error}}
recovery: {{interval_s: 1}}
balances: {{interval_s: 3600}}
wallets:
  main: {{kind: evm, key: {{file: {folder}/evm.key}}}}
chains:
  "eip155:84532": {{rpc: ["{origin}/rpc"]}}
budgets:
  - {{name: day, limit: "100.00 USDC", window: 1d}}
callers:
  - {{name: app, token: {{file: {folder}/app.token}}}}
routes:
  venice:
    provider: venice
    upstream: {origin}/venice/api
    default: true
    wallet: main
    networks: ["eip155:84532"]
    max_payment: "10.00 USDC"
    budgets: [day]
    top_up: {{amount: "10.00 USDC", max_per_hour: 10, wait_s: 20}}
"""

# The questions of its start, and then refused, balance, terms, paid, and served.
SENDINGS = 8
CASES = [(moment, 1) for moment in TOP_UP_MOMENTS] + [
    (moment, occasion)
    for moment in TOP_UP_MOMENTS
    if moment.endswith("upstream.send")
    for occasion in range(2, SENDINGS + 1)
]
# What is killed before a call dies as well after the one that came before it.
BRIEF = [case for case in CASES if case[0].startswith("after")]
ROUNDS = [BRIEF] if TIMES == 0 else [[case] * TIMES for case in CASES]
# A vendor that lets so many accounts of one address top up within a minute.
GENEROUS = VendorOptions(
    venice=VeniceOptions(top_ups_per_minute=100_000, balance_readings_per_minute=100_000)
)


def written_config(folder: Path, origin: str, port: int) -> tuple[Path, str]:
    """A config with a wallet of its own, and so an empty account; and that wallet's address."""
    key = hashlib.sha256(str(folder).encode()).digest()
    write_private(folder / "evm.key", "0x" + key.hex())
    write_private(folder / "app.token", TOKEN)
    config = folder / "sidecar.yaml"
    config.write_text(
        CONFIG.format(folder=folder, origin=origin, port=port, admin_port=free_port())
    )
    return config, EvmWallet(key).address


async def up_or_dead(mortal: asyncio.subprocess.Process, port: int) -> None:
    """Come back once it listens; or has died before, for it asks its chain as it starts."""
    async with asyncio.timeout(START_WAIT_S):
        listens = asyncio.create_task(listening(port))
        died = asyncio.create_task(mortal.wait())
        await asyncio.wait({listens, died}, return_when=asyncio.FIRST_COMPLETED)
        listens.cancel()
        died.cancel()


async def settled_all(ledger: Path) -> None:
    """Come back once no payment is open any more. TimeoutError when one stays so."""
    async with asyncio.timeout(START_WAIT_S):
        while any(row.state in OPEN for row in SqliteLedger.read(ledger, None, 100)):
            await asyncio.sleep(0.1)


async def killed_once(folder: Path, sandbox: Sandbox, moment: str, occasion: int) -> str:
    """One call through a sidecar that dies there and is started again: whose account it was."""
    port = free_port()
    config, address = written_config(folder, sandbox.url, port)
    mortal = await start("tests.world.mortal_sidecar", str(config), moment, str(occasion))
    await up_or_dead(mortal, port)
    client = openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{port}/v1", api_key=TOKEN, max_retries=8, timeout=60
    )
    call = asyncio.create_task(
        client.chat.completions.create(
            model="sandbox-small", messages=[{"role": "user", "content": "hi"}]
        )
    )
    successor = None
    try:
        assert -9 == await asyncio.wait_for(mortal.wait(), START_WAIT_S)
        successor = await start("sidecar", "run", "--config", str(config))
        answer = await call
        assert answer.choices[0].message.content
        # Served from the credit; the proof of what bought it may come with the next look.
        await settled_all(folder / "ledger.db")
        return address
    finally:
        call.cancel()
        await client.close()
        for child in (mortal, successor):
            if child is not None and child.returncode is None:
                child.terminate()
                await child.wait()


async def killed(tmp_path: Path, cases: list[tuple[str, int]]) -> None:
    """All of these, side by side, at one vendor; and what it has counted in the end."""
    sandbox = Sandbox(SandboxOptions(vendors=GENEROUS), SystemClock(), SystemEntropy())
    await sandbox.start("127.0.0.1", 0)
    side_by_side = asyncio.Semaphore(SIDE_BY_SIDE)

    async def once(number: int, moment: str, occasion: int) -> tuple[str, int, str]:
        folder = tmp_path / str(number)
        folder.mkdir()
        async with side_by_side:
            return moment, occasion, await killed_once(folder, sandbox, moment, occasion)

    try:
        ended = await asyncio.gather(*(once(n, *case) for n, case in enumerate(cases)))
        accounts = [sandbox.vendors.venice.account(address) for _, _, address in ended]
        paid = {case[:2]: account.paid for case, account in zip(ended, accounts, strict=True)}
        moved = sandbox.books.settled_total
    finally:
        await sandbox.stop()
    posted = [
        sum(
            row.amount.atomic
            for row in SqliteLedger.read(tmp_path / str(number) / "ledger.db", None, 100)
            if row.state is PaymentState.POSTED
        )
        for number in range(len(cases))
    ]

    assert dict.fromkeys(paid, TEN) == paid
    assert TEN.atomic * len(cases) == moved.atomic
    assert [TEN.atomic] * len(cases) == posted


@pytest.mark.parametrize("cases", ROUNDS)
async def test_kill(tmp_path: Path, cases: list[tuple[str, int]]) -> None:
    """Killed at a moment of a top-up: one top-up, no lost row, and the app is served."""
    await killed(tmp_path, cases)
