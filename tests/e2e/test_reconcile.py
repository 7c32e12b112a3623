"""``sidecar reconcile`` beside a real ledger and the sandbox's two chains."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
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
    return ran.returncode, {row["network"]: row for row in json.loads(ran.stdout)}, words.stdout


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
