"""``sidecar reconcile`` beside a real ledger and the sandbox's two chains."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp

from sidecar.sandbox.chain import Transfer
from tests.world.market import Market, config_text, market


async def paid(place: Market, route: str, count: int) -> None:
    """So many paid calls of a route."""
    async with aiohttp.ClientSession(headers=place.headers) as session:
        for number in range(count):
            url = place.url(route, "/v1/paid")
            async with session.post(url, json={"number": number}) as response:
                assert 200 == response.status, await response.text()


async def reconciled(place: Market, folder: Path) -> tuple[int, dict[str, Any], str]:
    """What the command says: its status, its rows by network, and its words."""
    path = folder / "sidecar.yaml"
    path.write_text(config_text(folder, place.sandbox.url, 3600, ""))
    command = [sys.executable, "-m", "sidecar", "reconcile", "--config", str(path)]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *more], capture_output=True, text=True, check=False)

    ran = await asyncio.to_thread(run, "--json")
    words = await asyncio.to_thread(run)
    assert ran.stdout, ran.stderr
    rows = json.loads(ran.stdout)["wallets"]
    return ran.returncode, {row["network"]: row for row in rows}, words.stdout


async def test_agrees(tmp_path: Path) -> None:
    """After paid calls on both chains the ledger and the chains agree to the unit."""
    async with market(tmp_path) as place:
        await paid(place, "seller", 3)
        status, rows, words = await reconciled(place, tmp_path)

    assert 0 == status, rows
    assert (30_000, 30_000) == (
        rows["eip155:84532"]["moved_atomic"],
        rows["eip155:84532"]["posted_atomic"],
    )
    assert "foreign:" not in words


async def test_foreign(tmp_path: Path) -> None:
    """A transfer that no payment explains is named, with its transaction, and the status is 8."""
    async with market(tmp_path) as place:
        await paid(place, "seller", 1)
        chain = place.sandbox.chain
        wallet = place.service._opened.wallets["main"].address
        ends_at = chain.head().timestamp + 300
        stolen = chain.settle(Transfer(wallet, "0x" + "99" * 20, 777, 0, ends_at, f"0x{9:064x}"))
        status, rows, words = await reconciled(place, tmp_path)

    assert 8 == status
    transaction = stolen.transaction.hash  # type: ignore[union-attr]  # it settles
    assert [{"transaction": transaction, "amount_atomic": 777}] == rows["eip155:84532"]["foreign"]
    assert f"0.000777 USDC left main on eip155:84532 in {transaction}" in words


async def test_drift(tmp_path: Path) -> None:
    """A running sidecar shows what left and no payment explains; its own payments are no drift."""
    drift = 'sidecar_drift_usdc{kind="foreign",network="eip155:84532",wallet="main"}'
    recovery = "{interval_s: 1, reconcile_interval_s: 1}"
    async with market(tmp_path, recovery=recovery) as place:
        await paid(place, "seller", 2)
        chain = place.sandbox.chain
        wallet = place.service._opened.wallets["main"].address
        ends_at = chain.head().timestamp + 300
        async with asyncio.timeout(60):
            while drift not in await place.metrics():
                await asyncio.sleep(0.2)
        await asyncio.sleep(5)
        before = (await place.metrics())[drift]
        chain.settle(Transfer(wallet, "0x" + "99" * 20, 777, 0, ends_at, f"0x{9:064x}"))
        async with asyncio.timeout(60):
            while not (await place.metrics())[drift]:
                await asyncio.sleep(0.2)
        metrics = await place.metrics()

    assert (0, 0.000777) == (before, metrics[drift])
    assert 0 == metrics[drift.replace("foreign", "missing")]
    assert 60 > metrics['sidecar_drift_age_seconds{network="eip155:84532",wallet="main"}']


async def test_credit(tmp_path: Path) -> None:
    """What was bought from a vendor is beside what it says is left."""
    async with market(tmp_path) as place:
        call = {"model": "sandbox-small", "messages": [{"role": "user", "content": "hi"}]}
        async with aiohttp.ClientSession(headers=place.headers) as session:
            url = place.url("venice", "/v1/chat/completions")
            async with session.post(url, json=call) as response:
                assert 200 == response.status, await response.text()
        path = tmp_path / "sidecar.yaml"
        path.write_text(config_text(tmp_path, place.sandbox.url, 3600, ""))
        command = [sys.executable, "-m", "sidecar", "reconcile", "--config", str(path)]
        ran = await asyncio.to_thread(
            subprocess.run, [*command, "--json"], capture_output=True, text=True, check=False
        )

    found = {row["route"]: row for row in json.loads(ran.stdout)["credit"]}
    assert (0, 10_000_000) == (ran.returncode, found["venice"]["bought_atomic"]), ran.stderr
    assert "usd" == found["venice"]["unit"]
    left, spent = Decimal(found["venice"]["balance"]), Decimal(found["venice"]["spent_usd"])
    assert Decimal(10) == left + spent
    assert 0 < spent
    assert 0 == found["venice-sol"]["bought_atomic"]


async def test_unreachable(tmp_path: Path) -> None:
    """A chain that cannot be asked is a fault; the other is compared all the same."""
    async with market(tmp_path) as place:
        await paid(place, "seller", 1)
        path = tmp_path / "sidecar.yaml"
        text = config_text(tmp_path, place.sandbox.url, 3600, "")
        path.write_text(text.replace("/rpc/solana", "/nothing/here"))
        command = [sys.executable, "-m", "sidecar", "reconcile", "--config", str(path)]
        ran = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False
        )

    assert 5 == ran.returncode
    assert "sol on solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1: getGenesisHash" in ran.stderr
    assert "0.01 USDC" in ran.stdout
